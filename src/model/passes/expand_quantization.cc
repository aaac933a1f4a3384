// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "model/passes/passes.h"
#include "model/passes/quantization_nodes.h"

namespace oree {
namespace {

// These move integers as they are, in every engine: no reals between.
bool moves_integers(const Node& node) {
  static constexpr std::array kMoving{"Concat",   "Flatten",   "Gather",   "GatherElements", "GatherND",
                                      "Identity", "Reshape",   "Slice",    "Split",          "Squeeze",
                                      "Tile",     "Transpose", "Unsqueeze"};
  return node.domain.empty() && std::ranges::find(kMoving, node.op) != kMoving.end();
}

bool is_quantized(const Graph& graph, ValueId v) { return v != kNoValue && graph.value(v).quantization.has_value(); }

class Expander {
 public:
  explicit Expander(Graph& graph) : graph_(graph) {
    for (BlockId b = 0; b < static_cast<BlockId>(graph.block_count()); ++b) {
      for (ValueId v : graph.block(b).inputs) home_[v] = b;
    }
  }

  PassResult run() {
    int changed = 0;
    for (NodeId id : graph_.all_nodes()) {
      if (!concerned(graph_.node(id))) continue;
      OREE_TRY(node(id));
      ++changed;
    }
    // What is left is integers that ONNX's own operators take, and constants that DequantizeLinear nodes have read.
    for (ValueId v = 0; v < static_cast<ValueId>(graph_.value_count()); ++v) {
      if (is_quantized(graph_, v)) graph_.set_quantization(v, std::nullopt);
    }
    if (changed > 0) OREE_TRY(infer_types(graph_));
    return changed;
  }

 private:
  bool concerned(const Node& node) const {
    auto quantized = [&](ValueId v) { return is_quantized(graph_, v); };
    return std::ranges::any_of(node.inputs, quantized) || std::ranges::any_of(node.outputs, quantized);
  }

  // All its quantized values stand for reals in the same way.
  bool one_scale(const Node& node) const {
    std::optional<Quantization> first;
    for (const auto* list : {&node.inputs, &node.outputs}) {
      for (ValueId v : *list) {
        if (!is_quantized(graph_, v)) continue;
        const Quantization& q = *graph_.value(v).quantization;
        if (q.per_axis() || (first && *first != q)) return false;
        first = q;
      }
    }
    return true;
  }

  // Integers of which only some have a scale are no data: indices, shapes.
  bool all_data_scaled(const Node& node) const {
    size_t data = node.op == "Concat" ? node.inputs.size() : 1;
    return std::ranges::all_of(std::span(node.inputs).first(data),
                               [&](ValueId v) { return is_quantized(graph_, v); }) &&
           std::ranges::all_of(node.outputs, [&](ValueId v) { return v == kNoValue || is_quantized(graph_, v); });
  }

  Status node(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph's own moves while nodes are added
    if (!node.blocks.empty() || node.is("Shape") || node.is("Size")) return {};
    if (moves_integers(node) && all_data_scaled(node) && one_scale(node)) return {};
    bool from_integers = node.is("DequantizeLinear"), to_integers = node.is("QuantizeLinear");
    std::string name = node.output(0) == kNoValue ? node.op : graph_.value(node.outputs[0]).name;
    for (size_t i = 0; i < node.inputs.size() && !from_integers; ++i) {
      ValueId v = i == 2 ? bias_of(node) : node.inputs[i];
      if (!is_quantized(graph_, v)) continue;
      Result<ValueId> real = node.is("Clip") && i > 0 ? bound(v) : reals_of(v);
      if (!real.ok()) return real.error().within(fmt::format("{} '{}'", node.op, name));
      graph_.set_input(id, i, *real);
    }
    if (to_integers) return {};
    std::vector<ValueId> outputs = node.outputs;
    std::vector<std::pair<ValueId, ValueId>> made;  // integers, and the reals that they are made of
    for (ValueId& out : outputs) {
      if (!is_quantized(graph_, out)) continue;
      ValueId real = graph_.add_value(graph_.unique_name(graph_.value(out).name + "_real"), Dtype::kFloat32,
                                      graph_.value(out).dims);
      made.emplace_back(out, real);
      out = real;
    }
    if (outputs == node.outputs) return {};
    graph_.set_outputs(id, outputs);
    for (const auto& [integers, real] : made) OREE_TRY(quantize(real, integers, node.block));
    return {};
  }

  // The bias, or another input 2. A bias is added to sums of products as it is, whatever scale the file gives it: one
  // that layers share has that of the first alone. Then it becomes a constant of its own, with the scale of the
  // products.
  ValueId bias_of(const Node& node) {
    const ValueId v = node.inputs[2];
    bool sums = node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm");
    if (!sums || !is_quantized(graph_, v) || !is_quantized(graph_, node.inputs[0]) ||
        !is_quantized(graph_, node.inputs[1]) || graph_.constant(v) == nullptr) {
      return v;
    }
    Quantization q =
        sum_quantization(*graph_.value(node.inputs[0]).quantization, *graph_.value(node.inputs[1]).quantization);
    const std::vector<float>& given = graph_.value(v).quantization->scales;
    bool fits = std::ranges::equal(q.scales, given, [](float a, float b) { return std::abs(a - b) <= 1e-3F * b; });
    const Shape shape = graph_.constant(v)->shape();
    bool channels = shape.size() == 1 && static_cast<size_t>(shape[0]) == q.scales.size();
    if (fits || (q.scales.size() > 1 && !channels)) return v;
    const ValueId own = graph_.add_constant(graph_.value(v).name, *graph_.constant(v));
    graph_.set_quantization(own, std::move(q));
    return own;
  }

