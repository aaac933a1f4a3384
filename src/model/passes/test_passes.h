// SPDX-License-Identifier: Apache-2.0
// A pass is proven by running before and after. For tests only.
#pragma once

#include <doctest/doctest.h>

#include <cmath>

#include "model/ops/inference.h"
#include "model/ops/validate.h"
#include "model/passes/passes.h"
#include "model/reference/interpreter.h"

namespace oree {

inline Tensor test_tensor(Dtype dtype, const Shape& shape, uint32_t seed) {
  Tensor t(dtype, shape);
  for (int64_t i = 0; i < t.elements(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    auto k = static_cast<size_t>(i);
    if (dtype == Dtype::kFloat32) t.as<float>()[k] = static_cast<float>(seed >> 8) / 8388608.0f * 4 - 4;
    if (dtype == Dtype::kInt64) t.as<int64_t>()[k] = seed % 5;
    if (dtype == Dtype::kInt32) t.as<int32_t>()[k] = static_cast<int32_t>(seed % 5);
    if (dtype == Dtype::kBool) t.data()[k] = seed & 1;
  }
  return t;
}

inline Constant random_constant(Shape shape, uint32_t seed) {
  return Constant(test_tensor(Dtype::kFloat32, shape, seed));
}

inline NamedTensors test_inputs(const Graph& graph, uint32_t seed = 7) {
  NamedTensors inputs;
  for (ValueId v : graph.main().inputs) {
    Shape shape = to_shape(*graph.value(v).dims);
    for (int64_t& d : shape) d = d < 0 ? 2 : d;
    inputs.push_back({graph.value(v).name, test_tensor(*graph.value(v).dtype, shape, seed++)});
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

inline size_t count_nodes(const Graph& graph, std::string_view op) {
  size_t n = 0;
  for (NodeId id : graph.all_nodes()) n += graph.node(id).is(op);
  return n;
}

// Both graphs are valid, have outputs of the same names, and compute the same (to the largest difference allowed).
inline void check_same(const Graph& before, const Graph& after, double tolerance = 0) {
  Status valid = validate(after);
  REQUIRE_MESSAGE(valid.ok(), (valid.ok() ? "" : valid.error().message()));
  NamedTensors inputs = test_inputs(before);
  NamedTensors a = run_graph(before, inputs), b = run_graph(after, inputs);
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].name == b[i].name);
    CHECK(a[i].tensor.shape() == b[i].tensor.shape());
    CHECK(a[i].tensor.dtype() == b[i].tensor.dtype());
    std::vector<double> x = a[i].tensor.to_doubles(), y = b[i].tensor.to_doubles();
    double worst = 0;
    for (size_t k = 0; k < std::min(x.size(), y.size()); ++k) {
      double gap = std::abs(x[k] - y[k]);
      worst = std::max(worst, std::isnan(x[k]) && std::isnan(y[k]) ? 0 : gap);
    }
    CHECK(worst <= tolerance);
  }
}

}  // namespace oree
