// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "model/passes/fold_quantization.h"

namespace oree {
namespace {

std::optional<Dtype> type_made(const Graph& graph, const Node& quantize) {
  return graph.value(quantize.outputs[0]).dtype;
}

// The same node with 128 less everywhere.
NodeId twin_in_int8(Graph& graph, const Node& node, ValueId data, ValueId out, Quantization q) {
  for (int64_t& z : q.zero_points) z -= 128;
  Node twin = node.op == "QuantizeLinear" ? quantize_node(graph, data, q, Dtype::kInt8)
                                          : dequantize_node(graph, data, q, Dtype::kInt8);
  twin.name = node.name;
  twin.outputs = {out};
  return graph.add_node(std::move(twin), node.block);
}

ValueId int8_constant(Graph& graph, ValueId v) {
  Tensor t = graph.constant(v)->to_tensor();
  Tensor out(Dtype::kInt8, t.shape());
  std::ranges::transform(t.bytes(), out.data(), [](uint8_t b) { return static_cast<uint8_t>(b ^ 0x80); });
  return graph.add_constant(graph.value(v).name, Constant(std::move(out)));
}

// DequantizeLinear nodes of a value of uint8 now read `twin`.
void read_twin(Graph& graph, ValueId v, ValueId twin) {
  for (NodeId user : std::vector(graph.value(v).users)) {
    const Node dq = graph.node(user);
    if (dq.removed || !dq.is("DequantizeLinear") || dq.inputs[0] != v) continue;
    std::optional<Quantization> q = parameters_of(graph, dq);
    if (!q) continue;
    graph.remove_node(user);
    twin_in_int8(graph, dq, twin, dq.outputs[0], *q);
  }
}

bool quantize_in_int8(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::optional<Quantization> q = parameters_of(graph, node);
  if (type_made(graph, node) != Dtype::kUint8 || !q || q->per_axis()) return false;
  ValueId old = node.outputs[0];
  bool read =
      std::ranges::any_of(graph.value(old).users, [&](NodeId u) { return graph.node(u).is("DequantizeLinear"); });
  if (!read) return false;
  ValueId twin =
      graph.add_value(graph.unique_name(graph.value(old).name + "_int8"), Dtype::kInt8, graph.value(old).dims);
  twin_in_int8(graph, node, node.inputs[0], twin, *q);
  read_twin(graph, old, twin);
  if (graph.unused(old)) {
    graph.remove_node(id);
    return true;
  }
  // Somebody wants the uint8 itself: from the same integers.
  ValueId reals =
      graph.add_value(graph.unique_name(graph.value(old).name + "_real"), Dtype::kFloat32, graph.value(old).dims);
  twin_in_int8(graph, Node{.op = "DequantizeLinear", .block = node.block}, twin, reals, *q);
  graph.set_input(id, 0, reals);
  return true;
}

// Integers of uint8 that no QuantizeLinear made: constants, and inputs of the graph.
bool dequantize_in_int8(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::optional<Quantization> q = parameters_of(graph, node);
  ValueId v = node.inputs[0];
  if (!q || graph.value(v).dtype != Dtype::kUint8) return false;
  if (graph.constant(v) != nullptr) {
    read_twin(graph, v, int8_constant(graph, v));
    return true;
  }
  if (q->per_axis() || quantizers(graph, node.outputs[0]).size() == 1) return false;
  ValueId twin = graph.add_value(graph.unique_name(graph.value(v).name + "_int8"), Dtype::kInt8, graph.value(v).dims);
  ValueId reals =
      graph.add_value(graph.unique_name(graph.value(v).name + "_real"), Dtype::kFloat32, graph.value(v).dims);
  graph.replace(node.outputs[0], reals);
  twin_in_int8(graph, Node{.op = "QuantizeLinear", .block = node.block}, node.outputs[0], twin, *q);
  twin_in_int8(graph, Node{.op = "DequantizeLinear", .block = node.block}, twin, reals, *q);
  return true;
}

bool computes_in(Dtype dtype) { return dtype == Dtype::kInt8 || dtype == Dtype::kUint8 || dtype == Dtype::kInt16; }

// TFLite moves elements of this type in such a node. These have no kernel of 16 bits: their operands are dequantized.
bool moves_type(const Node& node, Dtype dtype) {
  static constexpr std::array kNarrow{"DepthToSpace", "ReduceMax", "ReduceMin", "SpaceToDepth"};
  return computes_in(dtype) && (dtype != Dtype::kInt16 || std::ranges::find(kNarrow, node.op) == kNarrow.end());
}

void drop_pad_value(Graph& graph, NodeId id) {
  if (graph.node(id).is("Pad") && graph.node(id).input(2) != kNoValue) graph.set_input(id, 2, kNoValue);
}

// Weights that an exporter transposes behind their DequantizeLinear.
bool transpose_constant(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const Node* made = node.is("Transpose") ? made_by(graph, node.inputs[0], "DequantizeLinear") : nullptr;
  if (made == nullptr || graph.constant(made->inputs[0]) == nullptr) return false;
  const Node dq = *made;
  std::optional<Quantization> q = parameters_of(graph, dq);
  std::optional<Permutation> perm = transpose_permutation(graph, node);
  std::optional<Dtype> dtype = graph.value(dq.inputs[0]).dtype;
  if (!q || !perm || !dtype || graph.is_output(node.outputs[0])) return false;
  ValueId plain = graph.add_constant(graph.value(dq.inputs[0]).name, *graph.constant(dq.inputs[0]));
  ValueId turned = transposed(graph, plain, *perm, node.block);
  Node again = dequantize_node(graph, turned, *transposed_quantization(q, *perm), *dtype);
  ValueId out = node.outputs[0];
  graph.remove_node(id);
  again.outputs = {out};
  graph.add_node(std::move(again), node.block);
  return true;
}

bool move_dequantize_behind(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!moves_elements(graph, node)) return false;
  std::optional<Dequantized> x = dequantized(graph, node.inputs[0]);
  if (!x || !moves_type(node, x->dtype) || graph.constant(x->integers) != nullptr) return false;
  std::vector<ValueId> integers;
  for (ValueId out : node.outputs) {
    ValueId v = out == kNoValue ? kNoValue
                                : graph.add_value(graph.unique_name(graph.value(out).name + "_quantized"), x->dtype,
                                                  graph.value(out).dims);
    if (v != kNoValue) graph.set_quantization(v, x->q);
    integers.push_back(v);
  }
  graph.set_quantization(x->integers, x->q);
  graph.set_input(id, 0, x->integers);
  drop_pad_value(graph, id);
  graph.set_outputs(id, integers);
  for (size_t i = 0; i < integers.size(); ++i) {
    if (integers[i] == kNoValue) continue;
    Node dq = dequantize_node(graph, integers[i], x->q, x->dtype);
    dq.outputs = {node.outputs[i]};
    graph.add_node(std::move(dq), node.block);
  }
  return true;
}

bool move_quantize_before(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!moves_elements(graph, node) || node.outputs.size() != 1) return false;
  std::vector<NodeId> after = quantizers(graph, node.outputs[0]);
  NodeId producer = graph.value(node.inputs[0]).producer;
  if (after.size() != 1 || producer == kNoNode || graph.node(producer).is("DequantizeLinear")) return false;
  if (graph.only_user(node.inputs[0]) != id || graph.node(producer).block != node.block) return false;
  const Node q = graph.node(after[0]);
  std::optional<Quantization> scale = parameters_of(graph, q);
  std::optional<Dtype> dtype = type_made(graph, q);
  if (!scale || scale->per_axis() || !dtype || !moves_type(node, *dtype)) return false;
  ValueId integers = graph.add_value(graph.unique_name(graph.value(node.inputs[0]).name + "_quantized"), *dtype,
                                     graph.value(node.inputs[0]).dims);
  graph.set_quantization(integers, scale);
  Node before = quantize_node(graph, node.inputs[0], *scale, *dtype);
  before.outputs = {integers};
  graph.add_node(std::move(before), node.block);
  graph.set_input(id, 0, integers);
  drop_pad_value(graph, id);
  ValueId out = q.outputs[0];
  graph.remove_node(after[0]);
  graph.set_outputs(id, {out});
  graph.set_quantization(out, scale);
  return true;
}

