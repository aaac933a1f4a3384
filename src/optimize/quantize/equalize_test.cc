// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/equalize.h"

#include "optimize/quantize/graph_fixture.h"
#include "optimize/quantize/weights.h"

namespace oree {
namespace {

// Weights whose channels (along `axis`) differ in size by up to e^6.
ValueId uneven(Graph& g, const Shape& shape, size_t axis, uint64_t seed) {
  Tensor t(Dtype::kFloat32, shape);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  std::vector<float> sizes;
  for (int64_t c = 0; c < shape[axis]; ++c) sizes.push_back(static_cast<float>(std::exp(3 * next_normal(seed))));
  for (int64_t i = 0; i < t.elements(); ++i) {
    auto channel = static_cast<size_t>(i / inner % shape[axis]);
    t.as<float>()[static_cast<size_t>(i)] = 0.2f * sizes[channel] * static_cast<float>(next_normal(seed));
  }
  return g.add_constant("w", Constant(std::move(t)));
}

ValueId small(Graph& g, int64_t n, uint64_t seed) { return normal_constant(g, {n}, seed, 0.01f); }

Attributes grouped(int64_t groups, int64_t pad = 0) {
  return {{"group", groups}, {"pads", std::vector<int64_t>{pad, pad, pad, pad}}};
}

// Largest sizes of a constant's slices along an axis.
std::vector<double> slice_sizes(const Graph& g, ValueId v, size_t axis) {
  const Shape shape = g.constant(v)->shape();
  std::vector<double> values = g.constant(v)->to_doubles(), sizes(static_cast<size_t>(shape[axis]), 0);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  for (size_t i = 0; i < values.size(); ++i) {
    double& s = sizes[static_cast<size_t>(static_cast<int64_t>(i) / inner % shape[axis])];
    s = std::max(s, std::abs(values[i]));
  }
  return sizes;
}

std::vector<ValueId> weights_in_order(const Graph& g) {
  std::vector<ValueId> found;
  for (NodeId n : g.order()) {
    if (g.node(n).is("Conv") || g.node(n).is("Gemm")) found.push_back(g.node(n).inputs[1]);
  }
  return found;
}

void check_equal_sizes(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(0.01));
}

int equalized(Graph& g) {
  Graph before = g;
  int pairs = equalize(g).value();
  check_same(before, g, 1e-5);
  return pairs;
}

// The graph with every weight as integers of one scale a layer.
Graph coarse(const Graph& graph) {
  Graph g = graph;
  for (NodeId n : g.order()) {
    if (!g.node(n).is("Conv")) continue;
    const Tensor w = g.constant(g.node(n).inputs[1])->to_tensor();
    IntegerGrid grid = symmetric_int8_grid();
    std::vector<float> scales = weight_scales(w.as<float>(), w.shape(), -1, grid).value();
    std::vector<int32_t> q = quantize_weights(w.as<float>(), w.shape(), -1, scales, grid);
    std::vector<float> back = dequantize_weights(q, w.shape(), -1, scales);
    g.set_input(n, 1, g.add_constant("coarse", Constant::of_floats(back, w.shape())));
  }
  return g;
}

}  // namespace

TEST_CASE("two convolutions share the sizes of the channels between them and compute the same") {
  for (const char* between : {"Relu", "LeakyRelu", "MaxPool", "AveragePool", ""}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 9, 9});
    ValueId y = build(g, "Conv", {x, uneven(g, {8, 3, 3, 3}, 0, 1), small(g, 8, 2)});
    bool pool = std::string_view(between).ends_with("Pool");
    Attributes window;
    if (pool) window["kernel_shape"] = std::vector<int64_t>{2, 2};
    if (*between != 0) y = build(g, between, {y}, window);
    g.add_output(build(g, "Conv", {y, uneven(g, {5, 8, 3, 3}, 1, 3)}));
    CAPTURE(between);
    CHECK(equalized(g) == 1);
    std::vector<ValueId> w = weights_in_order(g);
    // Equal but where a bias holds a channel down; these biases are small and hold few.
    std::vector<double> given = slice_sizes(g, w[0], 0), taken = slice_sizes(g, w[1], 1);
    int equal = 0;
    for (size_t c = 0; c < given.size(); ++c) equal += std::abs(given[c] / taken[c] - 1) < 0.01;
    CHECK(equal >= 5);
  }
}

