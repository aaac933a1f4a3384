// SPDX-License-Identifier: Apache-2.0
// Small convolutional graphs, and plans of them from what the reference interpreter shows. For tests only.
#pragma once

#include "optimize/quantize/emit.h"
#include "optimize/quantize/graph_fixture.h"
#include "optimize/quantize/plan.h"

namespace oree {

using Ints = std::vector<int64_t>;

inline Dialect dialect(const char* engine) { return dialect_for(engine, TargetCpu::kVnni).value(); }

inline ValueId picture(Graph& g) { return g.add_input("x", Dtype::kFloat32, Dims{1, 4, 8, 8}); }

inline ValueId conv(Graph& g, ValueId x, int64_t to, uint64_t seed, std::string_view name = "") {
  int64_t from = to_shape(*g.value(x).dims)[1];
  return build(g, "Conv", {x, normal_constant(g, {to, from, 3, 3}, seed, 0.2f), normal_constant(g, {to}, seed + 100)},
               {{"pads", Ints{1, 1, 1, 1}}}, kMainBlock, name);
}

// What the values take over some normal inputs.
inline Statistics look(const Graph& graph, const std::vector<ValueId>& values) {
  Statistics statistics;
  Interpreter interpreter = Interpreter::create(graph).value();
  interpreter.observe([&](ValueId v, const Tensor& t) {
    if (std::ranges::find(values, v) == values.end()) return;
    TensorStatistics& s = statistics[v];
    s.histogram.add(t.as<float>());
    s.average = {s.histogram.min(), s.histogram.max()};
    ++s.samples;
  });
  for (uint64_t seed : {1, 2, 3}) REQUIRE(interpreter.run(normal_inputs(graph, seed)).ok());
  return statistics;
}

struct Planned {
  Dialect d;
  Statistics statistics;
  PlanOptions options;
  Plan plan;
  Planned(const Graph& g, const char* engine, PlanOptions how = {}) : Planned(g, dialect(engine), how) {}
  Planned(const Graph& g, const Dialect& a_dialect, PlanOptions how = {}) : d(a_dialect), options(how) {
    GraphPlacement placement = place(g, d, {});
    statistics = look(g, values_to_see(g, d, placement));
    Result<Plan> made = Planner(g, d, statistics, options).plan(std::move(placement));
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message()));
    plan = std::move(*made);
  }
  Affine affine(ValueId v) const {
    REQUIRE(plan.placement.quantized(v));
    return plan.groups[static_cast<size_t>(plan.placement.group_of[static_cast<size_t>(v)])];
  }
  Range taken(ValueId v) const { return covered(affine(v), d.activations); }
};

inline Graph emitted(const Graph& graph, const Plan& plan) {
  Graph g = graph;
  Status done = emit(g, plan);
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  Status valid = validate(g);
  REQUIRE_MESSAGE(valid.ok(), (valid.ok() ? "" : valid.error().message()));
  return g;
}

}  // namespace oree
