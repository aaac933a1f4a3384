// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

}  // namespace oree