TEST_CASE("of expand, depthwise and project all three have the same sizes in the end") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4, 6, 6});
  ValueId slope = g.add_constant(
      "slope", Constant::of_floats(std::vector<float>{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 2, 1, 0}, {8, 1, 1}));
  ValueId y = build(g, "PRelu", {build(g, "Conv", {x, uneven(g, {8, 4, 1, 1}, 0, 5)}), slope});
  y = build(g, "Relu", {build(g, "Conv", {y, uneven(g, {8, 1, 3, 3}, 0, 6)}, grouped(8, 1))});
  g.add_output(build(g, "Conv", {y, uneven(g, {4, 8, 1, 1}, 1, 7)}));
  CHECK(equalized(g) == 2);
  std::vector<ValueId> w = weights_in_order(g);
  check_equal_sizes(slice_sizes(g, w[0], 0), slice_sizes(g, w[1], 0));
  check_equal_sizes(slice_sizes(g, w[1], 0), slice_sizes(g, w[2], 1));
}

TEST_CASE("the three sizes are the cube root of their product, as for one pair the square root") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 1, 3, 3});
  auto one = [&](float v) { return g.add_constant("w", Constant::of_floats(std::vector<float>{v}, {1, 1, 1, 1})); };
  ValueId y = build(g, "Relu", {build(g, "Conv", {x, one(8)})});
  g.add_output(build(g, "Conv", {build(g, "Relu", {build(g, "Conv", {y, one(-27)})}), one(0.125f)}));
  CHECK(equalized(g) == 2);
  for (ValueId w : weights_in_order(g))
    CHECK(std::abs(g.constant(w)->to_doubles()[0]) == doctest::Approx(3).epsilon(0.01));
}

TEST_CASE("convolutions in groups, multiplied depthwise ones too, have each input where it lies") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4, 5, 5});
  ValueId y = build(g, "Relu", {build(g, "Conv", {x, uneven(g, {6, 2, 1, 1}, 0, 11), small(g, 6, 12)}, grouped(2))});
  y = build(g, "Relu", {build(g, "Conv", {y, uneven(g, {12, 1, 3, 3}, 0, 13), small(g, 12, 14)}, grouped(6))});
  g.add_output(build(g, "Conv", {y, uneven(g, {9, 4, 2, 2}, 1, 15)}, grouped(3)));
  CHECK(equalized(g) == 2);
}

TEST_CASE("matrices, turned or not, are layers too") {
  for (int64_t turned : {0, 1}) {
    for (int64_t turned_too : {0, 1}) {
      Graph g;
      ValueId x = g.add_input("x", Dtype::kFloat32, Dims{3, 5});
      ValueId w = turned != 0 ? uneven(g, {7, 5}, 0, 1) : uneven(g, {5, 7}, 1, 1);
      ValueId y = build(g, "Gemm", {x, w, small(g, 7, 3)}, {{"transB", turned}, {"beta", 2.0f}});
      ValueId v = turned_too != 0 ? uneven(g, {4, 7}, 1, 2) : uneven(g, {7, 4}, 0, 2);
      g.add_output(build(g, "Gemm", {build(g, "Relu", {y}), v}, {{"transB", turned_too}, {"alpha", 0.5f}}));
      CHECK(equalized(g) == 1);
    }
  }
}

