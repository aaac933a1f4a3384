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

// What one run of inference knows besides the graph. Internal to model/ops.
struct InferenceState {
  struct Type {
    std::optional<Dtype> dtype;
    std::optional<Dims> dims;
  };
  std::vector<Type> declared;  // by ValueId, as the graph was given; shorter: nothing was declared
  std::map<ValueId, SymInts> ints;
  std::map<ValueId, std::vector<double>> reals;
  int64_t visits_left = 0;  // of nodes of loop bodies: when it is used up, loops are inferred once, more coarsely
};

// One node under inference, as OpDef::infer sees it.
class Inference {
 public:
  Inference(Graph& graph, const Node& node, InferenceState& state) : graph_(graph), node_(node), state_(state) {}

  const Node& node() const { return node_; }
  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  InferenceState& state() { return state_; }
  size_t inputs() const { return node_.inputs.size(); }
  size_t outputs() const { return node_.outputs.size(); }
  bool has(size_t input) const { return node_.input(input) != kNoValue; }
  std::optional<Dtype> dtype(size_t input) const;  // nothing: absent or not known
  std::optional<Dims> dims(size_t input) const;    // nothing: absent or not even the rank is known
  const Constant* constant(size_t input) const;
  // The elements of a small integer or bool tensor, in row-major order, as far as known; of at most kShapeIntsMax.
  std::optional<SymInts> ints(size_t input) const;
  std::optional<std::vector<double>> reals(size_t input) const;  // of a small floating-point tensor, all known
  // An input or output has Quantization: its integers are of the types that its own kernels want.
  bool quantized() const;

  // Also forgets what was known of the output's elements. An output of a type that the graph declares otherwise fails
  // the node (contradiction()).
  void set(size_t output, std::optional<Dtype> dtype, std::optional<Dims> dims);
  void set_ints(size_t output, SymInts values);  // after set()
  void set_reals(size_t output, std::vector<double> values);
  void set_value(ValueId id, std::optional<Dtype> dtype, std::optional<Dims> dims);  // of a body's input
  // Types of a body's inputs set, then its nodes inferred.
  Status infer_body(BlockId body);
  const std::optional<Error>& contradiction() const { return contradiction_; }

  // kInvalid, led by the operator and the node's name.
  Error fail(const std::string& text) const;

 private:
  Graph& graph_;
  const Node& node_;
  InferenceState& state_;
  std::optional<Error> contradiction_;
};

// Infers all values of all blocks. What a file declares is kept where inference knows less; kInvalid where the two
// contradict each other or a node's inputs do not fit its operator. Operators that are not known leave their outputs as
// they are. A branch of an If that does not fit is left alone when the other one does: exporters leave such behind.
Status infer_types(Graph& graph);

// Forgets the types of all values that known operators make, and of the bodies' inputs: for a pass that changes the
// graph's inputs, so that what follows from the old ones contradicts nothing. Types of quantized values stay.
void forget_types(Graph& graph);

// The outputs of one node, from its inputs' types as they are now: for a pass that has just added it. What the outputs
// had before is forgotten. A shape that other nodes compute is not followed here, only a constant one: infer_types()
// says more.
Status infer_node(Graph& graph, NodeId node);

// add() and infer_node() in one: the new value, its type set. Asserts that the node is well-formed: for our own passes.
ValueId build(Graph& graph, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
              BlockId block = kMainBlock, std::string_view name = {});

// Broadcasting as numpy does it. An unknown dimension beside one above 1 must be that (or 1); beside 1 it stays itself;
// two different unknown ones stay unknown. kInvalid when they do not fit.
Result<Dims> broadcast(const Dims& a, const Dims& b);

}  // namespace oree
