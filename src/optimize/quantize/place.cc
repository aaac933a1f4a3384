// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/place.h"

#include <algorithm>
#include <numeric>

#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr int64_t kFewWeights = 64;

bool is_float(const Graph& graph, ValueId v) { return v != kNoValue && graph.value(v).dtype == Dtype::kFloat32; }

bool constant_or_absent(const Graph& graph, const Node& node, size_t input) {
  return node.input(input) == kNoValue || graph.constant(node.inputs[input]) != nullptr;
}

// Relu, or Clip by constants.
bool is_bound(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return true;
  return node.is("Clip") && constant_or_absent(graph, node, 1) && constant_or_absent(graph, node, 2);
}

std::string weights_refused(const Graph& graph, const Node& node, const Dialect& dialect) {
  const Constant* w = graph.constant(node.input(1));
  if (w == nullptr || w->dtype() != Dtype::kFloat32) return "its weights are not constant";
  if (!constant_or_absent(graph, node, 2)) return "its bias is not constant";
  if (node.is("MatMul") && w->shape().size() != 2) return "its weights are no matrix";
  if (dialect.tflite && w->shape().size() > 4) return "the engine convolves three dimensions in float alone";
  const Constant* bias = graph.constant(node.input(2));
  if (node.is("Gemm") && bias != nullptr && bias->elements() != w->shape()[node.integer("transB", 0) != 0 ? 0 : 1])
    return "its bias is not one number a channel";
  if (node.is("Gemm") && (node.integer("transA", 0) != 0 || node.real("alpha", 1) != 1 || node.real("beta", 1) != 1))
    return "its product is scaled or transposed";
  return "";
}

}  // namespace

bool has_few_weights(const Graph& graph, const Node& node) {
  const Constant* weights = graph.constant(node.input(1));
  return weights != nullptr && weights->elements() < kFewWeights;
}

std::vector<bool> values_leading_to(const Graph& graph, const std::function<bool(NodeId)>& wanted) {
  std::vector<bool> leading(graph.value_count(), false);
  const std::vector<NodeId> order = graph.order();
  for (auto n = order.rbegin(); n != order.rend(); ++n) {
    const Node& node = graph.node(*n);
    bool leads = wanted(*n);
    for (ValueId v : node.outputs) leads |= v != kNoValue && leading[static_cast<size_t>(v)];
    if (!leads) continue;
    for (ValueId v : node.inputs) {
      if (v != kNoValue) leading[static_cast<size_t>(v)] = true;
    }
  }
  return leading;
}

std::vector<size_t> operands_of(const Graph& graph, const Node& node, Role role) {
  std::vector<size_t> operands;
  if (role == Role::kFloat) return operands;
  if (role == Role::kWeighted || role == Role::kMoves) return {0};
  size_t last = node.inputs.size();
  if (node.is("ReduceMean")) last = 1;
  for (size_t i = 0; i < last; ++i) {
    if (is_float(graph, node.inputs[i])) operands.push_back(i);
  }
  return operands;
}

Role role_of(const Graph& graph, const Node& node, const Dialect& dialect, std::string& why) {
  const OpRule* rule = node.domain.empty() ? dialect.rule(node.op) : nullptr;
  if (rule == nullptr) {
    why = "the engine has no such operator in integers";
    return Role::kFloat;
  }
  if (!is_float(graph, node.input(0)) || !is_float(graph, node.output(0))) {
    why = "its operands are no float32";
    return Role::kFloat;
  }
  Role role = rule->role;
  if (node.is("MatMul") && graph.constant(node.input(1)) != nullptr) role = Role::kWeighted;
  if (role == Role::kWeighted) {
    why = weights_refused(graph, node, dialect);
    return why.empty() ? role : Role::kFloat;
  }
  if (node.is("Gather") && graph.constant(node.input(0)) != nullptr) {
    why = "it looks up constants";
    return Role::kFloat;
  }
  if (node.is("Resize") && (!dialect.tflite || dialect.activations.dtype == Dtype::kInt16) &&
      node.text("mode", "nearest") != "nearest") {
    why = "it interpolates";
    return Role::kFloat;
  }
  if (node.is("AveragePool") && node.integer("count_include_pad", 0) != 0 && node.find("pads") != nullptr &&
      dialect.tflite) {
    why = "its average counts the padding";
    return Role::kFloat;
  }
  if (node.is("AveragePool") && dialect.tflite && !pads_are_same(graph, node)) {
    why = "its average must not count the padding";
    return Role::kFloat;
  }
  if (node.is("MaxPool") && node.outputs.size() > 1 && node.output(1) != kNoValue) {
    why = "it gives out indices";
    return Role::kFloat;
  }
  return role;
}

