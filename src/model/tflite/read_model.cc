// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/inference.h"
#include "model/ops/validate.h"
#include "model/passes/passes.h"
#include "model/tflite/raise.h"

namespace oree {

namespace {

// What a run leaves must be what the next one can begin with.
Status check_states(const Graph& graph) {
  for (const State& s : graph.states()) {
    const Value& after = graph.value(s.output);
    std::optional<Shape> shape = after.dims ? known_shape(*after.dims) : std::nullopt;
    if ((after.dtype && *after.dtype != s.initial.dtype()) || (shape && *shape != s.initial.shape())) {
      return Error(Code::kUnsupported, fmt::format("variable '{}', whose type changes", s.name));
    }
  }
  return {};
}

}  // namespace

Result<Model> read_tflite_model(ByteView file, std::shared_ptr<const void> owner) {
  OREE_TRY_ASSIGN(Model model, read_tflite_nodes(file, std::move(owner)));
  OREE_TRY(raise_tflite(model.graph));
  OREE_TRY(validate(model.graph));
  OREE_TRY(infer_types(model.graph));
  OREE_TRY(check_states(model.graph));
  // Weights that were given another layout leave the old ones behind.
  Result<int> removed = remove_dead(model.graph);
  if (!removed.ok()) return removed.error();
  return model;
}

Status raise_quantized_tflite(Graph& graph) {
  auto quantized = [&](ValueId v) { return v != kNoValue && graph.value(v).quantization.has_value(); };
  bool any = std::ranges::any_of(graph.all_nodes(), [&](NodeId id) {
    const Node& n = graph.node(id);
    return n.domain == kTfliteDomain &&
           (std::ranges::any_of(n.inputs, quantized) || std::ranges::any_of(n.outputs, quantized));
  });
  if (!any) return {};
  for (NodeId id : graph.all_nodes()) {
    // Kernels of integers cut at the ends of their type alone, whatever the option says.
    const Node& n = graph.node(id);
    if (n.domain == kTfliteDomain && n.op == "SVDF" && quantized(n.input(0))) {
      graph.set_attribute(id, "fused_activation_function", kTfliteNoActivation);
    }
  }
  Result<int> expanded = expand_quantization(graph);
  if (!expanded.ok()) return expanded.error();
  OREE_TRY(raise_tflite(graph));
  OREE_TRY(validate(graph));
  return infer_types(graph);
}

}  // namespace oree
