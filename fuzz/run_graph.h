// SPDX-License-Identifier: Apache-2.0
// A hostile graph, run: it ends in outputs or in an error, within the limits that it is given. What it computes has the
// types that were inferred.
#pragma once

#include "model/ops/inference.h"
#include "model/ops/validate.h"
#include "model/reference/access.h"
#include "model/reference/interpreter.h"

namespace fuzz {

constexpr int64_t kInputElementsMax = 1 << 12;

// Small enough that a thousand runs take seconds.
inline oree::ReferenceLimits limits() {
  oree::ReferenceLimits l;
  l.value_bytes = 1 << 18;
  l.live_bytes = 1 << 22;
  l.node_steps = l.run_steps = 1 << 21;
  return l;
}

// Numbers on both sides of 0, whole and not.
inline oree::Result<oree::NamedTensors> inputs_of(const oree::Graph& graph) {
  oree::NamedTensors out;
  for (oree::ValueId id : graph.main().inputs) {
    const oree::Value& v = graph.value(id);
    oree::Shape shape = v.dims ? oree::to_shape(*v.dims) : oree::Shape{2};
    for (int64_t& d : shape) d = d < 0 ? 2 : d;
    OREE_TRY_ASSIGN(int64_t n, oree::shape_elements(shape));
    if (n > kInputElementsMax) return oree::Error(oree::Code::kExhausted, "a large input");
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<double>(i % 7) * 0.75 - (i % 3 == 0 ? 1 : 0));
    oree::Tensor t(v.dtype.value_or(oree::Dtype::kFloat32), shape);
    oree::narrow<double>(values, t);
    out.push_back({v.name, std::move(t)});
  }
  return out;
}

inline void check_type(const oree::Graph& graph, oree::ValueId id, const oree::Tensor& made) {
  const oree::Value& v = graph.value(id);
  if (v.dtype) OREE_ASSERT(*v.dtype == made.dtype());
  if (!v.dims) return;
  OREE_ASSERT(v.dims->size() == made.shape().size());
  for (size_t i = 0; i < v.dims->size(); ++i) {
    if ((*v.dims)[i].known()) OREE_ASSERT((*v.dims)[i].size == made.shape()[i]);
  }
}

inline void run_graph(oree::Graph& graph) {
  oree::forget_types(graph);  // what a file declares of a shape that hangs on data may be wrong
  if (!oree::infer_types(graph).ok()) return;
  OREE_ASSERT(oree::validate(graph).ok());
  oree::Result<oree::NamedTensors> inputs = inputs_of(graph);
  oree::Result<oree::Interpreter> interpreter = oree::Interpreter::create(graph, limits());
  if (!inputs.ok() || !interpreter.ok()) return;
  interpreter->observe([&](oree::ValueId id, const oree::Tensor& t) { check_type(graph, id, t); });
  for (int run = 0; run < 2; ++run) {  // the second with the states of the first
    if (!interpreter->run(*inputs).ok()) return;
  }
}

}  // namespace fuzz
