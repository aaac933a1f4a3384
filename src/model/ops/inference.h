// SPDX-License-Identifier: Apache-2.0
// Type and shape inference: what follows from the inputs of a graph for every value in it. Also follows the small
// integer tensors from which exporters compute shapes (Shape, Gather, Concat, Reshape …), symbols included.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

// An integer of a shape computation: a number, a symbol of the graph's dimensions, or unknown.
struct SymInt {
  SymInt() = default;
  SymInt(int64_t v) : value(v) {}  // NOLINT: implicit on purpose
  explicit SymInt(std::string s) : symbol(std::move(s)) {}
  std::optional<int64_t> value;
  std::string symbol;
  bool operator==(const SymInt&) const = default;
};
using SymInts = std::vector<SymInt>;

// One node under inference, as OpDef::infer sees it.
class Inference {
 public:
  Inference(Graph& graph, const Node& node, std::map<ValueId, SymInts>& ints)
      : graph_(graph), node_(node), ints_(ints) {}

  const Node& node() const { return node_; }
  Graph& graph() { return graph_; }
  size_t inputs() const { return node_.inputs.size(); }
  bool has(size_t input) const { return node_.input(input) != kNoValue; }
  std::optional<Dtype> dtype(size_t input) const;  // nothing: absent or not known
  std::optional<Dims> dims(size_t input) const;    // nothing: absent or not even the rank is known
  const Constant* constant(size_t input) const;
  std::optional<SymInts> ints(size_t input) const;  // of an integer tensor of rank 0 or 1, as far as known

  void set(size_t output, std::optional<Dtype> dtype, std::optional<Dims> dims);
  void set_ints(size_t output, SymInts values);
  // Types of a body's inputs set, then its nodes inferred.
  Status infer_body(BlockId body);

  // kInvalid, led by the operator and the node's name.
  Error fail(const std::string& text) const;

 private:
  Graph& graph_;
  const Node& node_;
  std::map<ValueId, SymInts>& ints_;
};

// Infers all values of all blocks. What a file declares is kept where inference knows less; kInvalid where the two
// contradict each other or a node's inputs do not fit its operator. Operators that are not known leave their outputs as
// they are.
Status infer_types(Graph& graph);

// The outputs of one node, from its inputs' types as they are now: for a pass that has just added it. What the outputs
// had before is forgotten.
Status infer_node(Graph& graph, NodeId node);

// add() and infer_node() in one: the new value, its type set. Asserts that the node is well-formed: for our own passes.
ValueId build(Graph& graph, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
              BlockId block = kMainBlock, std::string_view name = {});

// Broadcasting as numpy does it. Nothing when an unknown dimension leaves the result open in rank; unknown dimensions
// become unknown. kInvalid when they do not fit.
Result<Dims> broadcast(const Dims& a, const Dims& b);

}  // namespace oree
