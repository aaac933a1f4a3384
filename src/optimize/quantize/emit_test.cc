// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/emit.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

Attributes padded() { return {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}; }

// Two convolutions, the first with a bias and a Relu; then a product of matrices.
Graph small_net(float bias = 1) {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, to_dims({1, 3, 8, 8}));
  ValueId a = g.add(
      "Relu",
      {g.add("Conv", {x, normal_constant(g, {8, 3, 3, 3}, 1, 0.3F), normal_constant(g, {8}, 2, bias)}, padded())});
  ValueId b = g.add("Conv", {a, normal_constant(g, {8, 8, 3, 3}, 3, 0.2F)}, padded());
  ValueId flat = g.add("Flatten", {b});
  ValueId y = g.add("Gemm", {flat, normal_constant(g, {10, 512}, 4, 0.1F), normal_constant(g, {10}, 5)},
                    {{"transB", int64_t{1}}});
  g.add_output(y);
  REQUIRE(infer_types(g).ok());
  return g;
}

// Statistics of the interpreter's own runs: of every value, on the inputs that check_same and squared_gap use.
Statistics seen(const Graph& graph, const std::vector<ValueId>& values) {
  Graph shown = graph;
  for (ValueId v : values) {
    if (graph.value(v).producer != kNoNode && !graph.is_output(v)) shown.add_output(v);
  }
  Statistics statistics;
  NamedTensors inputs = normal_inputs(graph);
  NamedTensors all = run_graph(shown, inputs);
  all.insert(all.end(), inputs.begin(), inputs.end());
  for (ValueId v : values) {
    for (const NamedTensor& t : all) {
      if (t.name != graph.value(v).name) continue;
      statistics[v].histogram.add(t.tensor.as<float>());
      statistics[v].samples = 1;
    }
  }
  return statistics;
}

Plan plan_of(const Graph& g, const Dialect& d) {
  GraphPlacement placement = place(g, d, {});
  Statistics statistics = seen(g, values_to_see(g, d, placement));
  PlanOptions options;
  options.ranges.method = RangeMethod::kMinMax;
  Result<Plan> plan = Planner(g, d, statistics, options).plan(placement);
  REQUIRE_MESSAGE(plan.ok(), (plan.ok() ? "" : plan.error().message()));
  return std::move(*plan);
}

Graph emitted(const Graph& g, const Plan& plan) {
  Graph out = g;
  REQUIRE(emit(out, plan).ok());
  return out;
}

size_t count(const Graph& g, std::string_view op) {
  return static_cast<size_t>(std::ranges::count_if(g.order(), [&](NodeId n) { return g.node(n).is(op); }));
}

TEST_CASE("in every dialect the result is valid, keeps its outputs and is near to float") {
  Graph g = small_net();
  for (const std::string& engine : dialect_engines()) {
    CAPTURE(engine);
    Dialect d = dialect_for(engine, TargetCpu::kVnni).value();
    check_same(g, emitted(g, plan_of(g, d)), 0.05);
  }
}

TEST_CASE("ONNX Runtime's last layer is a product of integers, scaled in float") {
  Graph g = small_net();
  Dialect d = dialect_for("onnxruntime", TargetCpu::kVnni).value();
  Plan plan = plan_of(g, d);
  Graph products = emitted(g, plan);
  CHECK(count(products, "MatMulInteger") == 1);
  CHECK(count(products, "Gemm") == 0);
  plan.dialect.leaving = Leaving::kHybrid;  // the same integers, written with DequantizeLinear
  check_same(products, emitted(g, plan), 1e-5);
}

TEST_CASE("a bias counts in steps of the products; one that 32 bits cannot hold gets its weights a coarser scale") {
  for (float bias : {1.0F, 3e6F}) {
    CAPTURE(bias);
    Graph g = small_net(bias);
    Dialect d = dialect_for("tflm").value();
    Plan plan = plan_of(g, d);
    plan.groups[static_cast<size_t>(plan.placement.group_of[static_cast<size_t>(g.main().inputs[0])])].scale = 1e-5F;
    Graph out = emitted(g, plan);
    bool found = false;
    for (NodeId n : out.order()) {
      if (!out.node(n).is("Conv") || out.node(n).input(2) == kNoValue) continue;
      const Node& dq = out.node(out.value(out.node(n).inputs[2]).producer);
      const Node& w = out.node(out.value(out.node(n).inputs[1]).producer);
      REQUIRE(dq.is("DequantizeLinear"));
      const Constant* integers = out.constant(dq.inputs[0]);
      REQUIRE(integers->dtype() == Dtype::kInt32);
      std::vector<double> q = integers->to_doubles(), scales = out.constant(dq.inputs[1])->to_doubles();
      std::vector<double> weight_scales = out.constant(w.inputs[1])->to_doubles();
      std::vector<float> real = normal_values(8, 2, bias);
      if (found || q.size() != 8) continue;
      found = true;
      for (size_t c = 0; c < q.size(); ++c) {
        CHECK(scales[c] == doctest::Approx(1e-5 * weight_scales[c]).epsilon(1e-6));
        CHECK(q[c] * scales[c] == doctest::Approx(static_cast<double>(real[c])).epsilon(1e-3));
      }
    }
    CHECK(found);
  }
}

TEST_CASE("without VNNI no sum of two products leaves 16 bits, whatever the activations are") {
  Graph g = small_net();
  for (const char* engine : {"onnxruntime", "openvino"}) {
    CAPTURE(engine);
    Plan plan = plan_of(g, dialect_for(engine, TargetCpu::kX86).value());
    REQUIRE(plan.dialect.activations.high == 255);
    int64_t largest = 0, smallest = 0;
    for (const auto& [node, weights] : plan.weights) {
      for (int32_t w : weights.integers) {
        largest = std::max<int64_t>(largest, w);
        smallest = std::min<int64_t>(smallest, w);
      }
    }
    CHECK(largest > 60);  // the range is used
    CHECK(2 * 255 * largest <= INT16_MAX);
    CHECK(2 * 255 * smallest >= INT16_MIN);
  }
}

TEST_CASE("a constant that is no number, and a value of which nothing was seen, are refused") {
  Graph g = small_net();
  Dialect d = dialect_for("onnxruntime", TargetCpu::kVnni).value();
  Statistics none;
  PlanOptions options;
  Result<Plan> plan = Planner(g, d, none, options).plan(place(g, d, {}));
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.error().code() == Code::kInvalid);
  CHECK(plan.error().message().find("nothing was seen") != std::string::npos);
  for (NodeId n : g.order()) {
    if (!g.node(n).is("Gemm")) continue;
    std::vector<float> broken(5120, 1.0F);
    broken[7] = NAN;
    g.set_input(n, 1, g.add_constant("broken", Constant::of_floats(broken, {10, 512})));
  }
  GraphPlacement placement = place(g, d, {});
  Statistics statistics = seen(g, values_to_see(g, d, placement));
  plan = Planner(g, d, statistics, options).plan(placement);
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.error().message().find("weight 7 is nan") != std::string::npos);
}

}  // namespace
}  // namespace oree
