// SPDX-License-Identifier: Apache-2.0
// A change of a graph is proven by running it before and after. For tests only.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "model/ops/inference.h"
#include "model/ops/validate.h"
#include "model/reference/interpreter.h"
#include "optimize/quantize/samples_fixture.h"

namespace oree {

// Standard normal.
inline NamedTensors normal_inputs(const Graph& graph, uint64_t seed = 7) {
  NamedTensors inputs;
  for (ValueId v : graph.main().inputs) {
    Tensor t(Dtype::kFloat32, to_shape(*graph.value(v).dims));
    std::ranges::copy(normal_values(static_cast<size_t>(t.elements()), seed++), t.as<float>().begin());
    inputs.push_back({graph.value(v).name, std::move(t)});
  }
  return inputs;
}

inline NamedTensors run_graph(const Graph& graph, const NamedTensors& inputs) {
  Result<Interpreter> interpreter = Interpreter::create(graph);
  REQUIRE_MESSAGE(interpreter.ok(), (interpreter.ok() ? "" : interpreter.error().message()));
  Result<NamedTensors> outputs = interpreter->run(inputs);
  REQUIRE_MESSAGE(outputs.ok(), (outputs.ok() ? "" : outputs.error().message()));
  return std::move(outputs).value();
}

// Both graphs are valid and give the same outputs, but for that share of the largest element.
inline void check_same(const Graph& before, const Graph& after, double share = 0) {
  Status valid = validate(after);
  REQUIRE_MESSAGE(valid.ok(), (valid.ok() ? "" : valid.error().message()));
  NamedTensors inputs = normal_inputs(before);
  NamedTensors a = run_graph(before, inputs), b = run_graph(after, inputs);
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].name == b[i].name);
    REQUIRE(a[i].tensor.shape() == b[i].tensor.shape());
    std::vector<double> x = a[i].tensor.to_doubles(), y = b[i].tensor.to_doubles();
    double most = 0, gap = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      most = std::max(most, std::abs(x[k]));
      gap = std::max(gap, std::abs(x[k] - y[k]));
    }
    REQUIRE(std::isfinite(most));
    CHECK(gap <= share * most);
  }
}

inline int count(const Graph& graph, std::string_view op) {
  return static_cast<int>(std::ranges::count_if(graph.order(), [&](NodeId n) { return graph.node(n).is(op); }));
}

// Between the first outputs.
inline double squared_gap(const Graph& a, const Graph& b) {
  NamedTensors inputs = normal_inputs(a);
  std::vector<double> x = run_graph(a, inputs)[0].tensor.to_doubles(), y = run_graph(b, inputs)[0].tensor.to_doubles();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

inline ValueId normal_constant(Graph& graph, const Shape& shape, uint64_t seed, float deviation = 1) {
  auto n = static_cast<size_t>(shape_elements(shape).value());
  return graph.add_constant("c", Constant::of_floats(normal_values(n, seed, deviation), shape));
}

}  // namespace oree
