// SPDX-License-Identifier: Apache-2.0
// From ONNX's operators to ncnn's layers, a node at a time. Internal to model/ncnn.
//
// A value becomes a blob whose shape follows from the value's own: ncnn_mat(). An operator that needs another one takes
// its operand reshaped, and gives its result back so.
#pragma once

#include <optional>
#include <set>

#include "model/ncnn/ncnn_net.h"

namespace oree {

class NcnnBuilder {
 public:
  explicit NcnnBuilder(const Graph& graph) : graph_(graph) {}
  Status build();
  NcnnNet& net() { return net_; }

 private:
  friend class NcnnNode;
  const Graph& graph_;
  NcnnNet net_;
  std::map<ValueId, NcnnBlob> blobs_;  // of values that are there already
  std::map<std::pair<ValueId, Shape>, NcnnBlob> constants_;
  std::set<NodeId> absorbed_;  // activations that a layer before took over
};

// One node on its way.
class NcnnNode {
 public:
  NcnnNode(NcnnBuilder& builder, NodeId id) : b_(builder), node_(builder.graph_.node(id)), out_(node_.output(0)) {}

  // --- looking
  const Node& node() const { return node_; }
  NcnnNet& net() { return b_.net_; }
  bool has(size_t input) const { return node_.input(input) != kNoValue; }
  ValueId in(size_t input) const { return node_.input(input); }
  const Shape& shape(size_t input) const { return shape_of(in(input)); }  // after check()
  const Shape& out_shape(size_t output = 0) const { return shape_of(node_.output(output)); }
  const std::string& name() const { return b_.graph_.value(out_).name; }
  // The constant that an input is, perhaps behind a Cast from float16; nothing when it is none.
  std::optional<Constant> stored(size_t input) const;
  std::optional<Constant> floats(size_t input) const;  // the same as float32
  Result<std::vector<int64_t>> ints(size_t input) const;
  std::optional<float> number(size_t input) const;  // of a constant with one element
  int64_t integer(std::string_view key, int64_t otherwise) const { return node_.integer(key, otherwise); }
  float real(std::string_view key, float otherwise) const { return node_.real(key, otherwise); }
  Error unsupported(const std::string& why) const;
  Error invalid(const std::string& what) const;
  // Every operand and result is float32 of known shape, within what ncnn holds; what is constant may be of any type.
  Status check() const;
  // One item, whose leading 1 ncnn does not see: what layers that know channels ask of their operand.
  Status want_one_item(size_t input) const;
  Result<size_t> axis(int64_t axis, size_t rank) const;

  // --- building
  // The blob of an operand, shaped as ncnn_mat() says or as `mat`; a constant becomes MemoryData.
  Result<NcnnBlob> operand(size_t input);
  Result<NcnnBlob> operand(size_t input, const Shape& mat);
  // A layer whose result is shaped as ncnn_mat() of the node's first output, or as `mat` and reshaped then.
  void finish(std::string_view type, std::vector<NcnnBlob> bottoms, NcnnParams params = {},
              std::vector<NcnnWeights> weights = {});
  void finish(std::string_view type, std::vector<NcnnBlob> bottoms, const Shape& mat, NcnnParams params,
              std::vector<NcnnWeights> weights = {});
  NcnnBlob layer(std::string_view type, std::vector<NcnnBlob> bottoms, Shape mat, NcnnParams params = {},
                 std::vector<NcnnWeights> weights = {});
  void finish_with(NcnnBlob blob, size_t output = 0);  // reshaped when it has to be
  // An activation that alone uses the result becomes the layer's own (parameters 9 and 10): what it makes is finished.
  void absorb_activation(NcnnParams& params);

 private:
  const Shape& shape_of(ValueId id) const;
  Status check_value(ValueId id, bool constant_allowed) const;

  NcnnBuilder& b_;
  const Node& node_;
  ValueId out_;  // what the layer makes: the node's first output, or that of the activation that was absorbed
  mutable std::map<ValueId, Shape> shapes_;
};

using NcnnHandler = Status (*)(NcnnNode&);
struct NcnnEntry {
  std::string_view op;
  NcnnHandler handler;
};

Tensor ncnn_floats(const Constant& constant);  // float16 and float64 become float32; asserts on other types

// --- the tables
std::span<const NcnnEntry> ncnn_elementwise();
std::span<const NcnnEntry> ncnn_windows();
std::span<const NcnnEntry> ncnn_linear();
std::span<const NcnnEntry> ncnn_normalise();
std::span<const NcnnEntry> ncnn_movements();
std::span<const NcnnEntry> ncnn_images();

}  // namespace oree
