// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/correct.h"

#include "optimize/quantize/emit.h"
#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

// Behind a Relu, so that what layers take has a mean; few levels, so that rounding shifts it.
Graph net(const char* last) {
  Graph g;
  ValueId x = build(g, "Relu", {conv(g, picture(g), 8, 1)});
  x = build(g, "Relu", {conv(g, x, 8, 2)});
  if (std::string_view(last) == "Conv") g.add_output(conv(g, x, 6, 3));
  if (std::string_view(last) == "Gemm") {
    ValueId flat =
        build(g, "Flatten", {build(g, "MaxPool", {x}, {{"kernel_shape", Ints{4, 4}}, {"strides", Ints{4, 4}}})});
    g.add_output(build(g, "Gemm", {flat, normal_constant(g, {32, 6}, 3)}));
  }
  return g;
}

Dialect coarse() {
  Dialect d = dialect("onnxruntime");
  d.weights = {Dtype::kInt8, -7, 7, true};
  return d;
}

// Over samples and places, by channel, of quantized minus float; from the reference interpreter.
std::vector<double> errors_of(const Graph& g, const Plan& plan, const std::vector<NamedTensors>& samples) {
  Graph q = g;
  REQUIRE(emit(q, plan).ok());
  ChannelValues wanted(samples.size()), found(samples.size());
  for (const NamedTensors& sample : samples) {
    REQUIRE(wanted.add(run_graph(g, sample)[0].tensor, false).ok());
    REQUIRE(found.add(run_graph(q, sample)[0].tensor, false).ok());
  }
  return error_by_levels(wanted, found);
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (double v : values) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

TEST_CASE(
    "the last layer's error, level by level, is next to nothing once its bias is corrected, with a bias or without "
    "one") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  for (const char* last : {"Conv", "Gemm"}) {
    CAPTURE(std::string(last));
    Graph g = net(last);
    Planned planned(g, coarse());
    const std::vector<NamedTensors> samples = some_samples(g, 4);
    Plan plan = planned.plan;
    double before = largest(errors_of(g, plan, samples));
    LayerValues wanted;
    REQUIRE(correct_last_biases(files, g, plan, samples, wanted, {2, folder.path}).ok());
    double after = largest(errors_of(g, plan, samples));
    MESSAGE("largest error: ", before, " before, ", after, " after");
    CHECK(after < before / 100);
    for (const auto& [n, w] : plan.weights) {  // the last layer's bias alone has changed
      bool is_last = g.node(n).outputs[0] == g.main().outputs[0];
      CHECK((w.bias == planned.plan.weights.at(n).bias) != is_last);
      CHECK(w.integers == planned.plan.weights.at(n).integers);
    }
  }
}

TEST_CASE("a last layer that stays in float takes the shift back, too") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g = net("Conv");
  const NodeId last = g.value(g.main().outputs[0]).producer;
  Planned planned(g, coarse());
  Plan plan = Planner(g, planned.d, planned.statistics, planned.options).plan(place(g, planned.d, {last})).value();
  const std::vector<NamedTensors> samples = some_samples(g, 4);
  double before = largest(errors_of(g, plan, samples));
  LayerValues wanted;
  REQUIRE(correct_last_biases(files, g, plan, samples, wanted, {2, folder.path}).ok());
  CHECK(plan.float_biases.contains(last));
  CHECK(largest(errors_of(g, plan, samples)) < before / 100);
}

TEST_CASE("by means alone, the shift of a layer without borders is the weights' rounding times the mean") {
  for (const char* op : {"Conv", "Gemm"}) {
    Graph g;
    bool matrix = op == std::string_view("Gemm");
    ValueId x = g.add_input("x", Dtype::kFloat32, matrix ? Dims{5, 4} : Dims{1, 4, 5, 5});
    ValueId w = normal_constant(g, matrix ? Shape{6, 4} : Shape{6, 2, 1, 1}, 1);
    Attributes attributes;
    if (matrix) attributes["transB"] = int64_t{1};
    if (!matrix) attributes["group"] = int64_t{2};
    g.add_output(build(g, op, {x, w}, attributes));
    Dialect d = coarse();
    d.tail = true;  // else so few weights stay in float
    Planned planned(g, d);
    REQUIRE(planned.plan.weights.size() == 1);
    Plan plan = planned.plan;
    const std::vector<double> means{1.5, -2, 0.25, 3};
    correct_biases_by_means(g, plan, {{x, means}});
    const LayerWeights& layer = plan.weights.begin()->second;
    REQUIRE(layer.bias.size() == 6);
    const std::vector<double> real = g.constant(w)->to_doubles(), integers = layer.integers.to_doubles();
    const size_t inputs = matrix ? 4 : 2;
    for (size_t c = 0; c < 6; ++c) {
      double shift = 0;
      for (size_t i = 0; i < inputs; ++i) {
        size_t at = c * inputs + i, from = matrix ? i : c / 3 * 2 + i;
        shift += (real[at] - integers[at] * static_cast<double>(layer.scales[c])) * means[from];
      }
      CHECK(static_cast<double>(layer.bias[c]) == doctest::Approx(shift).epsilon(1e-5));
    }
  }
}

}  // namespace oree
