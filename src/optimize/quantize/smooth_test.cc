// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/smooth.h"

#include "optimize/quantize/affine.h"
#include "optimize/quantize/graph_fixture.h"
#include "optimize/quantize/weights.h"

namespace oree {
namespace {

constexpr int64_t kChannels = 16;

// Scales of a normalisation as trained ones are: two channels a hundred times as large as the others.
ValueId uneven(Graph& g, const Shape& shape, uint64_t seed) {
  std::vector<float> values = normal_values(static_cast<size_t>(kChannels), seed);
  for (float& v : values) v = 0.5f + std::abs(v);
  values[3] *= 100;
  values[11] *= -60;
  return g.add_constant("scale", Constant::of_floats(values, shape));
}

ValueId tokens(Graph& g) { return g.add_input("x", Dtype::kFloat32, Dims{2, 5, kChannels}); }

// The largest size of each channel over the inputs of the tests.
std::vector<double> sizes_of(const Graph& graph, ValueId v) {
  std::vector<double> sizes(static_cast<size_t>(kChannels), 0);
  Interpreter interpreter = Interpreter::create(graph).value();
  interpreter.observe([&](ValueId seen, const Tensor& t) {
    if (seen != v) return;
    std::vector<double> x = t.to_doubles();
    for (size_t i = 0; i < x.size(); ++i) {
      double& s = sizes[i % static_cast<size_t>(kChannels)];
      s = std::max(s, std::abs(x[i]));
    }
  });
  REQUIRE(interpreter.run(normal_inputs(graph)).ok());
  return sizes;
}

int smoothed(Graph& g, ValueId v, const SmoothOptions& options = {}) {
  Graph before = g;
  int n = smooth(g, {{v, sizes_of(g, v)}}, options).value();
  check_same(before, g, 1e-5);
  return n;
}

double spread(const std::vector<double>& sizes) {
  return *std::ranges::max_element(sizes) / *std::ranges::min_element(sizes);
}

// The graph with the value as int8 of one scale, and the layers' weights as int8 of one a channel.
Graph quantized(const Graph& graph, ValueId v) {
  Graph g = graph;
  std::vector<double> sizes = sizes_of(graph, v);
  double most = *std::ranges::max_element(sizes);
  Affine affine = affine_for({-most, most}, symmetric_int8_grid());
  std::vector<NodeId> users = g.value(v).users;
  ValueId scale = g.add_constant("s", Constant::scalar(affine.scale));
  ValueId zero = g.add_constant("z", Constant(Tensor(Dtype::kInt8, {})));
  ValueId back = build(g, "DequantizeLinear", {build(g, "QuantizeLinear", {v, scale, zero}), scale, zero});
  for (NodeId user : users) {
    const Tensor w = g.constant(g.node(user).inputs[1])->to_tensor();
    IntegerGrid grid = symmetric_int8_grid();
    std::vector<float> scales = weight_scales(w.as<float>(), w.shape(), 1, grid).value();
    std::vector<int32_t> q = quantize_weights(w.as<float>(), w.shape(), 1, scales, grid);
    std::vector<float> real = dequantize_weights(q, w.shape(), 1, scales);
    g.set_input(user, 1, g.add_constant("w", Constant::of_floats(real, w.shape())));
    g.set_input(user, 0, back);
  }
  return g;
}

}  // namespace

TEST_CASE("a layer norm shares its outliers with all the matrices behind it") {
  Graph g;
  ValueId x = tokens(g);
  ValueId v = build(g, "LayerNormalization", {x, uneven(g, {kChannels}, 1), normal_constant(g, {kChannels}, 2)});
  for (uint64_t seed : {3, 4, 5}) g.add_output(build(g, "MatMul", {v, normal_constant(g, {kChannels, 8}, seed, 0.1f)}));
  double was = spread(sizes_of(g, v));
  CHECK(smoothed(g, v) == 1);
  CHECK(spread(sizes_of(g, v)) < 2 * std::sqrt(was));
  for (NodeId n : g.order()) {
    if (!g.node(n).is("LayerNormalization")) continue;
    CHECK(g.node(n).inputs.size() == 3);
    CHECK(g.all_nodes().size() == 4);  // nothing was inserted
  }
}

TEST_CASE("sizes are shared as s = max|x|^a / max|w|^(1 - a) says") {
  for (double share : {0.0, 0.3, 0.5, 1.0}) {
    Graph g;
    ValueId v = build(g, "LayerNormalization", {tokens(g), uneven(g, {kChannels}, 1)});
    ValueId w = normal_constant(g, {kChannels, 8}, 3, 0.1f);
    g.add_output(build(g, "MatMul", {v, w}));
    std::vector<double> x = sizes_of(g, v), weights = g.constant(w)->to_doubles();
    CHECK(smoothed(g, v, {.share = share}) == 1);
    std::vector<double> after = sizes_of(g, v);
    for (size_t c = 0; c < x.size(); ++c) {
      double most = 0;
      for (size_t j = 0; j < 8; ++j) most = std::max(most, std::abs(weights[c * 8 + j]));
      double wanted = x[c] / (std::pow(x[c], share) / std::pow(most, 1 - share));
      CHECK(after[c] == doctest::Approx(wanted).epsilon(1e-4));
    }
  }
}

TEST_CASE("what else scales a channel takes the factors too: RMS norms, Mul, Mul and Add, with layers of either kind") {
  auto check = [](auto make) {
    for (int64_t turned : {-1, 0, 1}) {
      Graph g;
      ValueId x = g.add_input("x", Dtype::kFloat32, Dims{6, kChannels});
      ValueId v = make(g, x);
      Shape shape = turned == 1 ? Shape{8, kChannels} : Shape{kChannels, 8};
      ValueId w = normal_constant(g, shape, 3, 0.1f);
      g.add_output(turned < 0 ? build(g, "MatMul", {v, w})
                              : build(g, "Gemm", {v, w, normal_constant(g, {8}, 4)}, {{"transB", turned}}));
      double was = spread(sizes_of(g, v));
      CHECK(smoothed(g, v) == 1);
      CHECK(spread(sizes_of(g, v)) < was / 2);
    }
  };
  check([](Graph& g, ValueId x) { return build(g, "RMSNormalization", {x, uneven(g, {kChannels}, 1)}); });
  check([](Graph& g, ValueId x) { return build(g, "Mul", {x, uneven(g, {1, kChannels}, 1)}); });
  check([](Graph& g, ValueId x) { return build(g, "Mul", {uneven(g, {kChannels}, 1), x}); });
  check([](Graph& g, ValueId x) {
    ValueId y = build(g, "Mul", {x, uneven(g, {kChannels}, 1)});
    return build(g, "Add", {normal_constant(g, {kChannels}, 5), y});
  });
  check([](Graph& g, ValueId x) {
    ValueId y = build(g, "LayerNormalization", {x, uneven(g, {kChannels}, 1)}, {{"axis", int64_t{1}}});
    return build(g, "Add", {y, g.add_constant("n", Constant::scalar(0.25f))});
  });
}

TEST_CASE("one number for all channels becomes one for each") {
  Graph g;
  ValueId bias = uneven(g, {kChannels}, 1);
  ValueId y = build(g, "Mul", {tokens(g), g.add_constant("n", Constant::scalar(2.0f))});
  ValueId v = build(g, "Add", {y, bias});
  g.add_output(build(g, "MatMul", {v, normal_constant(g, {kChannels, 8}, 3)}));
  CHECK(smoothed(g, v) == 1);
}

TEST_CASE("constants that others share stay as they are for these") {
  Graph g;
  ValueId x = tokens(g), scale = uneven(g, {kChannels}, 1), w = normal_constant(g, {kChannels, 8}, 3);
  ValueId v = build(g, "LayerNormalization", {x, scale});
  g.add_output(build(g, "MatMul", {v, w}));
  g.add_output(build(g, "MatMul", {x, w}));
  g.add_output(build(g, "Mul", {x, scale}));
  CHECK(smoothed(g, v) == 1);
}

TEST_CASE("a value stays as it is where anyone else sees it, or nothing before it can take the factors") {
  auto untouched = [](auto make) {
    Graph g;
    ValueId x = tokens(g);
    ValueId v = make(g, x);
    g.add_output(build(g, "MatMul", {v, normal_constant(g, {kChannels, 8}, 3)}));
    CHECK(smoothed(g, v) == 0);
  };
  auto norm = [](Graph& g, ValueId x) { return build(g, "LayerNormalization", {x, uneven(g, {kChannels}, 1)}); };
  untouched([](Graph&, ValueId x) { return x; });
  untouched([](Graph& g, ValueId x) { return build(g, "Gelu", {x}); });
  untouched([](Graph& g, ValueId x) { return build(g, "Add", {x, uneven(g, {kChannels}, 1)}); });
  untouched([](Graph& g, ValueId x) { return build(g, "Mul", {x, normal_constant(g, {5, 1}, 1)}); });
  untouched([&](Graph& g, ValueId x) {
    ValueId v = norm(g, x);
    g.add_output(v);
    return v;
  });
  untouched([&](Graph& g, ValueId x) {  // as where the norm comes last, and goes round the block too
    ValueId v = norm(g, x);
    g.add_output(build(g, "Add", {v, x}));
    return v;
  });
  untouched([&](Graph& g, ValueId x) {
    ValueId v = norm(g, x);
    g.add_output(build(g, "MatMul", {v, build(g, "Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}})}));
    return v;
  });
  untouched([&](Graph& g, ValueId x) {
    ValueId y = norm(g, x);
    g.add_output(build(g, "Neg", {y}));
    return build(g, "Add", {y, normal_constant(g, {kChannels}, 5)});
  });
  untouched([](Graph& g, ValueId x) {
    return build(g, "LayerNormalization", {x, normal_constant(g, {5, kChannels}, 1)}, {{"axis", int64_t{1}}});
  });
}

TEST_CASE("sizes that are not as many as channels, or no sizes, are refused by the value's name") {
  Graph g;
  ValueId v = build(g, "LayerNormalization", {tokens(g), uneven(g, {kChannels}, 1)}, {}, kMainBlock, "normed");
  g.add_output(build(g, "MatMul", {v, normal_constant(g, {kChannels, 8}, 3)}));
  for (const std::vector<double>& sizes :
       {std::vector<double>(3, 1.0), std::vector<double>(16, -1.0), std::vector<double>(16, std::nan(""))}) {
    PassResult result = smooth(g, {{v, sizes}});
    REQUIRE(!result.ok());
    CHECK(result.error().code() == Code::kInvalid);
    CHECK(result.error().message().find("'normed'") != std::string::npos);
  }
  // Channels that were never anything but zero keep their weights.
  CHECK(smooth(g, {{v, std::vector<double>(16, 0.0)}}).value() == 0);
}

TEST_CASE("with eight bits the layers come ten times as near to what they give in float") {
  Graph g;
  ValueId v = build(g, "LayerNormalization", {tokens(g), uneven(g, {kChannels}, 1)});
  // Weights have learnt to take large channels back.
  ValueId large = normal_constant(g, {kChannels, 8}, 3, 0.5f);
  std::vector<float> w;
  for (double x : g.constant(large)->to_doubles()) w.push_back(static_cast<float>(x));
  for (size_t j = 0; j < 8; ++j) {
    w[3 * 8 + j] /= 50;
    w[11 * 8 + j] /= 50;
  }
  g.add_output(build(g, "MatMul", {v, g.add_constant("w", Constant::of_floats(w, {kChannels, 8}))}));
  Graph before = g;
  CHECK(smoothed(g, v) == 1);
  double was = squared_gap(before, quantized(before, v)), is = squared_gap(before, quantized(g, v));
  MESSAGE("squared error with eight bits: ", was, " before, ", is, " after");
  CHECK(is < was / 10);
}

}  // namespace oree
