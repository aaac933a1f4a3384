// SPDX-License-Identifier: Apache-2.0
// Exporters write activations out in primitive operators, each in its own way. A product is flattened into its factors
// first, so that the order in which it was written does not matter.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr double kTolerance = 1e-4;  // exporters round constants to float16 at worst

bool near(double a, double b) { return std::abs(a - b) <= kTolerance * std::max(std::abs(b), 1e-3); }

// A product: constant * values[0] * values[1] …
struct Product {
  double constant = 1;
  std::vector<ValueId> values;
};

void flatten(const Graph& graph, ValueId v, Product& into, int depth) {
  if (std::optional<double> c = constant_scalar(graph, v)) {
    into.constant *= *c;
    return;
  }
  const Node* mul = made_by(graph, v, "Mul");
  const Node* div = made_by(graph, v, "Div");
  bool inner = depth == 0 || graph.only_user(v) != kNoNode;
  if (mul && inner && depth < 8) {
    flatten(graph, mul->inputs[0], into, depth + 1);
    flatten(graph, mul->inputs[1], into, depth + 1);
    return;
  }
  if (div && inner && depth < 8) {
    if (std::optional<double> c = constant_scalar(graph, div->inputs[1]); c && *c != 0) {
      into.constant /= *c;
      flatten(graph, div->inputs[0], into, depth + 1);
      return;
    }
  }
  into.values.push_back(v);
}

Product product(const Graph& graph, ValueId v) {
  Product p;
  flatten(graph, v, p, 0);
  return p;
}

// v = other + constant, either way round. Nothing when it is not.
std::optional<ValueId> plus(const Graph& graph, ValueId v, double constant) {
  const Node* add = made_by(graph, v, "Add");
  if (!add) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    std::optional<double> c = constant_scalar(graph, add->inputs[i]);
    if (c && near(*c, constant)) return add->inputs[1 - i];
  }
  return std::nullopt;
}

// v = factor * x.
bool is_scaled(const Graph& graph, ValueId v, ValueId x, double factor) {
  Product p = product(graph, v);
  return p.values.size() == 1 && p.values[0] == x && near(p.constant, factor);
}

// v = x to the third.
bool is_cube(const Graph& graph, ValueId v, ValueId x) {
  if (const Node* pow = made_by(graph, v, "Pow"))
    return pow->inputs[0] == x && constant_scalar(graph, pow->inputs[1]) == 3.0;
  Product p = product(graph, v);
  return p.constant == 1 && p.values == std::vector<ValueId>{x, x, x};
}

bool is_clip(const Graph& graph, ValueId v, double low, double high, ValueId& operand) {
  const Node* clip = made_by(graph, v, "Clip");
  if (!clip || clip->input(1) == kNoValue || clip->input(2) == kNoValue) return false;
  std::optional<double> a = constant_scalar(graph, clip->inputs[1]), b = constant_scalar(graph, clip->inputs[2]);
  operand = clip->inputs[0];
  return a && b && *a == low && *b == high;
}

// The tanh form of Gelu: Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)).
bool is_gelu_tanh(const Graph& graph, ValueId v, ValueId x) {
  const Node* tanh = made_by(graph, v, "Tanh");
  if (!tanh) return false;
  Product p = product(graph, tanh->inputs[0]);
  if (p.values.size() != 1 || !near(p.constant, std::sqrt(2 / std::numbers::pi))) return false;
  const Node* add = made_by(graph, p.values[0], "Add");
  if (!add) return false;
  for (size_t i = 0; i < 2; ++i) {
    if (add->inputs[i] != x) continue;
    Product cubic = product(graph, add->inputs[1 - i]);
    if (!near(cubic.constant, 0.044715)) continue;
    if (cubic.values == std::vector<ValueId>{x, x, x}) return true;
    if (cubic.values.size() == 1 && is_cube(graph, cubic.values[0], x)) return true;
  }
  return false;
}

struct Found {
  std::string op;
  ValueId operand = kNoValue;
  Attributes attributes;
};

