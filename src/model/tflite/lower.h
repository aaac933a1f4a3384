// SPDX-License-Identifier: Apache-2.0
// From ONNX's operators to nodes of domain "tflite", in three steps. Internal to model/tflite.
//
//   compose   what TFLite has no operator for becomes what it has some for, still in ONNX's terms
//   lay out   convolutions, pools and other operators over images become TFLite's, between two Transposes
//             (then sink_transposes moves those together)
//   lower     everything else becomes TFLite's operators
#pragma once

#include "model/tflite/node_rewrite.h"
#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_graph.h"

namespace oree {

// Constants up to this size are computed while converting, larger ones only where that makes the file no larger.
inline constexpr int64_t kTfliteFoldedBytesMax = 256;

// A graph that is inferred and valid. kUnsupported, naming the operator and what it lacks.
Status lower_to_tflite(Graph& graph);
// Is there a way down for the operator? (Not for all its types and attributes, perhaps.)
bool lowers_to_tflite(std::string_view op);

// One node on its way down.
class Lower : public NodeRewrite {
 public:
  using NodeRewrite::NodeRewrite;

  // --- looking at the ONNX node
  int64_t integer(std::string_view name, int64_t otherwise) const { return node_.integer(name, otherwise); }
  float real(std::string_view name, float otherwise) const { return node_.real(name, otherwise); }
  std::string text(std::string_view name, std::string_view otherwise) const { return node_.text(name, otherwise); }
  std::vector<int64_t> list(std::string_view name) const { return node_.integers(name); }
  // Integers of an input; an absent one is an empty list.
  Result<std::vector<int64_t>> ints_or_none(size_t input) const;
  std::optional<double> number_of(ValueId id) const;  // of a constant with one element
  // kUnsupported unless the value's type is among them: f float32, i int32, l int64, b bool, and of quantized or plain
  // small integers c int8, C uint8, s int16, n int4; h float16, d float64, I uint32, S uint16.
  Status want_type(ValueId id, std::string_view letters) const;

  // --- building TFLite's nodes
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, Dtype dtype, Dims dims,
               ValueId like = kNoValue);
  // Of the type of `like`.
  ValueId emit_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  void finish_emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}, size_t output = 0);
  void finish_emit_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                        Attributes attributes);
  NodeId add_tflite_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  // Zeros in the type and scale in which the products of operands 0 and 1 are summed.
  ValueId zero_bias(int64_t channels);
  ValueId int32s(std::span<const int64_t> values);  // rank 1; what is beyond 32 bits becomes the nearest
  ValueId int32s(std::initializer_list<int64_t> values) { return int32s(std::span(values)); }
  ValueId int32(int64_t value);     // rank 0
  ValueId as_int32(ValueId value);  // constants converted, a Cast from int32 undone, others CAST
  // A constant with another axis of length 1, the axis of its scales moved along; others by Unsqueeze.
  ValueId unsqueezed_constant(ValueId value, size_t axis);
  // An activation that alone uses this node's first output becomes this node's own: its output is now ours.
  int64_t absorb_activation();
  // The same of a Cast to that type.
  bool absorb_cast(Dtype dtype, size_t output = 0);
  // The first output of `user`, which alone uses ours, becomes ours; the user is gone.
  void take_over(NodeId user, size_t output = 0);
  bool is_zeros(ValueId id) const;  // a constant of zeros, or one of any shape made of them
  bool is_constant_like(ValueId id) const {
    return constant_of(id).has_value() || behind_cast(id) != kNoValue || stored(id).has_value();
  }

 private:
  static bool same_scale(const Value& a, const Value& b);
};

// true: the node is done. false: it stays as it is in this step.
using LowerHandler = Result<bool> (*)(Lower&);
struct LowerEntry {
  std::string_view op;
  LowerHandler handler;
};

// The activation that a Relu or Clip is for TFLite; nothing for other bounds.
std::optional<int64_t> tflite_activation(const Graph& graph, const Node& node);

// --- the tables
std::span<const LowerEntry> compose_activations();
std::span<const LowerEntry> compose_normalisation();
std::span<const LowerEntry> compose_windows();
std::span<const LowerEntry> compose_resize();
std::span<const LowerEntry> compose_reductions();
std::span<const LowerEntry> compose_indices();
std::span<const LowerEntry> compose_attention();
std::span<const LowerEntry> compose_sampling();
std::span<const LowerEntry> compose_linear();
std::span<const LowerEntry> compose_recurrent();
std::span<const LowerEntry> lay_out_convolutions();
std::span<const LowerEntry> lay_out_pools();
std::span<const LowerEntry> lay_out_images();
std::span<const LowerEntry> lower_elementwise();
std::span<const LowerEntry> lower_movements();
std::span<const LowerEntry> lower_slices();
std::span<const LowerEntry> lower_reductions();
std::span<const LowerEntry> lower_linear();
std::span<const LowerEntry> lower_indices();
std::span<const LowerEntry> lower_control();

}  // namespace oree
