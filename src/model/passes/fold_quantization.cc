// SPDX-License-Identifier: Apache-2.0
// What an operator of TFLite asks of quantized values, and QDQ patterns that have it.
#include "model/passes/fold_quantization.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/passes/passes.h"
#include "model/reference/interpreter.h"

namespace oree {
namespace {

enum class Needs {
  kWeights,    // a second operand of constants, symmetric; a bias in the scale of the products
  kOwnScales,  // each operand and the result has a scale of its own
  kOneScale,   // the result has that of its operand
  kJoined,     // all operands have that of the result
  kFixed,      // the result has a scale that the operator prescribes
};

struct Rule {
  std::string_view op;
  Needs needs;
  bool wide = false;  // TFLite has it of 16 bits, too
  double scale_8 = 0, scale_16 = 0;
  int64_t zero_8 = 0;
};

constexpr Rule kRules[] = {
    {"Abs", Needs::kOwnScales},
    {"Add", Needs::kOwnScales, true},
    {"AveragePool", Needs::kOneScale, true},
    {"Clip", Needs::kOneScale, true},
    {"Concat", Needs::kJoined, true},
    {"Conv", Needs::kWeights, true},
    {"ConvTranspose", Needs::kWeights, true},
    {"Elu", Needs::kOwnScales},
    {"Gelu", Needs::kOwnScales},
    {"Gemm", Needs::kWeights, true},
    {"GlobalAveragePool", Needs::kOwnScales, true},
    {"HardSwish", Needs::kOwnScales},
    {"LeakyRelu", Needs::kOwnScales, true},
    {"LogSoftmax", Needs::kFixed, false, 16.0 / 256, 0, 127},
    {"MatMul", Needs::kOwnScales},
    {"Max", Needs::kJoined},
    {"Min", Needs::kJoined},
    {"Mul", Needs::kOwnScales, true},
    {"PRelu", Needs::kOwnScales},
    {"ReduceMean", Needs::kOwnScales, true},
    {"Relu", Needs::kOwnScales, true},
    {"Resize", Needs::kOneScale},
    {"Sigmoid", Needs::kFixed, true, 1.0 / 256, 1.0 / 32768, -128},
    {"Softmax", Needs::kFixed, true, 1.0 / 256, 1.0 / 32768, -128},
    {"Sub", Needs::kOwnScales, true},
    {"Tanh", Needs::kFixed, true, 1.0 / 128, 1.0 / 32768, 0},
    {"Where", Needs::kJoined},
};

class Folder {
 public:
  Folder(Graph& graph, NodeId id) : graph_(graph), id_(id), node_(graph.node(id)) {}

  bool fold() {
    auto rule = std::ranges::find(kRules, node_.op, &Rule::op);
    if (!node_.domain.empty() || rule == std::end(kRules) || node_.outputs.size() != 1) return false;
    if (!find_result(*rule) || !find_operands(*rule)) return false;
    if (dtype_ == Dtype::kInt16 && !all_centred()) return false;
    if (rule->needs == Needs::kWeights) return fold_weighted();
    if (rule->needs == Needs::kOneScale) inside_ = operands_[0]->q;
    if (rule->needs == Needs::kFixed) {
      bool wide = dtype_ == Dtype::kInt16;
      inside_ = Quantization{{static_cast<float>(wide ? rule->scale_16 : rule->scale_8)}, {wide ? 0 : rule->zero_8}};
    }
    take_operands(rule->needs == Needs::kJoined);
    finish();
    return true;
  }

 private:
  // The QuantizeLinear behind it, or behind the bound that its result is cut to.
  bool find_result(const Rule& rule) {
    ValueId out = node_.outputs[0];
    NodeId user = graph_.only_user(out);
    bool own = rule.needs == Needs::kWeights || node_.is("Add") || node_.is("Sub") || node_.is("Mul") ||
               node_.is("AveragePool");
    if (own && user != kNoNode && cuts(graph_.node(user)) && graph_.node(user).block == node_.block) {
      bound_ = user;
      out = graph_.node(user).outputs[0];
    }
    after_ = quantizers(graph_, out);
    if (after_.empty()) return false;
    const Node& q = graph_.node(after_[0]);
    result_ = *parameters_of(graph_, q);
    dtype_ = graph_.value(q.outputs[0]).dtype.value_or(Dtype::kFloat32);
    bool known = dtype_ == Dtype::kInt8 || (dtype_ == Dtype::kInt16 && rule.wide);
    return known && !result_.per_axis() && result_.scales[0] > 0 &&
           std::ranges::all_of(after_, [&](NodeId a) { return graph_.node(a).block == node_.block; });
  }

