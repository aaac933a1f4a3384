// SPDX-License-Identifier: Apache-2.0
// One node on its way to other nodes: they use its inputs and make its outputs. When the way proves closed, the node
// stays as it was. Internal to model/tflite.
#pragma once

#include <span>

#include "model/graph/graph.h"
#include "model/tflite/permute.h"

namespace oree {

class NodeRewrite {
 public:
  // The node's outputs are without a producer until commit() or roll_back(). `permuted` is shared by all nodes of a
  // step.
  NodeRewrite(Graph& graph, NodeId id, PermutedConstants& permuted);

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }  // as it was
  BlockId block() const { return node_.block; }

  // --- looking
  // kInvalid unless the node has at least so many inputs, all there, and at least so many outputs.
  Status want(size_t inputs, size_t outputs = 1) const;
  bool has(size_t input) const { return node_.input(input) != kNoValue; }
  ValueId in(size_t index) const { return node_.input(index); }
  ValueId out(size_t index = 0) const { return node_.output(index); }
  const Value& value(ValueId id) const { return graph_.value(id); }
  std::optional<Dims> dims(ValueId id) const { return graph_.value(id).dims; }
  std::optional<Shape> shape(ValueId id) const;  // nothing unless all is known
  std::optional<size_t> rank(ValueId id) const;
  Result<size_t> known_rank(ValueId id) const;  // kUnsupported when it is not known
  Result<Shape> known(ValueId id) const;        // the same of a shape
  std::optional<Dtype> dtype(ValueId id) const { return graph_.value(id).dtype; }
  bool is_float(ValueId id) const;
  std::optional<Constant> constant_of(ValueId id) const {
    const Constant* c = graph_.constant(id);
    return c != nullptr ? std::optional(*c) : std::nullopt;
  }
  bool quantized() const;                                 // any input or output is
  Status want_plain() const;                              // kUnsupported when any is
  Result<std::vector<int64_t>> ints(size_t input) const;  // of a constant; kUnsupported when it is none
  // An axis brought to [0, rank); kInvalid outside of [-rank, rank).
  Result<size_t> axis(int64_t axis, size_t rank) const;
  Error invalid(const std::string& text) const;
  Error unsupported(const std::string& text) const;

  // --- building; errors of inference are kept until status()
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // As add(), the new value with the type of integers and the scale of `like`.
  ValueId add_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  std::vector<ValueId> add_many(std::string_view op, std::vector<ValueId> inputs, size_t outputs, Attributes attributes,
                                ValueId like = kNoValue);
  // The node that makes an output of the original.
  void finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}, size_t output = 0);
  // One node that makes several outputs of the original.
  void finish_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                   Attributes attributes);
  // A node as it is, not inferred: its bodies come later.
  NodeId add_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  void adopt_nodes_since(size_t node_count);  // those of this block: they go when the node stays as it is

  ValueId constant(Constant constant, std::string_view name = "");
  ValueId ints_constant(std::span<const int64_t> values) { return constant(Constant::vector(values)); }
  ValueId ints_constant(std::initializer_list<int64_t> values) { return ints_constant(std::span(values)); }
  ValueId int_constant(int64_t value) { return constant(Constant::scalar(value)); }
  ValueId number_like(ValueId like, double value);  // a scalar of the value's type
  ValueId number(Dtype dtype, double value);
  bool affordable(Dtype dtype, const Shape& shape);  // as a constant that is made here; fails otherwise
  ValueId zeros(Dtype dtype, const Shape& shape);    // a scalar when that is not affordable
  static Attributes cast_to(Dtype dtype);            // of Cast
  ValueId cast(ValueId value, Dtype dtype);          // itself when it has that type
  ValueId as_int64(ValueId value);                   // constants converted, others Cast
  ValueId as_vector(ValueId value);                  // rank 0 becomes rank 1
  // Axes in another order: constants at once, also behind a Cast or DequantizeLinear.
  ValueId permute(ValueId value, std::span<const int64_t> order);
  ValueId permute(ValueId value, std::initializer_list<int64_t> order) { return permute(value, std::span(order)); }
  ValueId reshape(ValueId value, std::span<const int64_t> shape);  // constants at once, also behind a Cast
  ValueId reshape(ValueId value, std::initializer_list<int64_t> shape) { return reshape(value, std::span(shape)); }
  ValueId transposed_last_two(ValueId value);

  // --- the end: the node is gone, or as it was
  Status status() const { return error_ ? Status(*error_) : Status(); }
  void fail(Error error);  // the first one is kept
  void commit();
  void roll_back();

 protected:
  NodeId put(Node node);                  // its outputs typed
  ValueId behind_cast(ValueId id) const;  // kNoValue unless a Cast makes it of a constant
  // Weights that are stored as integers: what a DequantizeLinear of one scale, or one a slice, makes reals of.
  struct Stored {
    Constant integers;
    Quantization q;
  };
  std::optional<Stored> stored(ValueId id) const;
  ValueId dequantize(Stored stored, std::string_view name);

  Graph& graph_;
  NodeId id_;
  Node node_;

 private:
  PermutedConstants& permuted_;
  std::vector<NodeId> added_;
  std::optional<Error> error_;
};

// {0, last, 1, 2, …} and {0, 2, 3, …, 1}: from channels last to channels first, and back.
std::vector<int64_t> channels_first_order(size_t rank);
std::vector<int64_t> channels_last_order(size_t rank);

}  // namespace oree
