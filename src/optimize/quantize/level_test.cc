// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/level.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

using Sizes = std::map<ValueId, std::vector<double>>;

// Filters whose channels (of results) are of the sizes given, times what is normal.
ValueId uneven_conv(Graph& g, ValueId x, const std::vector<float>& sizes, int64_t groups, uint64_t seed) {
  const auto channels = static_cast<int64_t>(sizes.size());
  const Shape shape{channels, to_shape(*g.value(x).dims)[1] / groups, 1, 1};
  std::vector<float> weights = normal_values(static_cast<size_t>(channels * shape[1]), seed);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] *= sizes[i / static_cast<size_t>(shape[1])];
  std::vector<float> bias = normal_values(sizes.size(), seed + 50);
  for (size_t c = 0; c < bias.size(); ++c) bias[c] *= sizes[c];
  return build(g, "Conv",
               {x, g.add_constant("w", Constant::of_floats(weights, shape)),
                g.add_constant("b", Constant::of_floats(bias, {channels}))},
               {{"group", groups}});
}

ValueId clip(Graph& g, ValueId x, float low, float high) {
  return build(g, "Clip",
               {x, g.add_constant("low", Constant::scalar(low)), g.add_constant("high", Constant::scalar(high))});
}

std::vector<double> sizes_of(const Tensor& t) {
  const Shape& shape = t.shape();
  std::vector<double> sizes(static_cast<size_t>(shape[1]), 0);
  const std::vector<double> values = t.to_doubles();
  const size_t inner = static_cast<size_t>(shape[2] * shape[3]);
  for (size_t i = 0; i < values.size(); ++i) {
    double& size = sizes[i / inner % sizes.size()];
    size = std::max(size, std::abs(values[i]));
  }
  return sizes;
}

Sizes seen(const Graph& g, const NamedTensors& inputs) {
  Sizes sizes;
  Interpreter interpreter = Interpreter::create(g).value();
  const std::vector<ValueId> wanted = levelled_values(g);
  interpreter.observe([&](ValueId v, const Tensor& t) {
    if (std::ranges::find(wanted, v) != wanted.end()) sizes[v] = sizes_of(t);
  });
  REQUIRE(interpreter.run(inputs).ok());
  return sizes;
}

// Of largest to smallest channel, without those that are zero throughout.
double spread(std::vector<double> sizes) {
  std::erase(sizes, 0);
  return *std::ranges::max_element(sizes) / *std::ranges::min_element(sizes);
}

const std::vector<float> kUneven{1, 0.1f, 0.02f, 0.5f};

struct Net {
  Graph g;
  ValueId first, bounded, depthwise, rectified, second, third, sum, last;
  Net() {
    const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 6, 6});
    first = uneven_conv(g, x, kUneven, 1, 1);
    bounded = clip(g, first, 0, 6);
    depthwise = uneven_conv(g, bounded, {1, 1, 3, 1}, 4, 2);
    rectified = build(g, "Relu", {depthwise});
    second = uneven_conv(g, rectified, kUneven, 1, 3);
    third = uneven_conv(g, build(g, "Relu", {uneven_conv(g, second, {1, 1}, 1, 4)}), kUneven, 1, 5);
    sum = build(g, "Add", {second, third});
    last = uneven_conv(g, sum, {1, 1}, 1, 6);
    g.add_output(last);
  }
};

}  // namespace

TEST_CASE("levelled channels are of like size, and the graph computes the same") {
  Net net;
  const NamedTensors inputs = normal_inputs(net.g);
  const Sizes before = seen(net.g, inputs);
  Graph g = net.g;
  REQUIRE(level(g, before).value() == 4);
  check_same(net.g, g, 1e-5);
  const Sizes after = seen(g, inputs);
  for (ValueId v : {net.bounded, net.rectified, net.sum})
    CHECK(spread(after.at(v)) < std::pow(spread(before.at(v)), 0.7));
  LevelOptions whole;
  whole.share = 1;
  Graph even = net.g;
  REQUIRE(level(even, before, whole).ok());
  CHECK(spread(seen(even, inputs).at(net.rectified)) == doctest::Approx(1).epsilon(1e-4));
}

TEST_CASE("a channel below a Clip's end grows no further than to it, some room left") {
  Net net;
  const NamedTensors inputs = normal_inputs(net.g);
  const Sizes before = seen(net.g, inputs);
  LevelOptions whole;
  whole.share = 1;
  Graph g = net.g;
  REQUIRE(level(g, before, whole).ok());
  const std::vector<double> was = before.at(net.bounded), is = seen(g, inputs).at(net.bounded);
  for (size_t c = 0; c < is.size(); ++c) {
    CHECK(is[c] <= std::max(was[c], 6 / whole.headroom) * 1.0001);
    CHECK(is[c] >= was[c] * 0.9999);
  }
}

TEST_CASE("values that an Add ties have the same factors") {
  Net net;
  Graph g = net.g;
  REQUIRE(level(g, {{net.sum, {1, 0.25, 1, 1}}}).value() == 1);
  check_same(net.g, g, 1e-5);
  const NamedTensors inputs = normal_inputs(net.g);
  const Sizes before = seen(net.g, inputs), after = seen(g, inputs);
  for (ValueId v : {net.second, net.third, net.sum}) {
    CHECK(after.at(v)[1] == doctest::Approx(2 * before.at(v)[1]));  // the share's half of 4
    CHECK(after.at(v)[0] == doctest::Approx(before.at(v)[0]));
  }
}

TEST_CASE("what others see, and what does not commute with factors, stays as it is") {
  for (const char* op : {"Sigmoid", "Softmax", "HardSwish", "Flatten", "Clip"}) {
    CAPTURE(op);
    Graph g;
    const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 6, 6});
    const ValueId y = uneven_conv(g, x, kUneven, 1, 1);
    const bool clips = std::string_view(op) == "Clip";
    const ValueId z = clips ? clip(g, y, -1, 6) : build(g, op, {y});
    if (clips) g.add_output(uneven_conv(g, z, {1, 1}, 1, 2));
    g.add_output(z);
    CHECK(levelled_values(g).empty());
  }
  Net net;
  net.g.add_output(net.rectified);
  const std::vector<ValueId> values = levelled_values(net.g);
  CHECK(std::ranges::find(values, net.rectified) == values.end());
  CHECK(std::ranges::find(values, net.sum) != values.end());
}

TEST_CASE("sizes that are none are refused, and those of zeros leave a channel as it is") {
  Net net;
  for (const std::vector<double>& bad : {std::vector<double>{1, 2}, {1, 1, 1, -1}, {1, 1, 1, std::nan("")}}) {
    Graph g = net.g;
    CHECK(level(g, {{net.sum, bad}}).error().code() == Code::kInvalid);
  }
  Graph g = net.g;
  CHECK(level(g, {{net.sum, {0, 0, 0, 0}}}).value() == 0);
  CHECK(level(g, {{net.sum, {1, 0, 0.01, 1}}}).value() == 1);
  check_same(net.g, g, 1e-5);
}

}  // namespace oree
