// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/emit.h"

#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

// The only node of that operator.
const Node& the(const Graph& g, std::string_view op) {
  REQUIRE(count(g, op) == 1);
  for (NodeId n : g.order()) {
    if (g.node(n).is(op)) return g.node(n);
  }
  return g.node(0);
}

// Of the DequantizeLinear that makes an input.
const Node& dequantize(const Graph& g, ValueId v) {
  REQUIRE(g.value(v).producer != kNoNode);
  const Node& node = g.node(g.value(v).producer);
  REQUIRE(node.is("DequantizeLinear"));
  return node;
}

double share_of_noise(const Graph& wanted, const Graph& found) {
  double signal = 0;
  for (double x : run_graph(wanted, normal_inputs(wanted))[0].tensor.to_doubles()) signal += x * x;
  return squared_gap(wanted, found) / signal;
}

}  // namespace

TEST_CASE("an emitted convolution computes what integers worked out by hand give") {
  Graph g;
  ValueId x = picture(g), y = conv(g, x, 5, 1);
  g.add_output(y);
  Planned planned(g, "tflm");
  const LayerWeights& w = planned.plan.weights.begin()->second;
  const std::vector<int32_t> weights = unpack_integers(w.integers);
  const Affine in = planned.affine(x), out = planned.affine(y);
  Graph q = emitted(g, planned.plan);
  NamedTensors inputs = normal_inputs(g, 99);
  std::vector<double> reals = inputs[0].tensor.to_doubles(), found = run_graph(q, inputs)[0].tensor.to_doubles();
  REQUIRE(found.size() == 5 * 64);
  int equal = 0;
  for (int64_t i = 0; i < 5 * 64; ++i) {
    const int64_t c = i / 64, row = i / 8 % 8, column = i % 8;
    const auto channel = static_cast<size_t>(c);
    double scale = static_cast<double>(in.scale) * static_cast<double>(w.scales[channel]);
    int64_t sum = std::lround(static_cast<double>(w.bias[channel]) / scale);
    for (int64_t t = 0; t < 36; ++t) {
      int64_t from = t / 9, r = row + t / 3 % 3 - 1, k = column + t % 3 - 1;
      if (r < 0 || r > 7 || k < 0 || k > 7) continue;
      int64_t qx = to_integer(reals[static_cast<size_t>(from * 64 + r * 8 + k)], in, planned.d.activations);
      sum += (qx - in.zero_point) * weights[static_cast<size_t>(c * 36 + t)];
    }
    int64_t wanted = to_integer(static_cast<double>(sum) * scale, out, planned.d.activations);
    int64_t is = to_integer(found[static_cast<size_t>(i)], out, planned.d.activations);
    CHECK(std::abs(is - wanted) <= 1);  // ties, in float
    equal += is == wanted;
  }
  CHECK(equal >= 5 * 64 - 3);
}

TEST_CASE("a bias is int32 of the products' scale") {
  Graph g;
  ValueId x = picture(g);
  g.add_output(conv(g, x, 5, 1));
  Planned planned(g, "tflm");
  const LayerWeights& w = planned.plan.weights.begin()->second;
  Graph q = emitted(g, planned.plan);
  const Node& bias = dequantize(q, the(q, "Conv").inputs[2]);
  CHECK(q.value(bias.inputs[0]).dtype == Dtype::kInt32);
  std::vector<double> scales = q.constant(bias.inputs[1])->to_doubles();
  std::vector<double> integers = q.constant(bias.inputs[0])->to_doubles();
  REQUIRE(scales.size() == 5);
  for (size_t c = 0; c < 5; ++c) {
    CHECK(scales[c] == static_cast<double>(planned.affine(x).scale * w.scales[c]));
    CHECK(std::abs(integers[c] * scales[c] - static_cast<double>(w.bias[c])) <= 0.5001 * scales[c]);
  }
}