namespace {

class Placer {
 public:
  Placer(const Graph& graph, const Dialect& dialect, const std::set<NodeId>& keep_float)
      : graph_(graph), dialect_(dialect), keep_float_(keep_float), order_(graph.order()) {
    placed_.layer_of.assign(graph.node_count(), -1);
    placed_.group_of.assign(graph.value_count(), -1);
    placed_.float_because.resize(graph.node_count());
    roles_.assign(graph.node_count(), Role::kFloat);
    fused_.assign(graph.node_count(), false);
    activation_.assign(graph.node_count(), kNoNode);
  }

  GraphPlacement place() {
    for (NodeId n : order_) classify(n);
    drop_unfed();
    if (!dialect_.tail) {
      drop_tail();
      drop_unused();
    }
    find_leads();
    for (NodeId n : order_) {
      if (role(n) != Role::kFloat) add_layer(n);
    }
    tie();
    return std::move(placed_);
  }

 private:
  Role& role(NodeId n) { return roles_[static_cast<size_t>(n)]; }
  NodeId& activation(NodeId n) { return activation_[static_cast<size_t>(n)]; }
  std::string& because(NodeId n) { return placed_.float_because[static_cast<size_t>(n)]; }

  void classify(NodeId n) {
    const Node& node = graph_.node(n);
    if (fused_[static_cast<size_t>(n)] || std::ranges::all_of(node.inputs, [&](ValueId v) { return fixed(v); })) return;
    role(n) = role_of(graph_, node, dialect_, because(n));
    if (role(n) != Role::kFloat && keep_float_.contains(n)) {
      role(n) = Role::kFloat;
      because(n) = "left in float for its accuracy";
    }
    if (role(n) == Role::kWeighted || node.is("Add") || node.is("Sub") || node.is("Mul")) fuse_bound(n);
  }

  bool fixed(ValueId v) const { return v == kNoValue || graph_.constant(v) != nullptr; }

  // A bound on the result costs nothing where the integers end there.
  void fuse_bound(NodeId n) {
    if (role(n) == Role::kFloat) return;
    NodeId user = graph_.only_user(graph_.node(n).outputs[0]);
    if (user == kNoNode || graph_.node(user).block != kMainBlock || !is_bound(graph_, graph_.node(user))) return;
    activation(n) = user;
    fused_[static_cast<size_t>(user)] = true;
  }

  ValueId result(NodeId n) { return graph_.node(activation(n) == kNoNode ? n : activation(n)).outputs[0]; }

  NodeId layer_making(ValueId v) {
    NodeId maker = graph_.value(v).producer;
    if (maker == kNoNode || graph_.node(maker).block != kMainBlock) return kNoNode;
    if (fused_[static_cast<size_t>(maker)]) maker = graph_.value(graph_.node(maker).inputs[0]).producer;
    return maker;
  }

