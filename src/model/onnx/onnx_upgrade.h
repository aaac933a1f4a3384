// SPDX-License-Identifier: Apache-2.0
// Brings one operator of an old opset to its newest form, by small steps: one for each version that changed more than
// the types that are allowed. Internal to model/onnx. Source: the changelog of the ONNX operator specification.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

inline constexpr int kOnnxOpsetMax = 28;  // the newest whose operators are known

// "Conv 'name'": for messages; a node without a name goes by that of its output.
std::string onnx_node_text(const Graph& graph, const Node& node);

// One node on its way into a graph. Its inputs and outputs are values there already, it itself is not yet.
class Upgrade {
 public:
  Upgrade(Graph& into, BlockId at, Node old) : graph(into), node(std::move(old)), block(at) {}

  // Applies all steps from `opset` on. kUnsupported, naming the node, for what has no newer form.
  Status run(int64_t opset);

  // --- for the steps
  // The attribute as a constant input at `index` (int64, rank 1), and gone from the attributes; nothing when absent.
  void ints_to_input(std::string_view attribute, size_t index);
  void set_input(size_t index, ValueId value);  // grows the list
  ValueId constant(std::string_view suffix, Constant value);
  // A float constant of the type of `like`; cast in the graph when that is not known.
  ValueId real_like(std::string_view suffix, float value, ValueId like);
  // New nodes before this one. add() gives the only output.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // Output `index` is from now on what `op` makes of this node's own output (its first input) and `more`.
  void then(size_t index, std::string_view op, std::vector<ValueId> more = {}, Attributes attributes = {});
  void drop(std::string_view attribute) { node.attributes.erase(std::string(attribute)); }
  bool wants(size_t output) const;  // there is such an output, and something uses it
  std::optional<size_t> rank(size_t input) const;
  std::optional<Dtype> dtype(size_t input) const;
  Error unsupported(const std::string& text) const;

  Graph& graph;
  Node node;
  BlockId block;               // a step may put the node into a block that it adds
  std::vector<bool> used;      // by output: its name occurs elsewhere
  std::vector<NodeId> before;  // the nodes that add() made
  std::vector<Node> after;     // nodes that follow it, in their order
};

using UpgradeStep = Status (*)(Upgrade&);

// That the operator changed with this version: nodes of older opsets take the step.
struct UpgradeRow {
  std::string_view op;
  int version;
  UpgradeStep step;
};

// The steps of each file, sorted by nothing: run() looks for the lowest version above a node's.
std::vector<UpgradeRow> axes_upgrades();     // attributes that became inputs
std::vector<UpgradeRow> image_upgrades();    // resizing, padding, pooling, normalisation
std::vector<UpgradeRow> old_upgrades();      // what opsets before 7 had: broadcast, consumed_inputs …
std::vector<UpgradeRow> meaning_upgrades();  // same inputs, another meaning

}  // namespace oree