TEST_CASE("nothing changes across what does not commute, or where someone else looks") {
  auto net = [](auto between) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 5, 5});
    ValueId y = between(g, build(g, "Conv", {x, uneven(g, {4, 3, 1, 1}, 0, 1)}));
    g.add_output(build(g, "Conv", {y, uneven(g, {2, 4, 1, 1}, 1, 2)}));
    Graph before = g;
    CHECK(equalize(g).value() == 0);
    check_same(before, g);
  };
  auto number = [](Graph& g, float v) { return g.add_constant("n", Constant::scalar(v)); };
  net([&](Graph& g, ValueId v) { return build(g, "Clip", {v, number(g, 0), number(g, 6)}); });
  net([&](Graph& g, ValueId v) { return build(g, "Sigmoid", {v}); });
  net([&](Graph& g, ValueId v) { return build(g, "HardSwish", {v}); });
  net([&](Graph& g, ValueId v) { return build(g, "Add", {v, number(g, 1)}); });
  net([&](Graph& g, ValueId v) { return build(g, "Transpose", {v}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}); });
  net([&](Graph& g, ValueId v) {
    g.add_output(v);
    return build(g, "Relu", {v});
  });
  net([&](Graph& g, ValueId v) {
    ValueId y = build(g, "Relu", {v});
    g.add_output(build(g, "Neg", {y}));
    return y;
  });
  net([&](Graph& g, ValueId v) {
    // As a slope, which may be negative and is no factor of what comes out.
    return build(g, "PRelu", {normal_constant(g, {1, 4, 5, 5}, 9), v});
  });
}

TEST_CASE("weights that are computed, and weights that are no numbers, are left alone") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 2, 3, 3});
  ValueId w = g.add_input("w", Dtype::kFloat32, Dims{4, 2, 1, 1});
  ValueId y = build(g, "Relu", {build(g, "Conv", {x, w})});
  y = build(g, "Relu", {build(g, "Conv", {y, uneven(g, {3, 4, 1, 1}, 1, 2)})});
  ValueId bad = g.add_constant("bad", Constant::of_floats(std::vector<float>(6, std::nanf("")), {2, 3, 1, 1}));
  g.add_output(build(g, "Conv", {y, bad}));
  CHECK(equalize(g).value() == 0);
}

TEST_CASE("a constant that two layers share stays as it is for the other one") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 5, 5});
  ValueId shared = uneven(g, {3, 3, 1, 1}, 0, 1);
  ValueId y = build(g, "Relu", {build(g, "Conv", {x, shared})});
  y = build(g, "Sigmoid", {build(g, "Conv", {y, uneven(g, {3, 3, 1, 1}, 1, 2)})});
  g.add_output(build(g, "Conv", {y, shared}));
  CHECK(equalized(g) == 1);
}

TEST_CASE("a channel of zeros keeps its bias, and no bias outgrows the largest") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 1, 2, 2});
  auto make = [&](std::vector<float> v, Shape s) { return g.add_constant("c", Constant::of_floats(v, std::move(s))); };
  ValueId y = build(g, "Conv", {x, make({1, 0, 1e-6f, 1e-6f}, {4, 1, 1, 1}), make({1, 3, 0.5f, 1e-4f}, {4})});
  g.add_output(build(g, "Conv", {build(g, "Relu", {y}), make({1, 1, 1, 1}, {1, 4, 1, 1})}));
  CHECK(equalized(g) == 1);
  std::vector<double> bias;
  for (NodeId n : g.order()) {
    if (g.node(n).input(2) != kNoValue) bias = g.constant(g.node(n).inputs[2])->to_doubles();
  }
  REQUIRE(bias.size() == 4);
  CHECK(bias[1] == 3);
  CHECK(bias[2] == doctest::Approx(3));    // would have been 500
  CHECK(bias[3] == doctest::Approx(0.1));  // factor_max
}

TEST_CASE("one scale a layer for all weights costs a tenth, or less, of what it did") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 8, 8, 8});
  ValueId y = build(g, "Relu", {build(g, "Conv", {x, uneven(g, {16, 8, 1, 1}, 0, 31)})});
  y = build(g, "Relu", {build(g, "Conv", {y, uneven(g, {16, 1, 3, 3}, 0, 32)}, grouped(16))});
  g.add_output(build(g, "Conv", {y, uneven(g, {8, 16, 1, 1}, 1, 33)}));
  Graph before = g;
  CHECK(equalized(g) == 2);
  double was = squared_gap(before, coarse(before)), is = squared_gap(before, coarse(g));
  MESSAGE("squared error with one scale a layer: ", was, " before, ", is, " after");
  CHECK(is < was / 10);
}

}  // namespace oree
