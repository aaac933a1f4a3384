// SPDX-License-Identifier: Apache-2.0
// Every precision in every engine that takes it, from graph to report.
#include <filesystem>

#include "model/load/load.h"
#include "optimize/quantize/engines_fixture.h"
#include "optimize/quantize/prepare.h"
#include "optimize/quantize/quantize_file.h"

namespace oree {
namespace {

Graph net() {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 16, 16});
  x = build(g, "Relu", {conv(g, x, 48, 1)});
  x = build(g, "Mul", {x, build(g, "Sigmoid", {conv(g, x, 48, 2)})});
  x = build(g, "Flatten", {build(g, "GlobalAveragePool", {x})});
  g.add_output(build(g, "Gemm", {x, normal_constant(g, {48, 32}, 6, 0.2f), normal_constant(g, {32}, 7)}, {}, kMainBlock,
                     "scores"));
  return g;
}

struct Work {
  PosixFiles files;
  TestFolder folder;
  QuantizeRequest request;

  Work() {
    Model model;
    model.graph = net();
    request.source = folder / "net.onnx";
    REQUIRE(write_model(files, model, request.source, {}).ok());
  }
  QuantizedFile done(const std::string& engine, Precision precision) {
    request.result = folder / (engine + "-" + precision_name(precision) +
                               (engine == "tflite" || engine == "tflm" ? ".tflite" : ".onnx"));
    request.quantize.engine = engine;
    request.quantize.precision = precision;
    request.random = calibrates(precision) ? 8 : 0;
    Result<std::vector<QuantizedFile>> file = quantize_file({.files = &files}, request);
    REQUIRE_MESSAGE(file.ok(), engine, " ", precision_name(precision), ": ", (file.ok() ? "" : file.error().message()));
    return std::move(file->front());
  }
};

// A layer of normal weights loses what weights_only_test.cc works out; there are three, and one multiplies two values.
struct Bound {
  Precision precision;
  double db, size;  // at least; of the float file, at most: scales and the graph are part of it
};
constexpr Bound kBounds[] = {
    {Precision::kInt16, 32, 0.5},    {Precision::kWeightsInt8, 32, 0.45}, {Precision::kWeightsInt4, 11, 0.35},
    {Precision::kDynamic, 26, 0.45}, {Precision::kFloat16, 60, 0.65},     {Precision::kBfloat16, 45, 0.65},
};

}  // namespace

TEST_CASE("every precision runs in the engines that take it, near to float, in a smaller file") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  for (const char* engine : {"onnxruntime", "openvino", "tflite", "tflm"}) {
    if (!engine_is_here(engine == std::string_view("tflm") ? "tflite" : engine)) continue;
    for (const Bound& bound : kBounds) {
      if (!check_precision(engine, bound.precision).ok()) continue;
      CAPTURE(std::string(engine));
      CAPTURE(precision_name(bound.precision));
      QuantizedFile file = work.done(engine, bound.precision);
      REQUIRE(file.report.outputs.size() == 1);
      const double db = file.report.outputs[0].engine_db.value_or(0);
      CHECK(db >= bound.db);
      CHECK(file.report.outputs[0].mixed_db >= bound.db);
      const double size = static_cast<double>(file.bytes_after) / static_cast<double>(file.bytes_before);
      CHECK(size <= bound.size);
      CHECK(file.report.random);
      const bool integers = calibrates(bound.precision) || bound.precision == Precision::kDynamic;
      CHECK((file.report.integer_share() > 0.9) == integers);
      CHECK(quantize_to_json(work.request, file).dump().find('"' + precision_name(bound.precision) + '"') !=
            std::string::npos);
      CHECK(quantize_text(work.request, file).find(precision_name(bound.precision)) != std::string::npos);
      CHECK(quantize_page(work.request, file).find(precision_name(bound.precision)) != std::string::npos);
    }
  }
}

TEST_CASE("16-bit activations become TFLite's operators of 16 bits by 8, with biases of 64") {
  if (!engine_is_here("onnxruntime") || !engine_is_here("tflite")) return;
  Work work;
  QuantizedFile wide = work.done("tflm", Precision::kInt16), narrow = work.done("tflm", Precision::kInt8);
  // Weights are rounded alike; activations cost nothing more.
  CHECK(wide.report.outputs[0].engine_db.value_or(0) > narrow.report.outputs[0].engine_db.value_or(0) + 3);
  Model model = load_model(work.folder / "tflm-int16.tflite").value();
  const Graph& g = model.graph;
  int convs = 0, sigmoids = 0;
  for (NodeId n : g.all_nodes()) {
    const Node& node = g.node(n);
    if (node.is("Sigmoid")) {
      ++sigmoids;
      CHECK(g.value(node.outputs[0]).quantization == Quantization{{1.0F / 32768}, {0}, -1});
    }
    const bool conv = node.is("Conv");
    if (!conv && !node.is("Gemm")) continue;
    convs += conv;
    CHECK(g.value(node.inputs[0]).dtype == Dtype::kInt16);
    CHECK(g.value(node.inputs[0]).quantization->zero_points == std::vector<int64_t>{0});
    CHECK(g.value(node.inputs[1]).dtype == Dtype::kInt8);
    CHECK(g.value(node.inputs[2]).dtype == Dtype::kInt64);
    CHECK(g.value(node.outputs[0]).dtype == Dtype::kInt16);
    if (conv) CHECK(g.value(node.inputs[1]).quantization->scales.size() == 48);
  }
  CHECK(convs == 2);
  CHECK(sigmoids == 1);
}

TEST_CASE("what an engine does not take is refused before anything is read or written") {
  Work work;
  work.request.source = work.folder / "gone.onnx";
  work.request.result = work.folder / "result.onnx";
  work.request.quantize.engine = "openvino";
  for (Precision precision : {Precision::kInt16, Precision::kDynamic}) {
    work.request.quantize.precision = precision;
    Result<std::vector<QuantizedFile>> refused = quantize_file({.files = &work.files}, work.request);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code() == Code::kUsage);
    CHECK(refused.error().message().find("weights-int8") != std::string::npos);
  }
  CHECK(!std::filesystem::exists(work.request.result));
}

TEST_CASE("real samples are measured with, bad ones named, and nothing is tried that weights alone do not have") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Model model;
  model.graph = net();
  REQUIRE(prepare_for_quantization(model, {}, false).ok());
  QuantizeOptions options{.precision = Precision::kWeightsInt8, .scratch = folder.path};
  NormalSamples good(model.graph, 20), bad(model.graph, 20, {0});
  Result<Quantized> done = quantize(files, model.graph, good, options);
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  CHECK(done->report.samples == 2);
  CHECK(done->report.outputs[0].engine_db.value_or(0) >= 32);
  REQUIRE(done->report.layers.size() == 3);
  for (const LayerReport& l : done->report.layers) CHECK(l.sqnr_db.value_or(0) >= 32);
  CHECK(quantize(files, model.graph, bad, options).error().code() == Code::kInvalid);
  options.skip_bad = true;
  CHECK(quantize(files, model.graph, bad, options).value().report.bad.count == 1);
  options.thorough = true;
  CHECK(quantize(files, model.graph, good, options).error().code() == Code::kUsage);
}

}  // namespace oree