TEST_CASE("a layer that leaves gives out sums of 32 bits, and they are what its dequantized form gives") {
  auto check = [](const char* op, const Dims& dims, const Shape& weights, int64_t biases,
                  const Attributes& attributes) {
    CAPTURE(op);
    Graph g;
    std::vector<ValueId> inputs{g.add_input("x", Dtype::kFloat32, dims), normal_constant(g, weights, 1)};
    if (biases > 0) inputs.push_back(normal_constant(g, {biases}, 2));
    g.add_output(build(g, op, inputs, attributes, kMainBlock, "result"));
    Planned planned(g, "onnxruntime");
    REQUIRE(planned.plan.placement.layers.size() == 1);
    REQUIRE(planned.plan.placement.layers[0].leaves);
    Graph products = emitted(g, planned.plan);
    CHECK(count(products, op) == 0);
    const bool taps = op == std::string_view("Conv") && (weights[2] > 1 || attributes.contains("strides"));
    CHECK(count(products, taps ? "ConvInteger" : "MatMulInteger") == 1);
    Plan other = planned.plan;
    other.dialect.leaving = Leaving::kHybrid;
    Graph reals = emitted(g, other);
    CHECK(count(reals, op) == 1);
    check_same(reals, products, 1e-5);
    CHECK(share_of_noise(g, products) < 1e-3);
  };
  check("Conv", {1, 4, 9, 9}, {6, 4, 3, 3}, 6, {{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 1}}});
  check("Conv", {1, 4, 9, 9}, {8, 4, 3, 3}, 0, {{"dilations", Ints{2, 2}}});
  check("Conv", {1, 4, 9, 9}, {1, 4, 5, 5}, 1, {{"auto_pad", std::string("SAME_UPPER")}});
  check("Conv", {2, 4, 30}, {16, 4, 7}, 16, {});
  check("Conv", {2, 20, 3, 4}, {7, 20, 1, 1}, 7, {});
  check("Conv", {2, 20, 30}, {4, 20, 1}, 0, {{"pads", Ints{0, 0}}});
  check("Conv", {2, 20, 5, 5}, {7, 20, 1, 1}, 7, {{"strides", Ints{2, 2}}});
  check("Gemm", {3, 20}, {20, 7}, 7, {});
  check("Gemm", {3, 20}, {7, 20}, 7, {{"transB", int64_t{1}}});
  check("Gemm", {3, 20}, {7, 20}, 0, {{"transB", int64_t{1}}});
  check("MatMul", {2, 5, 20}, {20, 7}, 0, {});
}

TEST_CASE("a bias that 32 bits cannot hold gets a coarser weight scale, for its channel alone") {
  // The last channel is a dead one, whose weights have decayed to next to nothing.
  for (auto [size, largest] : {std::pair{1e-8f, 1000.0f}, {1e-20f, 1000.0f}, {1e-38f, -1000.0f}, {1e-38f, 0.0f}}) {
    CAPTURE(size);
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4, 8, 8});
    ValueId small = build(g, "Mul", {x, g.add_constant("n", Constant::scalar(1e-6f))});
    std::vector<float> weights = normal_values(3 * 4, 1), bias{0.5f, -0.25f, largest};
    for (size_t i = 8; i < 12; ++i) weights[i] *= size;
    ValueId w = g.add_constant("w", Constant::of_floats(weights, {3, 4, 1, 1}));
    g.add_output(build(g, "Conv", {small, w, g.add_constant("b", Constant::of_floats(bias, {3}))}));
    Planned planned(g, "tflm");
    // Not to nearest: what was chosen for the other channels stays.
    Constant& integers_of = planned.plan.weights.begin()->second.integers;
    std::vector<int32_t> chosen = unpack_integers(integers_of);
    chosen[1] = chosen[1] > 0 ? chosen[1] - 1 : chosen[1] + 1;
    integers_of = pack_integers(chosen, integers_of.shape(), integers_of.dtype());
    Graph q = emitted(g, planned.plan);
    const Node& layer = the(q, "Conv");
    std::vector<double> stored = q.constant(dequantize(q, layer.inputs[1]).inputs[0])->to_doubles();
    for (size_t i = 0; i < 8; ++i) CHECK(stored[i] == chosen[i]);
    std::vector<double> before(planned.plan.weights.begin()->second.scales.begin(),
                               planned.plan.weights.begin()->second.scales.end());
    std::vector<double> after = q.constant(dequantize(q, layer.inputs[1]).inputs[1])->to_doubles();
    CHECK(after[0] == before[0]);
    CHECK(after[1] == before[1]);
    CHECK(after[2] > before[2]);
    std::vector<double> scales = q.constant(dequantize(q, layer.inputs[2]).inputs[1])->to_doubles();
    std::vector<double> integers = q.constant(dequantize(q, layer.inputs[2]).inputs[0])->to_doubles();
    for (size_t c = 0; c < 3; ++c)
      CHECK(scales[c] * integers[c] == doctest::Approx(static_cast<double>(bias[c])).epsilon(1e-5));
    for (double i : integers) CHECK(std::abs(i) < 0x1p31 - 200);
  }
}

TEST_CASE("what the user sees stays: names, types and shapes, of outputs that layers take, too") {
  Graph g;
  ValueId x = picture(g), first = conv(g, x, 4, 1, "first"),
          bounded = build(g, "Relu", {first}, {}, kMainBlock, "kept");
  ValueId second = conv(g, bounded, 4, 2, "second"), sum = build(g, "Add", {second, bounded}, {}, kMainBlock, "sum");
  ValueId last = conv(g, sum, 4, 3, "last");
  for (ValueId v : {last, bounded, build(g, "Neg", {sum}, {}, kMainBlock, "negative"), second}) g.add_output(v);
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite", "edgetpu", "tflm"}) {
    CAPTURE(engine);
    Planned planned(g, engine);
    Graph q = emitted(g, planned.plan);
    CHECK(q.value(q.main().inputs[0]).name == "x");
    REQUIRE(q.main().outputs.size() == 4);
    for (size_t i = 0; i < 4; ++i) {
      const Value &was = g.value(g.main().outputs[i]), &is = q.value(q.main().outputs[i]);
      CHECK(is.name == was.name);
      CHECK(is.dtype == was.dtype);
      CHECK(to_shape(*is.dims) == to_shape(*was.dims));
    }
    CHECK(share_of_noise(g, q) < 2e-3);
  }
}

