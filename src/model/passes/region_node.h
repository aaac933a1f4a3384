// SPDX-License-Identifier: Apache-2.0
// What sink_transposes asks of one node: does it care for the layout of its operands, and what becomes of it in
// another.
#pragma once

#include <map>
#include <optional>

#include "model/graph/graph.h"
#include "model/passes/permutation.h"

namespace oree {

// The rank of the values that follow the layout when the node does not care for it: elementwise operators, Concat,
// Split, Slice, Pad, Softmax, reductions that keep their axes … Nothing for any other node, or when shapes are not
// known enough.
std::optional<size_t> layout_rank(const Graph& graph, const Node& node);
// Its inputs and outputs that follow the layout (of such a node). Scalars and flags do not.
std::vector<ValueId> layout_inputs(const Graph& graph, const Node& node);
std::vector<ValueId> layout_outputs(const Graph& graph, const Node& node);
// All axes that it names can be renamed.
bool can_relayout(const Graph& graph, const Node& node, const Permutation& perm);
// Makes the same node again in the layout `perm`, reading and filling `inside`; its old outputs lose their producer.
void relayout_node(Graph& graph, NodeId node, const Permutation& perm, std::map<ValueId, ValueId>& inside);

// A node outside of any region that can take its operand `value` in another layout without a Transpose, when it is
// given the layout from which `back` leads to the old one: a reduction that drops its axes, a Reshape of what moves
// nothing.
bool absorbs(const Graph& graph, const Node& node, ValueId value, const Permutation& back);
void absorb(Graph& graph, NodeId node, ValueId value, ValueId now, const Permutation& back);

}  // namespace oree
