// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/emit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>

#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/quantization_nodes.h"
#include "optimize/quantize/float_between.h"
#include "optimize/quantize/integer_products.h"

namespace oree {
namespace {

class Emitter {
 public:
  Emitter(Graph& graph, const Plan& plan) : graph_(graph), plan_(plan), values_(graph.value_count()) {}

  Status run() {
    std::vector<std::pair<NodeId, ValueId>> products;  // and what they take
    for (const LayerPlace& layer : plan_.placement.layers) {
      if (layer.role != Role::kWeighted || !plan_.weights.contains(layer.node)) continue;
      if (layer.leaves && plan_.dialect.leaving == Leaving::kProducts) {
        products.emplace_back(layer.node, graph_.node(layer.node).inputs[0]);
      } else {
        OREE_TRY(put_weights(layer));
      }
    }
    for (const auto& [node, bias] : plan_.float_biases) {
      const Constant constant = Constant::of_floats(bias, {static_cast<int64_t>(bias.size())});
      graph_.set_input(node, 2, graph_.add_constant(bias_name(graph_.node(node)), constant));
    }
    for (ValueId v = 0; v < static_cast<ValueId>(values_); ++v) {
      if (plan_.placement.quantized(v)) put_pair(v);
    }
    for (const auto& [node, operand] : products) put_sums(node, operand);
    return infer_types(graph_);
  }

 private:
  const LayerPlace* layer_of(NodeId n) const {
    if (n == kNoNode || static_cast<size_t>(n) >= plan_.placement.layer_of.size()) return nullptr;
    int at = plan_.placement.layer_of[static_cast<size_t>(n)];
    return at < 0 ? nullptr : &plan_.placement.layers[static_cast<size_t>(at)];
  }

  Quantization parameters(ValueId v) const {
    const Affine& a = plan_.groups[static_cast<size_t>(plan_.placement.group_of[static_cast<size_t>(v)])];
    return Quantization{{a.scale}, {a.zero_point}, -1};
  }

  // The layer's result: made by it, or by the bound fused behind it.
  bool made_in_integers(ValueId v) const {
    return std::ranges::any_of(plan_.placement.layers, [&](const LayerPlace& l) {
      return l.result == v || graph_.value(v).producer == l.node;
    });
  }

  void put_pair(ValueId v) {
    const Value value = graph_.value(v);
    const LayerPlace* maker = layer_of(value.producer);
    const bool integers = made_in_integers(v);
    // What is only moved stands on the grid already.
    if (!plan_.dialect.results && maker != nullptr && (maker->role == Role::kMoves || maker->role == Role::kJoins))
      return;
    const std::vector<NodeId> users = value.users;
    const Dtype dtype = plan_.dialect.activations.dtype;
    Quantization q = parameters(v);
    ValueId packed = kNoValue;
    if (value.constant) {
      packed = graph_.add_constant(value.name + "_quantized", quantized_constant(*value.constant, q));
    } else {
      packed = put_node(graph_, quantize_node(graph_, v, q, dtype), value.name + "_quantized", dtype, value.dims);
    }
    packed_[v] = packed;
    ValueId reals = put_node(graph_, dequantize_node(graph_, packed, q, dtype), value.name + "_dequantized",
                             Dtype::kFloat32, value.dims);
    const bool everywhere = plan_.dialect.results && integers;
    for (NodeId user : users) {
      const Node& node = graph_.node(user);
      const LayerPlace* layer = layer_of(user);
      std::vector<size_t> operands;
      if (layer != nullptr) operands = operands_of(graph_, node, layer->role);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        bool takes = std::ranges::find(operands, i) != operands.end();
        if (graph_.node(user).inputs[i] == v && (takes || everywhere)) graph_.set_input(user, i, reals);
      }
    }
    if (everywhere && graph_.is_output(v)) give_out(v, reals);
  }

  // The graph's output of that name is what the integers stand for.
  void give_out(ValueId v, ValueId reals) {
    const std::string name = graph_.value(v).name;
    for (BlockId b = 0; b < static_cast<BlockId>(graph_.block_count()); ++b) {
      for (size_t i = 0; i < graph_.block(b).outputs.size(); ++i) {
        if (graph_.block(b).outputs[i] == v) graph_.set_output(b, i, reals);
      }
    }
    for (size_t i = 0; i < graph_.states().size(); ++i) {
      if (graph_.states()[i].output == v) graph_.set_state_output(i, reals);
    }
    graph_.rename(v, graph_.unique_name(name + "_real"));
    graph_.rename(reals, name);
  }

  Constant quantized_constant(const Constant& constant, const Quantization& q) const {
    const IntegerGrid& grid = plan_.dialect.activations;
    std::vector<int32_t> integers;
    for (double x : constant.to_doubles())
      integers.push_back(static_cast<int32_t>(to_integer(x, {q.scales[0], q.zero_points[0]}, grid)));
    return pack_integers(integers, constant.shape(), grid.dtype);
  }