  // Relu, or Clip with constant bounds.
  bool cuts(const Node& node) const {
    if (node.is("Relu")) return true;
    auto constant = [&](size_t i) { return node.input(i) == kNoValue || constant_scalar(graph_, node.inputs[i]); };
    return node.is("Clip") && constant(1) && constant(2);
  }

  // Those inputs that are reals: indices, conditions and bounds are not.
  size_t first_operand() const { return node_.is("Where") ? 1 : 0; }
  size_t operand_count() const {
    if (node_.is("Concat") || node_.is("Max") || node_.is("Min")) return node_.inputs.size();
    if (node_.is("Add") || node_.is("Sub") || node_.is("Mul") || node_.is("MatMul") || node_.is("PRelu")) return 2;
    return node_.is("Where") ? 2 : 1;
  }

  bool find_operands(const Rule& rule) {
    size_t n = operand_count();
    if ((node_.is("Max") || node_.is("Min")) && n != 2) return false;
    if (node_.is("Elu") && node_.real("alpha", 1) != 1) return false;
    if (node_.is("AveragePool") && node_.integer("count_include_pad", 0) != 0 && node_.find("pads")) return false;
    if (node_.is("AveragePool") && !pads_are_same(graph_, node_)) return false;
    if (node_.is("Resize") && (node_.text("mode", "nearest") != "linear" || node_.input(1) != kNoValue)) return false;
    if (node_.is("Clip") && !cuts(node_)) return false;
    if ((node_.is("Softmax") || node_.is("LogSoftmax")) && !along_last()) return false;
    for (size_t i = first_operand(); i < first_operand() + n; ++i) {
      std::optional<Dequantized> x = dequantized(graph_, node_.input(i));
      if (!x && rule.needs == Needs::kOwnScales) x = one_number(node_.input(i));
      if (!x || x->dtype != dtype_ || !(x->q.scales[0] > 0)) return false;
      operands_.push_back(x);
    }
    return true;
  }

  bool along_last() const {
    std::optional<size_t> rank = rank_of(graph_, node_.inputs[0]);
    if (!rank || *rank < 1) return false;
    return positive_axis(node_.integer("axis", -1), *rank) == static_cast<int64_t>(*rank) - 1;
  }

  // A constant of one number has a scale that says it exactly.
  std::optional<Dequantized> one_number(ValueId v) {
    const Constant* c = graph_.constant(v);
    if (c == nullptr || c->dtype() != Dtype::kFloat32 || c->elements() != 1) return std::nullopt;
    auto number = static_cast<float>(c->to_doubles()[0]);
    if (!std::isfinite(number)) return std::nullopt;
    const Shape shape = c->shape();
    Tensor t(dtype_, shape);
    int64_t step = number < 0 ? -1 : number > 0 ? 1 : 0;
    std::ranges::fill(std::span(t.data(), dtype_size(dtype_)), static_cast<uint8_t>(step == -1 ? 0xFF : 0));
    if (step == 1) t.data()[0] = 1;
    Dequantized out{graph_.add_constant(graph_.value(v).name, Constant(std::move(t))),
                    Quantization{{step == 0 ? 1.0F : std::abs(number)}, {0}}, dtype_};
    return out;
  }

  bool all_centred() const {
    auto centred = [](const Quantization& q) { return q.zero_points[0] == 0; };
    return centred(result_) && std::ranges::all_of(operands_, [&](const auto& x) { return centred(x->q); });
  }

  void take_operands(bool joined) {
    for (size_t i = 0; i < operands_.size(); ++i) {
      Dequantized& x = *operands_[i];
      graph_.set_quantization(x.integers, x.q);
      ValueId v = x.integers;
      if (joined && x.q != result_) {
        v = graph_.add_value(graph_.unique_name(graph_.value(v).name + "_rescaled"), dtype_, graph_.value(v).dims);
        graph_.set_quantization(v, result_);
        Node again = quantize_node(graph_, x.integers, result_, dtype_);
        again.outputs = {v};
        graph_.add_node(std::move(again), node_.block);
      }
      graph_.set_input(id_, first_operand() + i, v);
    }
  }

  // The node makes integers: those of QuantizeLinear itself, or ones that it brings to its scale.
  void finish() {
    Quantization scale = inside_.value_or(result_);
    NodeId last = bound_ == kNoNode ? id_ : bound_;
    if (bound_ != kNoNode) {
      graph_.set_type(node_.outputs[0], dtype_, graph_.value(node_.outputs[0]).dims);
      graph_.set_quantization(node_.outputs[0], scale);
    }
    ValueId reals = graph_.node(last).outputs[0];
    if (scale == result_ && after_.size() == 1) {
      ValueId y = graph_.node(after_[0]).outputs[0];
      graph_.remove_node(after_[0]);
      graph_.set_outputs(last, {y});
      graph_.set_quantization(y, scale);
      return;
    }
    // TFLite's QUANTIZE, of integers.
    graph_.set_type(reals, dtype_, graph_.value(reals).dims);
    graph_.set_quantization(reals, scale);
    for (NodeId a : after_) graph_.set_quantization(graph_.node(a).outputs[0], result_);
  }

