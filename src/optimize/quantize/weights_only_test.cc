// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights_only.h"

#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

// Filters, depthwise filters, transposed filters and both kinds of matrices, of weights as of trained layers.
Graph net() {
  Graph g;
  ValueId x = picture(g);
  x = build(g, "Conv", {x, normal_constant(g, {32, 4, 3, 3}, 1, 0.2f), normal_constant(g, {32}, 2)},
            {{"pads", Ints{1, 1, 1, 1}}}, kMainBlock, "first");
  x = build(g, "Conv", {x, normal_constant(g, {32, 1, 3, 3}, 3, 0.3f)}, {{"group", int64_t{32}}}, kMainBlock, "depth");
  x = build(g, "ConvTranspose", {x, normal_constant(g, {32, 16, 2, 2}, 4, 0.1f)}, {{"strides", Ints{2, 2}}}, kMainBlock,
            "up");
  x = build(g, "GlobalAveragePool", {x});
  x = build(g, "Flatten", {x});
  x = build(g, "Gemm", {x, normal_constant(g, {64, 16}, 5, 0.2f), normal_constant(g, {64}, 6)},
            {{"transB", int64_t{1}}}, kMainBlock, "gemm");
  g.add_output(build(g, "MatMul", {x, normal_constant(g, {64, 32}, 7, 0.1f)}, {}, kMainBlock, "scores"));
  return g;
}

struct Stored {
  Graph graph;
  std::vector<StoredLayer> layers;
};

Stored stored(const Graph& graph, const char* engine, Precision precision, std::set<NodeId> keep = {}) {
  Stored out{graph, {}};
  Result<std::vector<StoredLayer>> layers = store_weights(
      out.graph, {dialect_for(engine, TargetCpu::kX86).value(), precision, WeightScale::kLargest, std::move(keep)});
  REQUIRE_MESSAGE(layers.ok(), (layers.ok() ? "" : layers.error().message()));
  out.layers = std::move(*layers);
  Status valid = validate(out.graph);
  REQUIRE_MESSAGE(valid.ok(), (valid.ok() ? "" : valid.error().message()));
  return out;
}

double sqnr_db(const Graph& wanted, const Graph& found) {
  double signal = 0;
  for (double x : run_graph(wanted, normal_inputs(wanted))[0].tensor.to_doubles()) signal += x * x;
  return 10 * std::log10(signal / squared_gap(wanted, found));
}

// Of the constants of a type, the smallest and the largest element.
Range ends(const Graph& g, Dtype dtype) {
  Range range;
  for (ValueId v = 0; v < static_cast<ValueId>(g.value_count()); ++v) {
    if (g.constant(v) == nullptr || g.value(v).dtype != dtype || g.value(v).users.empty()) continue;
    for (double x : g.constant(v)->to_doubles()) {
      range.low = std::min(range.low, x);
      range.high = std::max(range.high, x);
    }
  }
  return range;
}

std::vector<std::string> kinds(const Stored& s) {
  std::vector<std::string> kinds;
  for (const StoredLayer& l : s.layers) kinds.push_back(l.weights);
  return kinds;
}

}  // namespace

TEST_CASE("8-bit weights are near to float in every engine's form, and small ones are left") {
  Graph g = net();
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite"}) {
    CAPTURE(std::string(engine));
    Stored s = stored(g, engine, Precision::kWeightsInt8);
    CHECK(kinds(s) == std::vector<std::string>{"int8", "", "int8", "int8", "int8"});
    CHECK(s.layers[1].because.find("1024") != std::string::npos);
    CHECK(ends(s.graph, Dtype::kInt8) == Range{-127, 127});
    // 127 steps to a largest weight of some 3.5 deviations: 10 log10(12 (127 / 3.5)^2) = 42 dB a layer, four of them.
    CHECK(sqnr_db(g, s.graph) >= 34);
    const bool folds = engine == std::string_view("onnxruntime");
    CHECK(count(s.graph, "DequantizeLinear") == (folds ? 2 : 4));
    CHECK(count(s.graph, "Cast") == (folds ? 2 : 0));
  }
}

TEST_CASE("4-bit weights have a scale a block of inputs, but where an engine has none") {
  Graph g = net();
  Stored ort = stored(g, "onnxruntime", Precision::kWeightsInt4);
  // 36 inputs a filter, 16 and 64 a row; transposed filters have no rows.
  CHECK(kinds(ort) ==
        std::vector<std::string>{"int4 in blocks of 36", "", "int8", "int4 in blocks of 16", "int4 in blocks of 32"});
  CHECK(ends(ort.graph, Dtype::kInt4) == Range{-7, 7});
  // 7 steps to some 2.2 deviations: 10 log10(12 (7 / 2.2)^2) = 21 dB a layer, three of them.
  CHECK(sqnr_db(g, ort.graph) >= 13);
  Stored ov = stored(g, "openvino", Precision::kWeightsInt4);
  CHECK(kinds(ov) == kinds(ort));
  CHECK(squared_gap(ov.graph, ort.graph) < 1e-9);  // the same numbers, said otherwise
  CHECK(count(ort.graph, "DequantizeLinear") == 2);
  CHECK(count(ov.graph, "DequantizeLinear") == 4);
  // TensorRT has blocks of matrices alone.
  CHECK(kinds(stored(g, "tensorrt", Precision::kWeightsInt4))[0] == "int8");
}