  Status quantize(ValueId real, ValueId integers, BlockId block) {
    OREE_TRY(check_quantizable(graph_.value(integers)));
    Node q = quantize_node(graph_, real, *graph_.value(integers).quantization, *graph_.value(integers).dtype);
    q.name = graph_.value(integers).name;
    q.outputs = {integers};
    graph_.add_node(std::move(q), block);
    return {};
  }

  static Status check_quantizable(const Value& v) {
    if (v.dtype && quantizes_to(*v.dtype)) return {};
    return Error(Code::kUnsupported, fmt::format("'{}': ONNX quantizes to 4, 8 and 16 bits, not to {}", v.name,
                                                 v.dtype ? dtype_name(*v.dtype) : "an unknown type"));
  }

  // A bound is the real that it was rounded from, where that is one of the usual.
  Result<ValueId> bound(ValueId v) {
    const Value value = graph_.value(v);
    if (!value.constant || value.constant->elements() != 1 || value.quantization->per_axis()) return reals_of(v);
    double scale = static_cast<double>(value.quantization->scales[0]);
    auto zero = static_cast<double>(value.quantization->zero_points[0]), found = value.constant->to_doubles()[0];
    double real = scale * (found - zero);
    for (double usual : {-1.0, 0.0, 1.0, 6.0}) {
      if (std::round(usual / scale) == found - zero) real = usual;
    }
    return graph_.add_constant(value.name, Constant::scalar(static_cast<float>(real)));
  }

  // The reals that a quantized value stands for: made once for all its users.
  Result<ValueId> reals_of(ValueId v) {
    auto known = reals_.find(v);
    if (known != reals_.end()) return known->second;
    const Value value = graph_.value(v);
    if (value.constant && value.dtype == Dtype::kInt64) {
      OREE_TRY_ASSIGN(Constant narrow, narrowed(value));
      // ONNX has no reals from 64 bits.
      std::optional<Quantization> q = value.quantization;
      ValueId twin = graph_.add_constant(value.name, std::move(narrow));
      graph_.set_quantization(twin, std::move(q));
      OREE_TRY_ASSIGN(ValueId real, reals_of(twin));
      return reals_[v] = real;
    }
    bool wide = value.dtype == Dtype::kInt32 &&
                std::ranges::all_of(value.quantization->zero_points, [](int64_t z) { return z == 0; });
    if (!wide) OREE_TRY(check_quantizable(value));
    Node dq = dequantize_node(graph_, v, *value.quantization, *value.dtype);
    dq.name = graph_.value(v).name + "_dequantize";
    ValueId real = graph_.add_value(graph_.unique_name(graph_.value(v).name + "_dequantized"), Dtype::kFloat32,
                                    graph_.value(v).dims);
    dq.outputs = {real};
    graph_.add_node(std::move(dq), home(v));
    return reals_[v] = real;
  }

  static Result<Constant> narrowed(const Value& value) {
    std::vector<int64_t> wide = value.constant->to_ints();
    Tensor narrow(Dtype::kInt32, value.constant->shape());
    for (size_t i = 0; i < wide.size(); ++i) {
      if (wide[i] < INT32_MIN || wide[i] > INT32_MAX) {
        return Error(Code::kUnsupported, fmt::format("'{}' has an integer of more than 32 bits", value.name));
      }
      narrow.as<int32_t>()[i] = static_cast<int32_t>(wide[i]);
    }
    return Constant(std::move(narrow));
  }

  BlockId home(ValueId v) const {
    NodeId producer = graph_.value(v).producer;
    if (producer != kNoNode) return graph_.node(producer).block;
    auto input = home_.find(v);
    return input == home_.end() ? kMainBlock : input->second;
  }

  Graph& graph_;
  std::map<ValueId, BlockId> home_;  // of blocks' inputs
  std::map<ValueId, ValueId> reals_;
};

// Relu and Clip behind an operator whose result they cut: the rounding of both is one, so the pair between them goes.
int drop_pairs_before_bounds(Graph& graph) {
  int dropped = 0;
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if ((!node.is("Relu") && !node.is("Clip")) || node.output(0) == kNoValue) continue;
    NodeId after = graph.only_user(node.outputs[0]);
    const Node* dq = made_by(graph, node.inputs[0], "DequantizeLinear");
    if (dq == nullptr || after == kNoNode || !graph.node(after).is("QuantizeLinear")) continue;
    const Node* q = made_by(graph, dq->inputs[0], "QuantizeLinear");
    if (q == nullptr || graph.only_user(dq->outputs[0]) != id || graph.only_user(q->outputs[0]) == kNoNode) continue;
    if (q->block != node.block || !same_parameters(graph, *q, graph.node(after))) continue;
    graph.set_input(id, 0, q->inputs[0]);
    ++dropped;
  }
  return dropped;
}

}  // namespace

PassResult expand_quantization(Graph& graph) {
  OREE_TRY_ASSIGN(int changed, Expander(graph).run());
  if (changed == 0) return 0;
  drop_pairs_before_bounds(graph);
  OREE_TRY(remove_dead(graph));
  return changed;
}

}  // namespace oree