  // --- weights
  bool fold_weighted() {
    bool transposed = node_.is("ConvTranspose"), gemm = node_.is("Gemm");
    std::optional<Dequantized> w = dequantized(graph_, node_.input(1), true);
    if (!w || w->dtype != Dtype::kInt8) return false;
    const Constant* constant = graph_.constant(w->integers);
    if (constant == nullptr || std::ranges::any_of(w->q.zero_points, [](int64_t z) { return z != 0; })) return false;
    const Shape shape = constant->shape();
    int64_t group = gemm ? 1 : node_.integer("group", 1);
    if (gemm) {
      if (node_.real("alpha", 1) != 1 || node_.real("beta", 1) != 1 || node_.integer("transA", 0) != 0) return false;
    } else if (shape.size() > 4 || (group != 1 && transposed)) {
      return false;
    }
    int channels = gemm ? (node_.integer("transB", 0) != 0 ? 0 : 1) : transposed ? 1 : 0;
    if (shape.size() <= static_cast<size_t>(channels) || (w->q.per_axis() && w->q.axis != channels)) return false;
    std::optional<ValueId> bias = bias_of(*w, shape[static_cast<size_t>(channels)]);
    if (!bias) return false;
    graph_.set_quantization(w->integers, w->q);
    graph_.set_input(id_, 1, w->integers);
    if (*bias != kNoValue) graph_.set_input(id_, 2, *bias);
    take_operands(false);
    finish();
    return true;
  }

  // Integers in the scale of the products; kNoValue: there is none. Nothing: it is computed, or too large.
  std::optional<ValueId> bias_of(const Dequantized& w, int64_t channels) {
    if (node_.input(2) == kNoValue) return kNoValue;
    std::vector<double> reals;
    if (const Constant* c = graph_.constant(node_.inputs[2])) {
      reals = c->to_doubles();
    } else if (std::optional<Dequantized> given = dequantized(graph_, node_.inputs[2], true)) {
      const Constant* integers = graph_.constant(given->integers);
      if (integers == nullptr) return std::nullopt;
      reals = integers->to_doubles();
      for (size_t i = 0; i < reals.size(); ++i) {
        size_t k = given->q.per_axis() ? i % given->q.scales.size() : 0;
        reals[i] = (reals[i] - static_cast<double>(given->q.zero_points[k])) * static_cast<double>(given->q.scales[k]);
      }
    }
    if (static_cast<int64_t>(reals.size()) != channels) return std::nullopt;
    Quantization q = sum_quantization(operands_[0]->q, w.q);
    Tensor narrow(Dtype::kInt32, {channels}), wide(Dtype::kInt64, {channels});
    for (size_t i = 0; i < reals.size(); ++i) {
      auto scale = static_cast<double>(q.scales[q.per_axis() ? i : 0]);
      double steps = scale > 0 ? std::round(reals[i] / scale) : 0;
      if (!(std::abs(steps) < 0x1p31) || (scale == 0 && reals[i] != 0)) return std::nullopt;
      narrow.as<int32_t>()[i] = static_cast<int32_t>(steps);
      wide.as<int64_t>()[i] = static_cast<int64_t>(steps);
    }
    ValueId out = graph_.add_constant(graph_.value(node_.inputs[2]).name,
                                      Constant(dtype_ == Dtype::kInt16 ? std::move(wide) : std::move(narrow)));
    graph_.set_quantization(out, q);
    return out;
  }

