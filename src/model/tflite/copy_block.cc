// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/copy_block.h"

#include <algorithm>
#include <set>

namespace oree {
namespace {

void collect(const Graph& graph, BlockId block, std::set<ValueId>& made, std::vector<ValueId>& out) {
  made.insert(graph.block(block).inputs.begin(), graph.block(block).inputs.end());
  auto use = [&](ValueId v) {
    bool inner = v == kNoValue || graph.value(v).constant || made.contains(v);
    if (!inner && std::ranges::find(out, v) == out.end()) out.push_back(v);
  };
  for (NodeId id : graph.order(block)) {
    const Node& node = graph.node(id);
    std::ranges::for_each(node.inputs, use);
    for (const auto& [name, body] : node.blocks) collect(graph, body, made, out);
    made.insert(node.outputs.begin(), node.outputs.end());
  }
  std::ranges::for_each(graph.block(block).outputs, use);
}

}  // namespace

ValueId mapped(const ValueMapping& mapping, ValueId v) {
  auto it = mapping.find(v);
  return it == mapping.end() ? v : it->second;
}

std::vector<ValueId> captured_values(const Graph& graph, BlockId block) {
  std::set<ValueId> made;
  std::vector<ValueId> out;
  collect(graph, block, made, out);
  return out;
}

ValueId add_input_like(Graph& graph, ValueId like, BlockId block) {
  Value old = graph.value(like);
  ValueId input = graph.add_input(old.name, old.dtype, old.dims, block);
  graph.set_quantization(input, std::move(old.quantization));
  return input;
}

void copy_block(Graph& graph, BlockId from, BlockId to, ValueMapping& mapping) {
  for (NodeId id : graph.order(from)) {
    Node node = graph.node(id);
    auto bodies = std::move(node.blocks);
    node.blocks.clear();
    for (ValueId& v : node.inputs) v = mapped(mapping, v);
    for (ValueId& v : node.outputs) {
      if (v == kNoValue) continue;
      Value old = graph.value(v);
      ValueId made = graph.add_value(old.name, old.dtype, old.dims);
      graph.set_quantization(made, old.quantization);
      mapping[v] = made;
      v = made;
    }
    NodeId copy = graph.add_node(std::move(node), to);
    for (const auto& [name, body] : bodies) {
      BlockId inner = graph.add_block(copy, name);
      for (ValueId v : std::vector(graph.block(body).inputs)) mapping[v] = add_input_like(graph, v, inner);
      copy_block(graph, body, inner, mapping);
      for (ValueId v : std::vector(graph.block(body).outputs)) graph.add_output(mapped(mapping, v), inner);
    }
  }
}

}  // namespace oree