bool cancel(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!node.is("QuantizeLinear")) return false;
  const Node* dq = made_by(graph, node.inputs[0], "DequantizeLinear");
  if (dq == nullptr || graph.value(dq->inputs[0]).dtype != type_made(graph, node)) return false;
  if (!same_parameters(graph, *dq, node) || !bypass(graph, node.outputs[0], dq->inputs[0])) return false;
  graph.remove_node(id);
  return true;
}

}  // namespace

bool moves_elements(const Graph& graph, const Node& node) {
  static constexpr std::array kMoving{"DepthToSpace", "Expand",    "Flatten", "Gather",    "Identity",
                                      "ReduceMax",    "ReduceMin", "Reshape", "Slice",     "SpaceToDepth",
                                      "Split",        "Squeeze",   "Tile",    "Transpose", "Unsqueeze"};
  if (!node.domain.empty() || node.inputs.empty()) return false;
  if (node.op == "MaxPool") return node.output(1) == kNoValue && node.integers("dilations").empty();
  if (node.op == "Resize") return node.text("mode", "nearest") == "nearest" && node.input(1) == kNoValue;
  if (node.op == "Pad") {  // of real zeros, or of elements
    std::optional<double> value = node.input(2) == kNoValue ? 0 : constant_scalar(graph, node.inputs[2]);
    return node.text("mode", "constant") != "constant" || value == 0;
  }
  return std::ranges::find(kMoving, node.op) != kMoving.end();
}

