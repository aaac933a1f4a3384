// SPDX-License-Identifier: Apache-2.0
// IF and WHILE. TFLite's bodies have inputs of their own; ONNX's use the values around them.
#include "model/tflite/copy_block.h"
#include "model/tflite/raise.h"

namespace oree {
namespace {

Status raise_if(Raise& r) {
  OREE_TRY(r.want(1, 0));
  if (r.node().blocks.size() != 2) return r.unsupported("its bodies were raised before");
  Graph& graph = r.graph();
  for (const auto& [name, body] : r.node().blocks) {
    if (graph.block(body).inputs.size() + 1 != r.node().inputs.size() ||
        graph.block(body).outputs.size() != r.node().outputs.size()) {
      return r.invalid("a body has another number of inputs or outputs");
    }
  }
  NodeId id = r.add_node("If", {r.in(0)}, r.node().outputs);
  for (const auto& [name, body] : r.node().blocks) {
    ValueMapping mapping;
    std::vector<ValueId> inputs = graph.block(body).inputs;
    for (size_t i = 0; i < inputs.size(); ++i) mapping[inputs[i]] = r.in(i + 1);
    BlockId branch = graph.add_block(id, name + "_branch");
    copy_block(graph, body, branch, mapping);
    for (ValueId v : std::vector(graph.block(body).outputs)) graph.add_output(mapped(mapping, v), branch);
  }
  return {};
}

// ONNX's Loop looks at the condition after the body, TFLite before it: the condition is computed once before the loop
// and then at the end of each turn.
Status raise_while(Raise& r) {
  Graph& graph = r.graph();
  const Node& node = r.node();
  if (node.blocks.size() != 2) return r.unsupported("its bodies were raised before");
  BlockId condition = node.blocks[0].second, body = node.blocks[1].second;
  size_t n = node.inputs.size();
  if (graph.block(condition).inputs.size() != n || graph.block(condition).outputs.size() != 1 ||
      graph.block(body).inputs.size() != n || graph.block(body).outputs.size() != n || node.outputs.size() != n) {
    return r.invalid("a body has another number of inputs or outputs");
  }
  OREE_TRY(r.want(n, n));
  std::vector<ValueId> conditions = graph.block(condition).inputs, variables = graph.block(body).inputs;
  ValueMapping first;
  for (size_t i = 0; i < n; ++i) first[conditions[i]] = r.in(i);
  size_t before = graph.node_count();
  copy_block(graph, condition, node.block, first);
  r.adopt_nodes_since(before);
  std::vector<ValueId> inputs{kNoValue, mapped(first, graph.block(condition).outputs[0])};
  inputs.insert(inputs.end(), node.inputs.begin(), node.inputs.end());
  NodeId id = r.add_node("Loop", std::move(inputs), node.outputs);
  BlockId loop = graph.add_block(id, "body");
  graph.add_input("turn", Dtype::kInt64, Dims{}, loop);
  graph.add_input("go_on", Dtype::kBool, Dims{}, loop);
  ValueMapping inside, again;
  for (ValueId v : variables) inside[v] = add_input_like(graph, v, loop);
  copy_block(graph, body, loop, inside);
  std::vector<ValueId> results = graph.block(body).outputs;
  for (size_t i = 0; i < n; ++i) again[conditions[i]] = mapped(inside, results[i]);
  copy_block(graph, condition, loop, again);
  graph.add_output(mapped(again, graph.block(condition).outputs[0]), loop);
  for (ValueId v : results) graph.add_output(mapped(inside, v), loop);
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"IF", raise_if},
    {"WHILE", raise_while},
};

}  // namespace

std::span<const RaiseEntry> raise_control() { return kEntries; }

}  // namespace oree