TEST_CASE("engines that give out integers have them behind every layer, those that fuse only before one") {
  Graph g;
  ValueId y = conv(g, picture(g), 4, 1), z = build(g, "Neg", {y});
  g.add_output(z);
  g.add_output(conv(g, y, 4, 2));
  for (const char* engine : {"onnxruntime", "openvino"}) {
    Planned planned(g, engine);
    Graph q = emitted(g, planned.plan);
    NodeId taken = q.value(the(q, "Neg").inputs[0]).producer;
    CHECK(q.node(taken).is("DequantizeLinear") == (engine == std::string_view("onnxruntime")));
  }
}

TEST_CASE("a depthwise convolution has all 8 bits for its weights on any CPU") {
  const Dialect d = dialect_for("onnxruntime", TargetCpu::kX86).value();
  Graph g;
  ValueId x = picture(g);
  auto layer = [&](const Shape& shape, int64_t group) {
    x = build(g, "Conv", {x, normal_constant(g, shape, 1)}, {{"group", group}});
    return g.value(x).producer;
  };
  const NodeId depthwise = layer({4, 1, 3, 3}, 4), twice = layer({8, 1, 1, 1}, 4);
  layer({16, 8, 3, 3}, 1);
  g.add_output(x);
  Planned planned(g, d);
  auto all_are_large = [&](NodeId n) {
    const std::vector<int32_t> q = unpack_integers(planned.plan.weights.at(n).integers);
    return std::ranges::count_if(q, [](int32_t i) { return std::abs(i) > 64; }) > 4;
  };
  CHECK(all_are_large(depthwise));
  CHECK(all_are_large(twice));  // one input, one tap: no second product
}

// What PMADDUBSW adds up: the products of two inputs that are neighbours in the order in which the engines' kernels
// take them. With an odd number of inputs neither all filters nor all engines have the same neighbours.
TEST_CASE("on x86 without VNNI no two products that are summed leave 16 bits") {
  for (const char* engine : {"onnxruntime", "openvino"}) {
    const Dialect d = dialect_for(engine, TargetCpu::kX86).value();
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 9, 9});
    auto layer = [&](const Shape& shape, int64_t group) {
      x = build(g, "Conv", {x, normal_constant(g, shape, 1)}, {{"group", group}});
    };
    layer({8, 3, 3, 3}, 1);
    layer({8, 8, 3, 3}, 1);
    layer({6, 4, 2, 1}, 2);
    layer({10, 3, 1, 1}, 2);
    x = build(g, "Flatten", {build(g, "GlobalAveragePool", {x})});
    x = build(g, "Gemm", {x, normal_constant(g, {9, 10}, 3)}, {{"transB", int64_t{1}}});
    x = build(g, "Gemm", {x, normal_constant(g, {9, 8}, 4)});
    g.add_output(build(g, "MatMul", {x, normal_constant(g, {8, 4}, 5)}));
    Planned planned(g, d);
    CHECK(planned.plan.weights.size() == 7);
    for (const auto& [n, w] : planned.plan.weights) {
      const Node& node = g.node(n);
      const Shape& shape = g.constant(node.inputs[1])->shape();
      const std::vector<int32_t> integers = unpack_integers(w.integers);
      const bool columns = node.is("MatMul") || (node.is("Gemm") && node.integer("transB", 0) == 0);
      int64_t taps = 1;
      for (size_t i = 2; i < shape.size(); ++i) taps *= shape[i];
      const int64_t inputs = shape[columns ? 0 : 1], outputs = shape[columns ? 1 : 0];
      auto weight = [&](int64_t o, int64_t i, int64_t t) {
        return i >= inputs ? 0 : integers[static_cast<size_t>(columns ? i * outputs + o : (o * inputs + i) * taps + t)];
      };
      auto check = [&](int32_t a, int32_t b) {
        const int64_t high = d.activations.high;
        REQUIRE(high * (std::max(a, 0) + std::max(b, 0)) <= 32767);
        REQUIRE(high * (std::min(a, 0) + std::min(b, 0)) >= -32768);
      };
      for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t i = 0; i < inputs * taps; ++i) {
          if (i / taps % 2 == 0) check(weight(o, i / taps, i % taps), weight(o, i / taps + 1, i % taps));
          if (inputs % 2 == 0 || taps == 1) continue;
          for (int64_t j = 0; j < i; ++j) check(weight(o, i / taps, i % taps), weight(o, j / taps, j % taps));
        }
      }
    }
  }
}

}  // namespace oree
