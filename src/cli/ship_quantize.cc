// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_quantize.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "model/runtime/registry.h"
#include "optimize/quantize/quantize_file.h"

namespace oree::cli {
namespace {

std::vector<std::string> engines_of(const Product& product) {
  std::vector<std::string> engines = product.quantize->engines;
  if (engines.empty() && product.tune) engines = product.tune->runtimes;
  if (!engines.empty()) return engines;
  for (const std::string& name : backend_names()) {
    bool dialect = std::ranges::find(dialect_engines(), name) != dialect_engines().end();
    if (dialect && backend(name).info().available) engines.push_back(name);
  }
  return engines;
}

// `kind`: "int8", or "mixed" when some layers stay in float.
std::string variant_path(const Product& product, const std::string& engine, const std::string& kind) {
  Result<Dialect> dialect = dialect_for(engine);
  bool tflite = dialect.ok() && dialect->tflite;
  std::string name = fmt::format("{}-{}-{}.{}", product.manifest.model, engine, kind, tflite ? "tflite" : "onnx");
  return path_join(path_join(product.state_folder, "quantized"), name);
}

std::string calibration_of(const Product& product) {
  return product.quantize->calibration.empty() ? product.golden[0] : product.quantize->calibration;
}

Result<QuantizeRequest> request_for(const Product& product, const std::string& engine) {
  const ProductQuantize& q = *product.quantize;
  QuantizeRequest request;
  request.source = product.model;
  request.result = variant_path(product, engine, "int8");
  request.mixed_result = variant_path(product, engine, "mixed");
  request.data.path = calibration_of(product);
  request.recipe = product.recipe;
  request.quantize.engine = engine;
  request.quantize.threads = quantize_threads();
  request.quantize.io = IoType::kFloat;  // golden samples and recipes are of reals
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
  Json engines = Json::array(), kept = Json::array();
  for (const std::string& e : engines_of(product)) engines.push(e);
  for (const std::string& name : q.keep_float) kept.push(name);
  return Json()
      .set("engines", engines)
      .set("ranges", q.ranges)
      .set("keep_float", kept)
      .set("float_macs_percent", q.float_macs_percent ? Json(*q.float_macs_percent) : Json())
      .set("drop_max_percent", q.drop_max_percent ? Json(*q.drop_max_percent) : Json())
      .set("evaluation", q.evaluation)
      .set("samples_max", q.samples_max);
}

// Each variant, a page about it beside it; and a line about all.
Result<std::string> make_variants_for(const Ports& ports, const Product& product, const std::string& engine,
                                      StepOutcome& outcome) {
  OREE_TRY_ASSIGN(QuantizeRequest request, request_for(product, engine));
  OREE_TRY_ASSIGN(const std::vector<QuantizedFile> made, quantize_file(ports, request));
  std::string line = engine;
  for (const QuantizedFile& file : made) {
    const std::string page = file.path + ".html";
    OREE_TRY(ports.files->write_atomic(page, as_bytes(quantize_page(request, file))));
    outcome.outputs.push_back(file.path);
    outcome.outputs.push_back(page);
    line += fmt::format("{} {}, {:.0f} % in int8", &file == made.data() ? "" : ", mixed", human_bytes(file.bytes_after),
                        100 * file.report.integer_share());
  }
  return line;
}

Result<StepOutcome> make_variants(const Ports& ports, const Product& product) {
  Files& files = *ports.files;
  StepOutcome outcome;
  std::optional<Error> refused;
  const std::string folder = path_join(product.state_folder, "quantized");
  OREE_TRY(files.remove_all(folder));  // what another oree.toml left
  OREE_TRY(files.make_dirs(folder));
  for (const std::string& engine : engines_of(product)) {
    Result<std::string> line = make_variants_for(ports, product, engine, outcome);
    if (!line.ok() && line.error().code() != Code::kUnsupported) return line.error();
    if (!line.ok()) refused = line.error();
    if (!outcome.result.empty()) outcome.result += "; ";
    outcome.result += line.ok() ? *line : fmt::format("{} refused: {}", engine, line.error().message());
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

std::vector<std::string> quantized_variants(Files& files, const Product& product) {
  std::vector<std::string> found;
  if (!product.quantize) return found;
  for (const std::string& engine : engines_of(product)) {
    for (const char* kind : {"int8", "mixed"}) {
      std::string path = variant_path(product, engine, kind);
      if (files.info(path).ok()) found.push_back(path);
    }
  }
  return found;
}

}  // namespace oree::cli