TEST_CASE("dynamic layers multiply integers whose scales are found at run time") {
  Graph g = net();
  Stored s = stored(g, "onnxruntime", Precision::kDynamic);
  CHECK(count(s.graph, "ConvInteger") == 1);
  CHECK(count(s.graph, "MatMulInteger") == 2);
  CHECK(count(s.graph, "DynamicQuantizeLinear") == 3);
  CHECK(s.layers[0].integer);
  CHECK(!s.layers[2].integer);  // a transposed convolution: its weights alone
  CHECK(s.layers[2].weights == "int8");
  CHECK(g.value(g.main().outputs[0]).name == s.graph.value(s.graph.main().outputs[0]).name);
  // Neighbours bound to 128 for an x86 without VNNI: at least 36 dB a layer; 255 steps to 8 deviations: 40 dB an
  // operand.
  CHECK(sqnr_db(g, s.graph) >= 28);
  // What is not seen beforehand fits whatever comes: a thousand times as much is no further from float.
  Graph small = net(), large = s.graph;
  auto by = [](Graph& graph, float factor) {
    NamedTensors inputs = normal_inputs(graph);
    for (float& x : inputs[0].tensor.as<float>()) x *= factor;
    return run_graph(graph, inputs)[0].tensor.to_doubles();
  };
  std::vector<double> wanted = by(small, 1000), found = by(large, 1000);
  double signal = 0, noise = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    signal += wanted[i] * wanted[i];
    noise += (wanted[i] - found[i]) * (wanted[i] - found[i]);
  }
  CHECK(10 * std::log10(signal / noise) >= 28);
}

TEST_CASE("layers that share an operand share what quantizes it, and shared weights are stored once") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4, 64});
  ValueId w = normal_constant(g, {64, 32}, 1, 0.1f);
  g.add_output(build(g, "MatMul", {x, w}));
  g.add_output(build(g, "MatMul", {x, w}));
  CHECK(count(stored(g, "onnxruntime", Precision::kDynamic).graph, "DynamicQuantizeLinear") == 1);
  CHECK(count(stored(g, "onnxruntime", Precision::kWeightsInt8).graph, "DequantizeLinear") == 1);
  CHECK(count(stored(g, "openvino", Precision::kWeightsInt4).graph, "DequantizeLinear") == 1);
  CHECK(count(stored(g, "openvino", Precision::kBfloat16).graph, "Cast") == 1);
}

TEST_CASE("floats of 16 bits round as their formats say") {
  Graph g = net();
  // 11 and 8 bits of mantissa: 20 log10(2^12 sqrt 3) = 77 dB and 20 log10(2^9 sqrt 3) = 59 dB at the least, a layer.
  CHECK(sqnr_db(g, stored(g, "onnxruntime", Precision::kFloat16).graph) >= 68);
  Stored s = stored(g, "openvino", Precision::kBfloat16);
  CHECK(kinds(s)[0] == "bfloat16");
  CHECK(sqnr_db(g, s.graph) >= 50);
  CHECK(sqnr_db(g, s.graph) < 65);
}

TEST_CASE("a layer stays in float when told, and weights that are no numbers are refused by name") {
  Graph g = net();
  NodeId first = g.order()[0];
  Stored s = stored(g, "tflite", Precision::kWeightsInt8, {first});
  CHECK(s.layers[0].weights.empty());
  CHECK(s.layers[0].because.find("accuracy") != std::string::npos);
  Graph bad;
  ValueId x = bad.add_input("x", Dtype::kFloat32, Dims{1, 64});
  std::vector<float> w(64 * 32, 0.1f);
  w[77] = std::nanf("");
  bad.add_output(build(bad, "MatMul", {x, bad.add_constant("broken", Constant::of_floats(w, {64, 32}))}));
  for (Precision precision : {Precision::kWeightsInt8, Precision::kWeightsInt4, Precision::kDynamic}) {
    Graph graph = bad;
    Result<std::vector<StoredLayer>> refused =
        store_weights(graph, {dialect_for("onnxruntime").value(), precision, WeightScale::kLargest, {}});
    REQUIRE(!refused.ok());
    CHECK(refused.error().code() == Code::kInvalid);
    CHECK(refused.error().message().find("broken") != std::string::npos);
  }
}

}  // namespace oree
