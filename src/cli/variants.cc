// SPDX-License-Identifier: Apache-2.0
#include "cli/variants.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "model/convert/convert.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

// A few points of accuracy may hang on some layers more than `oree quantize` leaves in float; they cost a few percent
// of the time.
constexpr double kFloatMacsMore = 0.15;

std::vector<TuneLayer> layers_of(const QuantizeReport& report) {
  std::vector<TuneLayer> layers;
  for (const LayerReport& l : report.layers) {
    const double share = report.macs > 0 ? static_cast<double>(l.macs) / static_cast<double>(report.macs) : 0;
    layers.push_back({l.name, l.op, l.integer, share, l.sqnr_db, l.because});
  }
  return layers;
}

FloatVariant write_variant(Files& files, const std::string& model, const std::string& path,
                           const ConvertOptions& options) {
  auto write = [&]() -> Status {
    OREE_TRY_ASSIGN(Model graph, load_model(model));
    if (auto steps = prepare(graph, options); !steps.ok()) return steps.error();
    return write_model(files, graph, path, options);
  };
  const Status written = write();
  return written.ok() ? FloatVariant{path, ""} : FloatVariant{"", written.error().message()};
}

}  // namespace

std::vector<std::string> dialects_here(const std::vector<std::string>& wanted) {
  std::vector<std::string> engines;
  for (const std::string& name : backend_names()) {
    const bool dialect = std::ranges::find(dialect_engines(), name) != dialect_engines().end();
    const bool asked = wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
    if (dialect && asked && backend(name).info().available) engines.push_back(name);
  }
  return engines;
}

std::string runtime_of_dialect(const std::string& dialect) {
  if (dialect == "edgetpu" || dialect == "tflm") return "tflite";
  return dialect == "tensorrt" ? "onnxruntime" : dialect;
}

std::string quantized_path(const std::string& folder, const std::string& name, const std::string& engine,
                           const std::string& kind) {
  Result<Dialect> dialect = dialect_for(engine);
  const bool tflite = dialect.ok() && dialect->tflite;
  return path_join(folder, fmt::format("{}-{}-{}.{}", name, engine, kind, tflite ? "tflite" : "onnx"));
}

Result<QuantizedVariants> quantize_for_engine(const Ports& ports, QuantizeRequest request, const std::string& engine,
                                              const std::string& folder, const std::string& name) {
  request.result = quantized_path(folder, name, engine, "int8");
  request.mixed_result = quantized_path(folder, name, engine, "mixed");
  const bool bounded = request.drop || request.quantize.float_macs_max;
  if (!bounded) request.more_result = quantized_path(folder, name, engine, "mixed-more");
  request.more_float_macs = kFloatMacsMore;
  request.quantize.engine = engine;
  request.quantize.threads = quantize_threads();
  request.quantize.io = IoType::kFloat;  // golden samples and recipes are of reals
  OREE_TRY_ASSIGN(const std::vector<QuantizedFile> made, quantize_file(ports, request));
  QuantizedVariants variants{engine, {}, {}, {}, engine};
  for (const QuantizedFile& file : made) {
    const std::string page = file.path + ".html";
    OREE_TRY(ports.files->write_atomic(page, as_bytes(quantize_page(request, file))));
    variants.paths.push_back(file.path);
    variants.pages.push_back(page);
    variants.layers.push_back(layers_of(file.report));
    variants.line += fmt::format("{} {}, {:.0f} % in int8", &file == made.data() ? "" : ", mixed",
                                 human_bytes(file.bytes_after), 100 * file.report.integer_share());
  }
  return variants;
}

FloatVariant convert_variant(Files& files, const std::string& model, const std::string& folder, const std::string& name,
                             bool float16) {
  auto format = detect_format(model);
  if (!format.ok()) return {"", format.error().message()};
  const bool to_tflite = (*format == ModelFormat::kTflite) == float16;
  ConvertOptions options;
  options.float16 = float16;
  const std::string file = fmt::format("{}-{}.{}", name, float16 ? "float16" : "float", to_tflite ? "tflite" : "onnx");
  return write_variant(files, model, path_join(folder, file), options);
}

FloatVariant ncnn_variant(Files& files, const std::string& model, const std::string& folder, const std::string& name) {
  const RuntimeInfo& ncnn = backend("ncnn").info();
  if (!ncnn.available) return {"", ncnn.absent.at("ncnn")};
  return write_variant(files, model, path_join(folder, name + "-float.ncnn.param"), {});
}

}  // namespace oree::cli