  Graph& graph_;
  NodeId id_;
  const Node node_;  // as it was
  NodeId bound_ = kNoNode;
  std::vector<NodeId> after_;
  std::vector<std::optional<Dequantized>> operands_;
  Quantization result_;
  std::optional<Quantization> inside_;  // how the operator itself makes it, when that is another
  Dtype dtype_ = Dtype::kFloat32;
};

// MatMul by constants is Gemm, which has a bias; a constant row that is added is that.
bool as_gemm(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  if (!node.is("MatMul") || rank_of(graph, node.inputs[0]) != size_t{2} || rank_of(graph, node.inputs[1]) != size_t{2})
    return false;
  std::optional<Dequantized> w = dequantized(graph, node.inputs[1], true);
  if (!w || graph.constant(w->integers) == nullptr) return false;
  graph.set_op(id, "Gemm");
  NodeId user = graph.only_user(node.outputs[0]);
  if (user == kNoNode || !graph.node(user).is("Add") || graph.node(user).block != node.block) return true;
  const Node add = graph.node(user);
  ValueId row = add.inputs[add.inputs[0] == node.outputs[0] ? 1 : 0];
  const Constant* c = graph.constant(row);
  int64_t columns = graph.constant(w->integers)->shape()[1];
  if (c == nullptr || c->elements() != columns || c->shape().empty() || c->shape().back() != columns) return true;
  ValueId flat = c->shape().size() == 1 ? row : graph.add_constant(graph.value(row).name, c->reshaped({columns}));
  graph.remove_node(user);
  graph.set_outputs(id, {add.outputs[0]});
  graph.set_input(id, 2, flat);
  return true;
}

// QuantizeLinear of integers of another scale: TFLite's QUANTIZE takes them as they are.
bool rescale(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  std::optional<Quantization> to = node.is("QuantizeLinear") ? parameters_of(graph, node) : std::nullopt;
  std::optional<Dequantized> x = to ? dequantized(graph, node.inputs[0]) : std::nullopt;
  if (!x || to->per_axis() || graph.constant(x->integers) != nullptr) return false;
  graph.set_quantization(x->integers, x->q);
  graph.set_quantization(node.outputs[0], to);
  graph.set_input(id, 0, x->integers);
  return true;
}

// A layer that is to take float activations and integer weights, as the hint says: the weights lose their
// DequantizeLinear and keep how they stand for reals.
void make_hybrid(Graph& graph, NodeId id) {
  if (graph.node(id).integer("tflite.hybrid", 0) == 0) return;
  std::optional<Dequantized> w = dequantized(graph, graph.node(id).input(1), true);
  if (!w || graph.constant(w->integers) == nullptr || (w->dtype != Dtype::kInt8 && w->dtype != Dtype::kInt4)) return;
  graph.set_quantization(w->integers, w->q);
  graph.set_input(id, 1, w->integers);
}

// Constants that stay in float, but for those that a hint wants stored as they are: TFLite's DEQUANTIZE has no int32,
// nor in every engine a scale a slice.
Status make_float(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const Constant* integers = node.is("DequantizeLinear") ? graph.constant(node.inputs[0]) : nullptr;
  if (integers == nullptr || node.integer("tflite.stored", 0) != 0) return {};
  std::optional<Quantization> q = parameters_of(graph, node);
  if (!q || (!q->per_axis() && quantizes_to(integers->dtype()))) return {};
  std::vector<Tensor> operands;
  std::vector<const Tensor*> inputs;
  for (ValueId v : node.inputs) {
    if (v != kNoValue) operands.push_back(graph.constant(v)->to_tensor());
  }
  for (size_t i = 0, k = 0; i < node.inputs.size(); ++i) {
    inputs.push_back(node.inputs[i] == kNoValue ? nullptr : &operands[k++]);
  }
  ReferenceLimits left;
  OREE_TRY_ASSIGN(std::vector<Tensor> made, evaluate_node(graph, id, inputs, left));
  graph.remove_node(id);
  graph.set_constant(node.outputs[0], Constant(std::move(made.at(0))));
  return {};
}

}  // namespace

bool fold_node(Graph& graph, NodeId node) { return Folder(graph, node).fold(); }

PassResult fold_quantization(Graph& graph) {
  bool any = std::ranges::any_of(graph.all_nodes(), [&](NodeId id) { return graph.node(id).is("DequantizeLinear"); });
  if (!any) return 0;
  // A graph of TFLite's says what is quantized and what is not.
  if (graph.has_quantization()) return 0;
  OREE_TRY(merge_common(graph));
  int changed = prefer_int8(graph);
  for (NodeId id : living_nodes(graph)) {
    if (!graph.node(id).removed) changed += as_gemm(graph, id);
  }
  graph.sweep();
  changed += give_scales(graph);
  changed += move_among_integers(graph);
  for (NodeId id : living_nodes(graph)) {
    if (!graph.node(id).removed) changed += fold_node(graph, id);
  }
  graph.sweep();
  for (NodeId id : living_nodes(graph)) changed += rescale(graph, id);
  for (NodeId id : living_nodes(graph)) make_hybrid(graph, id);
  for (NodeId id : living_nodes(graph)) OREE_TRY(make_float(graph, id));
  graph.sweep();
  OREE_TRY(remove_dead(graph));
  OREE_TRY(infer_types(graph));
  return changed;
}

}  // namespace oree