  // What only moves, joins or adds is in integers where its operands come from such, or from the graph's inputs; else
  // it would be quantized for its own sake. To come from one is enough for what must join or add.
  void drop_unfed() {
    for (NodeId n : order_) {
      if (role(n) == Role::kFloat || role(n) == Role::kWeighted) continue;
      bool fed = true;
      for (size_t i : operands_of(graph_, graph_.node(n), role(n))) {
        ValueId v = graph_.node(n).inputs[i];
        NodeId maker = fixed(v) ? kNoNode : layer_making(v);
        if (maker != kNoNode && role(maker) == Role::kFloat) fed = false;
      }
      if (!fed && dialect_.results) leave_float(n, "what it takes is in float");
    }
  }

  void leave_float(NodeId n, const char* reason) {
    role(n) = Role::kFloat;
    because(n) = reason;
    if (activation(n) != kNoNode) fused_[static_cast<size_t>(activation(n))] = false;
    activation(n) = kNoNode;
  }

  // What no layer with weights follows gains nothing in integers, and mixes scales: the decoding of boxes and scores.
  void drop_tail() {
    std::vector<bool> wanted(graph_.value_count(), false);
    for (auto n = order_.rbegin(); n != order_.rend(); ++n) {
      const Node& node = graph_.node(*n);
      bool used = (role(*n) == Role::kWeighted && !has_few_weights(graph_, node)) || is_product(node);
      for (ValueId v : node.outputs) used |= v != kNoValue && wanted[static_cast<size_t>(v)];
      if (!used && role(*n) != Role::kFloat) leave_float(*n, "no layer with weights follows it");
      if (!used) continue;
      for (ValueId v : node.inputs) {
        if (v != kNoValue) wanted[static_cast<size_t>(v)] = true;
      }
    }
  }

  // What neither comes from integers nor goes to any: an image's transposition before a convolution in float.
  void drop_unused() {
    auto works = [&](NodeId n) { return role(n) == Role::kWeighted || is_product(graph_.node(n)); };
    std::vector<bool> from_integers(graph_.node_count(), false);
    for (NodeId n : order_) {
      if (role(n) == Role::kFloat) continue;
      bool from = works(n);
      for (size_t i : operands_of(graph_, graph_.node(n), role(n))) {
        const ValueId v = graph_.node(n).inputs[i];
        const NodeId maker = fixed(v) ? kNoNode : layer_making(v);
        from |= maker != kNoNode && from_integers[static_cast<size_t>(maker)];
      }
      from_integers[static_cast<size_t>(n)] = from;
    }
    for (auto n = order_.rbegin(); n != order_.rend(); ++n) {
      if (role(*n) == Role::kFloat || from_integers[static_cast<size_t>(*n)]) continue;
      if (!goes_to_integers(*n)) leave_float(*n, "neither what it takes nor what takes its result is in integers");
    }
  }

  bool goes_to_integers(NodeId n) {
    const std::vector<ValueId> results =
        activation(n) == kNoNode ? graph_.node(n).outputs : std::vector<ValueId>{result(n)};
    return std::ranges::any_of(results, [&](ValueId v) {
      return v != kNoValue && std::ranges::any_of(graph_.value(v).users, [&](NodeId user) {
               return graph_.node(user).block == kMainBlock && role(user) != Role::kFloat;
             });
    });
  }

  bool is_product(const Node& node) const { return node.is("MatMul"); }

  void add_layer(NodeId n) {
    placed_.layer_of[static_cast<size_t>(n)] = static_cast<int>(placed_.layers.size());
    placed_.layers.push_back({n, role(n), activation(n), result(n), leaves(n)});
  }

  // No layer with weights follows, in integers or in float. Grouped convolutions have no fast kernel that gives sums.
  bool leaves(NodeId n) {
    const Node& node = graph_.node(n);
    if (dialect_.leaving == Leaving::kRounded || role(n) != Role::kWeighted || node.is("ConvTranspose")) return false;
    if (node.integer("group", 1) != 1 || leads_[static_cast<size_t>(result(n))]) return false;
    const std::optional<Dims>&taken = graph_.value(node.inputs[0]).dims, &given = graph_.value(node.outputs[0]).dims;
    if (!taken || !given) return false;
    // TensorFlow Lite 2.17's hybrid convolution writes past its scratch memory when its input was resized.
    auto known = [](const Dim& dim) { return dim.known(); };
    if (dialect_.leaving == Leaving::kHybrid && node.is("Conv") && !std::ranges::all_of(*taken, known)) return false;
    return std::ranges::all_of(graph_.value(result(n)).users, [&](NodeId user) {
      return graph_.node(user).block == kMainBlock && role(user) == Role::kFloat;
    });
  }

