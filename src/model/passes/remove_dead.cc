// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "model/passes/passes.h"

namespace oree {

PassResult remove_dead(Graph& graph) {
  // From the outputs backwards: what is not reached is dead. A body lives with its node.
  std::set<NodeId> live;
  std::vector<ValueId> open(graph.main().outputs);
  for (const State& s : graph.states()) open.push_back(s.output);
  while (!open.empty()) {
    ValueId v = open.back();
    open.pop_back();
    if (v == kNoValue) continue;
    NodeId id = graph.value(v).producer;
    if (id == kNoNode || !live.insert(id).second) continue;
    const Node& node = graph.node(id);
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    for (const auto& [name, block] : node.blocks) {
      const Block& body = graph.block(block);
      open.insert(open.end(), body.outputs.begin(), body.outputs.end());
    }
  }
  int removed = 0;
  for (NodeId id : graph.all_nodes()) {
    if (live.contains(id) || graph.node(id).removed) continue;
    graph.remove_node(id);
    ++removed;
  }
  graph.sweep();
  return removed;
}

}  // namespace oree
