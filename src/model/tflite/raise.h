// SPDX-License-Identifier: Apache-2.0
// From nodes of domain "tflite" to ONNX's operators. Internal to model/tflite.
#pragma once

#include <functional>
#include <span>

#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {

// Every node of the graph that ONNX's operators can express becomes them; the others stay as they are.
Status raise_tflite(Graph& graph);

// One node on its way up. Handlers add nodes that use its inputs and make its outputs.
class Raise {
 public:
  Raise(Graph& graph, NodeId id);

  Graph& graph() { return graph_; }
  const Node& node() const { return node_; }
  BlockId block() const { return node_.block; }

  // --- looking
  // kInvalid unless the node has at least so many inputs, all there, and at least so many outputs.
  Status want(size_t inputs, size_t outputs = 1) const;
  bool has(size_t input) const { return node_.input(input) != kNoValue; }
  ValueId in(size_t index) const { return node_.input(index); }
  ValueId out(size_t index = 0) const { return node_.output(index); }
  const Value& value(ValueId id) const { return graph_.value(id); }
  const std::optional<Dims>& dims(ValueId id) const { return graph_.value(id).dims; }
  std::optional<Shape> shape(ValueId id) const;  // nothing unless all is known
  std::optional<size_t> rank(ValueId id) const;
  Result<size_t> known_rank(ValueId id) const;  // kUnsupported when it is not known
  std::optional<Dtype> dtype(ValueId id) const { return graph_.value(id).dtype; }
  int64_t option(std::string_view name) const { return tflite_option(node_, name); }
  float real_option(std::string_view name) const { return tflite_real_option(node_, name); }
  bool flag(std::string_view name) const { return option(name) != 0; }
  bool quantized() const;                                 // any input or output is
  Status want_plain() const;                              // kUnsupported when any is: the node stays as it is
  Result<std::vector<int64_t>> ints(size_t input) const;  // of a constant; kUnsupported when it is none
  // An axis brought to [0, rank); kInvalid outside of [-rank, rank).
  Result<size_t> axis(int64_t axis, size_t rank) const;
  Error invalid(const std::string& text) const;
  Error unsupported(const std::string& text) const;

  // --- building; inference errors are kept until status()
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // As add(), the new value with the type of integers and the scale of `like`.
  ValueId add_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  std::vector<ValueId> add_many(std::string_view op, std::vector<ValueId> inputs, size_t outputs, Attributes attributes,
                                ValueId like = kNoValue);
  // The node that makes an output of the original, its fused activation behind it.
  void finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}, size_t output = 0);
  // The same for an operator in channels-first layout.
  void finish_channels_first(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // One node that makes several outputs of the original.
  void finish_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                   Attributes attributes);
  // A node as it is, not inferred: its bodies come later.
  NodeId add_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  void adopt_nodes_since(size_t node_count);  // those of this block: they go when the node stays as it is
  void drop_activation() { activation_ = kTfliteNoActivation; }  // it is a part of the operator itself
  ValueId constant(Constant constant, std::string_view name = "");
  ValueId ints_constant(std::span<const int64_t> values) { return constant(Constant::vector(values)); }
  ValueId int_constant(int64_t value) { return constant(Constant::scalar(value)); }
  // A scalar of the value's type.
  ValueId number_like(ValueId like, double value);
  // The same, of a quantized value the integer that stands for the real, within its type.
  ValueId bound(ValueId like, double real);
  static Attributes cast_to(Dtype dtype);    // of Cast
  ValueId cast(ValueId value, Dtype dtype);  // itself when it has that type
  ValueId as_int64(ValueId value);           // constants converted, others Cast
  ValueId as_vector(ValueId value);          // rank 0 becomes rank 1
  // Axes in another order: constants at once, also behind a Cast.
  ValueId permute(ValueId value, std::span<const int64_t> order);
  ValueId channels_first(ValueId value);  // NHWC to NCHW, of any rank above 2
  ValueId reshape(ValueId value, std::span<const int64_t> shape);
  ValueId transposed_last_two(ValueId value);

  // --- the end: the node is gone, or as it was
  Status status() const { return error_ ? Status(*error_) : Status(); }
  void commit();
  void roll_back();

 private:
  NodeId put(Node node);
  ValueId activation(ValueId value, ValueId target);  // with target: the activation makes it

  Graph& graph_;
  NodeId id_;
  Node node_;  // a copy
  int64_t activation_ = kTfliteNoActivation;
  std::vector<NodeId> added_;
  std::optional<Error> error_;
};

using RaiseHandler = Status (*)(Raise&);
struct RaiseEntry {
  std::string_view op;
  RaiseHandler handler;
};

// --- the tables, one a family
std::span<const RaiseEntry> raise_convolutions();
std::span<const RaiseEntry> raise_elementwise();
std::span<const RaiseEntry> raise_movements();
std::span<const RaiseEntry> raise_slices();
std::span<const RaiseEntry> raise_reductions();
std::span<const RaiseEntry> raise_images();
std::span<const RaiseEntry> raise_indices();
std::span<const RaiseEntry> raise_recurrent();
std::span<const RaiseEntry> raise_control();

// SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: how exporters write dilation. Before raising.
void join_dilated_convolutions(Graph& graph);

}  // namespace oree