  // By value: a layer with weights takes it, or what is made of it.
  void find_leads() {
    leads_ = values_leading_to(graph_, [&](NodeId n) {
      const Node& node = graph_.node(n);
      const OpRule* rule = node.domain.empty() ? dialect_.rule(node.op) : nullptr;
      bool weighted = rule != nullptr && rule->role == Role::kWeighted;
      return is_product(node) || (weighted && fixed(node.input(1)) && !has_few_weights(graph_, node));
    });
  }

  // --- groups
  int find(int v) {
    while (parent_[static_cast<size_t>(v)] != v) v = parent_[static_cast<size_t>(v)];
    return v;
  }
  void join(ValueId a, ValueId b) { parent_[static_cast<size_t>(find(b))] = find(a); }

  void tie() {
    parent_.resize(graph_.value_count());
    std::iota(parent_.begin(), parent_.end(), 0);
    std::vector<bool> quantized(graph_.value_count(), false);
    for (const LayerPlace& layer : placed_.layers) {
      const Node& node = graph_.node(layer.node);
      for (size_t i : operands_of(graph_, node, layer.role)) quantized[static_cast<size_t>(node.inputs[i])] = true;
      if ((dialect_.results && !layer.leaves) || layer.role == Role::kMoves || layer.role == Role::kJoins)
        mark_results(layer, quantized);
    }
    for (const LayerPlace& layer : placed_.layers) tie_layer(layer);
    std::vector<int> index(graph_.value_count(), -1);
    for (size_t v = 0; v < quantized.size(); ++v) {
      if (!quantized[v]) continue;
      int& group = index[static_cast<size_t>(find(static_cast<int>(v)))];
      if (group < 0) {
        group = static_cast<int>(placed_.groups.size());
        placed_.groups.emplace_back();
      }
      placed_.group_of[v] = group;
      placed_.groups[static_cast<size_t>(group)].push_back(static_cast<ValueId>(v));
    }
  }

  void mark_results(const LayerPlace& layer, std::vector<bool>& quantized) {
    if (graph_.node(layer.node).outputs.size() == 1) {
      quantized[static_cast<size_t>(layer.result)] = true;
      return;
    }
    for (ValueId v : graph_.node(layer.node).outputs) {
      if (v != kNoValue) quantized[static_cast<size_t>(v)] = true;
    }
  }

  void tie_layer(const LayerPlace& layer) {
    const Node& node = graph_.node(layer.node);
    if (layer.role == Role::kMoves) {
      for (ValueId v : node.outputs) {
        if (v != kNoValue) join(node.inputs[0], v);
      }
    }
    if (layer.role != Role::kJoins) return;
    for (size_t i : operands_of(graph_, node, layer.role)) {
      if (!fixed(node.inputs[i])) join(layer.result, node.inputs[i]);
    }
  }

  const Graph& graph_;
  const Dialect& dialect_;
  const std::set<NodeId>& keep_float_;
  std::vector<NodeId> order_;
  GraphPlacement placed_;
  std::vector<Role> roles_;
  std::vector<bool> fused_;
  std::vector<NodeId> activation_;
  std::vector<bool> leads_;
  std::vector<int> parent_;
};

}  // namespace

GraphPlacement place(const Graph& graph, const Dialect& dialect, const std::set<NodeId>& keep_float) {
  return Placer(graph, dialect, keep_float).place();
}

}  // namespace oree