// g * x with g a gate that depends on x alone.
std::optional<Found> gated(const Graph& graph, const Product& p, ValueId x, ValueId gate) {
  if (const Node* sigmoid = made_by(graph, gate, "Sigmoid"); sigmoid && near(p.constant, 1)) {
    if (sigmoid->inputs[0] == x) return Found{"Swish", x, {}};
  }
  if (const Node* hard = made_by(graph, gate, "HardSigmoid"); hard && near(p.constant, 1)) {
    if (hard->inputs[0] == x && near(hard->real("alpha", 0.2f), 1.0 / 6) && near(hard->real("beta", 0.5f), 0.5))
      return Found{"HardSwish", x, {}};
  }
  if (ValueId shifted = kNoValue; near(p.constant, 1.0 / 6) && is_clip(graph, gate, 0, 6, shifted)) {
    if (plus(graph, shifted, 3) == x) return Found{"HardSwish", x, {}};
  }
  if (const Node* tanh = made_by(graph, gate, "Tanh"); tanh && near(p.constant, 1)) {
    const Node* softplus = made_by(graph, tanh->inputs[0], "Softplus");
    if (softplus && softplus->inputs[0] == x) return Found{"Mish", x, {}};
  }
  if (std::optional<ValueId> inner = plus(graph, gate, 1); inner && near(p.constant, 0.5)) {
    const Node* erf = made_by(graph, *inner, "Erf");
    if (erf && is_scaled(graph, erf->inputs[0], x, std::numbers::sqrt2 / 2)) return Found{"Gelu", x, {}};
    if (is_gelu_tanh(graph, *inner, x)) return Found{"Gelu", x, {{"approximate", std::string("tanh")}}};
  }
  return std::nullopt;
}

std::optional<Found> activation(const Graph& graph, const Node& node) {
  ValueId out = node.outputs[0];
  if (node.is("Mul") || node.is("Div")) {
    Product p = product(graph, out);
    if (p.values.size() == 2) {
      if (std::optional<Found> f = gated(graph, p, p.values[0], p.values[1])) return f;
      return gated(graph, p, p.values[1], p.values[0]);
    }
    ValueId shifted = kNoValue;
    if (p.values.size() == 1 && near(p.constant, 1.0 / 6) && is_clip(graph, p.values[0], 0, 6, shifted)) {
      if (std::optional<ValueId> x = plus(graph, shifted, 3))
        return Found{"HardSigmoid", *x, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}};
    }
  }
  return std::nullopt;
}

bool plain_float(const Graph& graph, ValueId v) {
  return !graph.value(v).quantization && graph.value(v).dtype && dtype_is_float(*graph.value(v).dtype);
}

// Max and Min with scalars are a Clip.
bool recognise_clip(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if ((!node.is("Min") && !node.is("Max")) || node.inputs.size() != 2 || !plain_float(graph, node.outputs[0]))
    return false;
  const char* inner_op = node.op == "Min" ? "Max" : "Min";
  auto split = [&](const Node& n, ValueId& x, ValueId& bound) {
    for (size_t i = 0; i < 2; ++i) {
      const Constant* c = graph.constant(n.inputs[i]);
      if (!c || c->elements() != 1 || graph.constant(n.inputs[1 - i])) continue;
      bound = n.inputs[i];
      x = n.inputs[1 - i];
      return true;
    }
    return false;
  };
  ValueId x = kNoValue, outer = kNoValue, y = kNoValue, inner = kNoValue;
  if (!split(node, x, outer)) return false;
  const Node* before = made_by(graph, x, inner_op);
  if (!before || before->inputs.size() != 2 || !split(*before, y, inner) ||
      graph.value(y).dims != graph.value(node.outputs[0]).dims)
    return false;
  double high = *constant_scalar(graph, node.op == "Min" ? outer : inner),
         low = *constant_scalar(graph, node.op == "Min" ? inner : outer);
  if (low > high) return false;
  auto scalar = [&](ValueId v) { return graph.add_constant(graph.value(v).name, graph.constant(v)->reshaped({})); };
  ValueId low_value = scalar(node.op == "Min" ? inner : outer),
          high_value = scalar(graph.node(id).op == "Min" ? outer : inner);
  graph.set_op(id, "Clip");
  graph.set_input(id, 0, y);
  graph.set_input(id, 1, low_value);
  graph.set_input(id, 2, high_value);
  return true;
}

}  // namespace

PassResult recognise_activations(Graph& graph) {
  int found = 0;
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if (node.removed || node.outputs.empty() || node.outputs[0] == kNoValue) continue;
    if (recognise_clip(graph, id)) {
      ++found;
      continue;
    }
    std::optional<Found> f = activation(graph, graph.node(id));
    if (!f || !plain_float(graph, f->operand) ||
        graph.value(f->operand).dims != graph.value(graph.node(id).outputs[0]).dims)
      continue;
    Node made;
    made.op = f->op;
    made.name = graph.node(id).name;
    made.inputs = {f->operand};
    made.outputs = graph.node(id).outputs;
    made.attributes = f->attributes;
    BlockId block = graph.node(id).block;
    graph.remove_node(id);
    graph.add_node(std::move(made), block);
    ++found;
  }
  OREE_TRY_ASSIGN(int dead, remove_dead(graph));
  return found + (found > 0 ? dead : 0);
}

}  // namespace oree
