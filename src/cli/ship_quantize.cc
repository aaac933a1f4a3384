// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_quantize.h"

#include <fmt/format.h>

#include "cli/variants.h"

namespace oree::cli {
namespace {

std::string folder_of(const Product& product) { return path_join(product.state_folder, "quantized"); }

std::vector<std::string> engines_of(const Product& product) {
  if (!product.quantize->engines.empty()) return product.quantize->engines;
  if (product.tune && !product.tune->runtimes.empty()) return product.tune->runtimes;
  return dialects_here({});
}

std::string calibration_of(const Product& product) {
  return product.quantize->calibration.empty() ? product.golden[0] : product.quantize->calibration;
}

Result<QuantizeRequest> request_for(const Product& product) {
  const ProductQuantize& q = *product.quantize;
  QuantizeRequest request;
  request.source = product.model;
  request.data.path = calibration_of(product);
  request.recipe = product.recipe;
  request.quantize.samples_max = static_cast<size_t>(q.samples_max);
  request.quantize.keep_float = {q.keep_float.begin(), q.keep_float.end()};
  if (q.float_macs_percent) request.quantize.float_macs_max = *q.float_macs_percent / 100;
  if (q.drop_max_percent) {
    request.drop.emplace();
    request.drop->max = *q.drop_max_percent / 100;
    request.drop->evaluation.path = q.evaluation;
    if (product.tune) request.drop->score_min = product.tune->score_min;
    if (product.tune) request.drop->iou_min = product.tune->iou_min;
  }
  std::optional<RangeMethod> method = parse_range_method(q.ranges);
  if (!method) return Error(Code::kUsage, fmt::format("[quantize] ranges: no method '{}'", q.ranges));
  request.quantize.plan.ranges.method = *method;
  return request;
}

Json settings(const Product& product) {
  const ProductQuantize& q = *product.quantize;
  return Json()
      .set("engines", text_list(engines_of(product)))
      .set("ranges", q.ranges)
      .set("keep_float", text_list(q.keep_float))
      .set("float_macs_percent", q.float_macs_percent ? Json(*q.float_macs_percent) : Json())
      .set("drop_max_percent", q.drop_max_percent ? Json(*q.drop_max_percent) : Json())
      .set("evaluation", q.evaluation)
      .set("samples_max", q.samples_max);
}

Result<StepOutcome> make_variants(const Ports& ports, const Product& product) {
  Files& files = *ports.files;
  StepOutcome outcome;
  std::optional<Error> refused;
  const std::string folder = folder_of(product);
  OREE_TRY_ASSIGN(const QuantizeRequest request, request_for(product));
  OREE_TRY(files.remove_all(folder));  // what another oree.toml left
  OREE_TRY(files.make_dirs(folder));
  for (const std::string& engine : engines_of(product)) {
    Result<QuantizedVariants> made = quantize_for_engine(ports, request, engine, folder, product.manifest.model);
    if (!made.ok() && made.error().code() != Code::kUnsupported) return made.error();
    if (!outcome.result.empty()) outcome.result += "; ";
    if (!made.ok()) {
      refused = made.error();
      outcome.result += fmt::format("{} refused: {}", engine, made.error().message());
      continue;
    }
    outcome.result += made->line;
    for (const auto* list : {&made->paths, &made->pages})
      outcome.outputs.insert(outcome.outputs.end(), list->begin(), list->end());
  }
  if (outcome.outputs.empty() && refused) return *refused;
  return outcome;
}

}  // namespace

Step quantize_step(const Ports& ports, std::shared_ptr<const Product> product) {
  Files* files = ports.files;
  auto fingerprint = [files, product]() -> Result<std::string> {
    Fingerprint print(*files);
    OREE_TRY(add_model(print, product->model));
    Json recipe = product->recipe ? recipe_to_json(*product->recipe) : Json();
    print.add_json("recipe", recipe).add_path("data", calibration_of(*product));
    if (!product->quantize->evaluation.empty()) print.add_path("evaluation", product->quantize->evaluation);
    return print.add_json("settings", settings(*product)).finish();
  };
  return {"quantize", fingerprint, [ports, product] { return make_variants(ports, *product); }};
}

std::vector<QuantizedVariant> quantized_variants(Files& files, const Product& product) {
  std::vector<QuantizedVariant> found;
  if (!product.quantize) return found;
  for (const std::string& engine : engines_of(product)) {
    for (const char* kind : {"int8", "mixed"}) {
      std::string path = quantized_path(folder_of(product), product.manifest.model, engine, kind);
      if (files.info(path).ok()) found.push_back({path, runtime_of_dialect(engine)});
    }
  }
  return found;
}

}  // namespace oree::cli