  // --- weights
  Status put_weights(const LayerPlace& layer) {
    const NodeId n = layer.node;
    const Node node = graph_.node(n);
    LayerWeights w = plan_.weights.at(n);
    const bool integer_biases = plan_.dialect.biases && !layer.leaves;
    if (integer_biases && !w.bias.empty()) fit_bias(node, w);
    const Value constant = graph_.value(node.inputs[1]);
    ValueId packed = graph_.add_constant(constant.name + "_quantized", w.integers);
    Quantization q{w.scales, std::vector<int64_t>(w.scales.size(), 0), w.axis};
    graph_.set_input(n, 1,
                     put_node(graph_, dequantize_node(graph_, packed, q, w.integers.dtype()),
                              constant.name + "_dequantized", Dtype::kFloat32, constant.dims));
    if (layer.leaves) graph_.set_attribute(n, "tflite.hybrid", int64_t{1});
    if (w.bias.empty()) return {};
    ValueId bias =
        integer_biases
            ? integer_bias(node, w)
            : graph_.add_constant(bias_name(node), Constant::of_floats(w.bias, {static_cast<int64_t>(w.bias.size())}));
    graph_.set_input(n, 2, bias);
    return {};
  }

  // Integer products of integers, and what they stand for in float: real = (scale of x * scale of w) * sum + bias.
  void put_sums(NodeId n, ValueId operand) {
    const Quantization x = parameters(operand);
    const std::vector<int32_t> zero{static_cast<int32_t>(x.zero_points[0])};
    ProductOperand taken{packed_.at(operand), kNoValue, kNoValue, x.scales[0]};
    taken.zero_point = graph_.add_constant(graph_.value(graph_.node(n).outputs[0]).name + "_zero",
                                           pack_integers(zero, {}, plan_.dialect.activations.dtype));
    put_products(graph_, n, plan_.weights.at(n), taken);
  }

  std::string bias_name(const Node& node) const {
    if (node.input(2) != kNoValue) return graph_.value(node.inputs[2]).name;
    return graph_.value(node.outputs[0]).name + "_bias";
  }

  double bias_scale(const Node& node, const LayerWeights& w, size_t channel) const {
    float x = parameters(node.inputs[0]).scales[0];
    return static_cast<double>(x * w.scales[w.axis < 0 ? 0 : channel]);
  }

  // A bias that 32 bits of the products' scale cannot hold gets a coarser scale for its channel's weights.
  void fit_bias(const Node& node, LayerWeights& w) const {
    constexpr double kMax = 0x1p31 - 256;  // short of the end: the accumulator adds products
    constexpr double kLeast = std::numeric_limits<float>::min();
    std::vector<double> grow(w.scales.size(), 1);
    for (size_t c = 0; c < w.bias.size(); ++c) {
      size_t at = w.axis < 0 ? 0 : c;
      // Not bias_scale(): of a dead channel's weights the product may be 0 in float.
      double scale = static_cast<double>(parameters(node.inputs[0]).scales[0]) * static_cast<double>(w.scales[at]);
      double least = std::max(std::abs(static_cast<double>(w.bias[c])) / kMax, kLeast);
      grow[at] = std::max(grow[at], least / scale);
    }
    if (std::ranges::all_of(grow, [](double g) { return g <= 1; })) return;
    for (size_t i = 0; i < grow.size(); ++i) {
      if (grow[i] > 1) w.scales[i] = static_cast<float>(w.scales[i] * grow[i] * 1.0001);
    }
    // Of that channel alone: the others' integers may be rounded otherwise than to nearest.
    const Tensor real = graph_.constant(node.inputs[1])->to_tensor();
    const std::vector<int32_t> coarser =
        quantize_weights(real.as<float>(), real.shape(), w.axis, w.scales, weight_grid(graph_, node, plan_.dialect));
    size_t inner = 1;
    for (size_t d = static_cast<size_t>(w.axis + 1); d < real.shape().size(); ++d)
      inner *= static_cast<size_t>(real.shape()[d]);
    std::vector<int32_t> integers = unpack_integers(w.integers);
    for (size_t i = 0; i < coarser.size(); ++i) {
      if (grow[w.axis < 0 ? 0 : i / inner % grow.size()] > 1) integers[i] = coarser[i];
    }
    w.integers = pack_integers(integers, real.shape(), w.integers.dtype());
  }

  ValueId integer_bias(const Node& node, const LayerWeights& w) {
    std::vector<int32_t> integers;
    Quantization q{{}, {}, w.axis < 0 ? -1 : 0};
    for (size_t c = 0; c < w.bias.size(); ++c) {
      integers.push_back(static_cast<int32_t>(std::nearbyint(static_cast<double>(w.bias[c]) / bias_scale(node, w, c))));
      if (w.axis < 0 && c > 0) continue;
      q.scales.push_back(static_cast<float>(bias_scale(node, w, c)));
      q.zero_points.push_back(0);
    }
    Shape shape{static_cast<int64_t>(integers.size())};
    std::string name = bias_name(node);
    ValueId packed = graph_.add_constant(name + "_quantized", pack_integers(integers, shape, Dtype::kInt32));
    return put_node(graph_, dequantize_node(graph_, packed, q, Dtype::kInt32), name + "_dequantized", Dtype::kFloat32,
                    to_dims(shape));
  }

  Graph& graph_;
  const Plan& plan_;
  size_t values_;                      // before anything was added
  std::map<ValueId, ValueId> packed_;  // a quantized value as integers
};

}  // namespace

Status emit(Graph& graph, const Plan& plan) {
  OREE_TRY(Emitter(graph, plan).run());
  if (plan.dialect.engine == "onnxruntime") keep_float_between_integers(graph);
  OREE_TRY(remove_dead(graph));
  return {};
}

}  // namespace oree