std::optional<Dequantized> dequantized(const Graph& graph, ValueId reals, bool per_axis) {
  if (reals == kNoValue) return std::nullopt;
  const Node* dq = made_by(graph, reals, "DequantizeLinear");
  std::optional<Quantization> q = dq != nullptr ? parameters_of(graph, *dq) : std::nullopt;
  if (!q || (q->per_axis() && !per_axis)) return std::nullopt;
  const Value& v = graph.value(dq->inputs[0]);
  // What give_scales left without one is used as integers, too, or by others who say otherwise.
  if (!v.dtype || (v.constant ? v.quantization && v.quantization != q : v.quantization != q)) return std::nullopt;
  bool centred = std::ranges::all_of(q->zero_points, [](int64_t z) { return z == 0; });
  if (!quantizes_to(*v.dtype) && !(v.dtype == Dtype::kInt32 && centred)) return std::nullopt;
  return Dequantized{dq->inputs[0], *q, *v.dtype};
}

std::vector<NodeId> quantizers(const Graph& graph, ValueId reals) {
  if (reals == kNoValue || graph.is_output(reals)) return {};
  std::vector<NodeId> out;
  for (NodeId user : graph.value(reals).users) {
    const Node& node = graph.node(user);
    bool same = node.is("QuantizeLinear") && node.inputs[0] == reals && node.output(0) != kNoValue &&
                parameters_of(graph, node) && (out.empty() || same_parameters(graph, graph.node(out[0]), node));
    if (!same) return {};
    out.push_back(user);
  }
  return out;
}

std::vector<NodeId> living_nodes(const Graph& graph) {
  std::vector<NodeId> out;
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    for (NodeId id : graph.order(block)) {
      if (graph.node(id).output(0) != kNoValue) out.push_back(id);
    }
  }
  return out;
}

int prefer_int8(Graph& graph) {
  int changed = 0;
  for (NodeId id : living_nodes(graph)) {
    if (!graph.node(id).removed && graph.node(id).is("QuantizeLinear")) changed += quantize_in_int8(graph, id);
  }
  graph.sweep();
  for (NodeId id : living_nodes(graph)) {
    if (!graph.node(id).removed && graph.node(id).is("DequantizeLinear")) changed += dequantize_in_int8(graph, id);
  }
  graph.sweep();
  return changed;
}

int move_among_integers(Graph& graph) {
  // In order, a DequantizeLinear goes behind a whole chain at once; a QuantizeLinear goes up by one a round.
  constexpr int kRoundsMax = 64;
  int changed = 0;
  for (int round = 0, before = -1; round < kRoundsMax && before != changed; ++round) {
    before = changed;
    for (NodeId id : living_nodes(graph)) {
      if (graph.node(id).removed) continue;
      changed += transpose_constant(graph, id) || cancel(graph, id) || move_dequantize_behind(graph, id) ||
                 move_quantize_before(graph, id);
    }
    graph.sweep();
  }
  return changed;
}

}  // namespace oree
