// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/onnx/onnx_downgrade.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"

namespace oree {
namespace {

Error unsupported(std::string text) { return Error(Code::kUnsupported, std::move(text)); }

Status check_domains(const Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    const Node& n = graph.node(id);
    if (n.domain == "tflite" || n.domain.starts_with("tflite.")) {
      return unsupported(fmt::format("{} '{}': an operator of TFLite that ONNX has not", n.op, n.name));
    }
  }
  return {};
}

// What a body gives out must be made in it, under a name of its own; so must the outputs of a model, each once.
void settle_outputs(Graph& graph) {
  for (size_t b = 0; b < graph.block_count(); ++b) {
    auto block = static_cast<BlockId>(b);
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    std::set<ValueId> seen;
    for (size_t i = 0; i < graph.block(block).outputs.size(); ++i) {
      ValueId id = graph.block(block).outputs[i];
      NodeId producer = graph.value(id).producer;
      bool here = block == kMainBlock || (producer != kNoNode && graph.node(producer).block == block);
      if (here && seen.insert(id).second) continue;
      ValueId copy = graph.add("Identity", {id}, {}, block, graph.value(id).name);
      graph.set_type(copy, graph.value(id).dtype, graph.value(id).dims);
      graph.set_output(block, i, copy);
    }
  }
}

Result<PreparedOnnx> prepare(const Model& model, int opset) {
  PreparedOnnx out;
  out.opset = opset;
  out.graph = model.graph;
  OREE_TRY(check_domains(out.graph));
  OREE_TRY(infer_types(out.graph));
  OREE_TRY(expand_quantization(out.graph));
  out.states = expose_states(out.graph);
  settle_outputs(out.graph);
  // The states' outputs are the last ones; one that is an output besides has a new name now.
  const std::vector<ValueId>& outputs = out.graph.main().outputs;
  size_t first = outputs.size() - out.states.size();
  for (size_t i = 0; i < out.states.size(); ++i) out.states[i].output = out.graph.value(outputs[first + i]).name;
  OREE_TRY(onnx_downgrade(out.graph, opset));
  return out;
}

}  // namespace

Result<PreparedOnnx> prepare_onnx(const Model& model, int opset) {
  const int first = opset == 0 ? kOnnxWriteUsual : opset;
  Result<PreparedOnnx> out = prepare(model, first);
  if (out.ok() || out.error().code() != Code::kUnsupported) return out;
  for (int higher = first + 1; higher <= kOnnxWriteMax; ++higher) {
    Result<PreparedOnnx> able = prepare(model, higher);
    if (!able.ok()) continue;
    if (opset == 0) return able;
    return unsupported(fmt::format("{} (opset {} would do)", out.error().message(), higher));
  }
  return out;
}

}  // namespace oree
