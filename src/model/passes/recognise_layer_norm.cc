// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

// The mean of x over its last axes; the first of them, or nothing.
std::optional<int64_t> mean_from_axis(const Graph& graph, ValueId v, ValueId x) {
  const Node* mean = made_by(graph, v, "ReduceMean");
  std::optional<size_t> rank = rank_of(graph, x);
  if (!mean || mean->inputs[0] != x || mean->integer("keepdims", 1) == 0 || !rank) return std::nullopt;
  std::optional<std::vector<int64_t>> axes = constant_ints(graph, mean->input(1));
  if (!axes || axes->empty()) return std::nullopt;
  for (int64_t& a : *axes) {
    std::optional<int64_t> p = positive_axis(a, *rank);
    if (!p) return std::nullopt;
    a = *p;
  }
  std::ranges::sort(*axes);
  auto first = static_cast<int64_t>(*rank - axes->size());
  for (size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] != first + static_cast<int64_t>(i)) return std::nullopt;
  }
  return first;
}

// v = d squared.
bool is_square(const Graph& graph, ValueId v, ValueId d) {
  if (const Node* pow = made_by(graph, v, "Pow"))
    return pow->inputs[0] == d && constant_scalar(graph, pow->inputs[1]) == 2.0;
  const Node* mul = made_by(graph, v, "Mul");
  return mul && mul->inputs[0] == d && mul->inputs[1] == d;
}

// v = sqrt(mean(d^2) + epsilon), over the same axes.
std::optional<double> deviation_epsilon(const Graph& graph, ValueId v, ValueId d, int64_t axis) {
  const Node* root = made_by(graph, v, "Sqrt");
  const Node* add = root ? made_by(graph, root->inputs[0], "Add") : nullptr;
  if (!add) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    std::optional<double> epsilon = constant_scalar(graph, add->inputs[i]);
    const Node* mean = epsilon ? made_by(graph, add->inputs[1 - i], "ReduceMean") : nullptr;
    if (mean && is_square(graph, mean->inputs[0], d) &&
        mean_from_axis(graph, add->inputs[1 - i], mean->inputs[0]) == axis)
      return epsilon;
  }
  return std::nullopt;
}

struct Normalised {
  ValueId x = kNoValue;
  int64_t axis = 0;
  double epsilon = 0;
};

// v = (x - mean) / deviation, written with Div or with a reciprocal.
std::optional<Normalised> normalised(const Graph& graph, const Node& node) {
  ValueId numerator = kNoValue, deviation = kNoValue;
  if (node.is("Div")) {
    numerator = node.inputs[0];
    deviation = node.inputs[1];
  } else if (node.is("Mul")) {
    for (size_t i = 0; i < 2; ++i) {
      const Node* reciprocal = made_by(graph, node.inputs[i], "Reciprocal");
      if (!reciprocal) continue;
      numerator = node.inputs[1 - i];
      deviation = reciprocal->inputs[0];
    }
  }
  if (numerator == kNoValue) return std::nullopt;
  const Node* sub = made_by(graph, numerator, "Sub");
  if (!sub) return std::nullopt;
  ValueId x = sub->inputs[0];
  std::optional<int64_t> axis = mean_from_axis(graph, sub->inputs[1], x);
  if (!axis) return std::nullopt;
  std::optional<double> epsilon = deviation_epsilon(graph, deviation, numerator, *axis);
  // Some exporters subtract twice: once for the numerator, once for the variance.
  if (!epsilon) {
    for (NodeId user : graph.value(x).users) {
      const Node& other = graph.node(user);
      if (!other.is("Sub") || other.inputs[0] != x || mean_from_axis(graph, other.inputs[1], x) != axis) continue;
      epsilon = deviation_epsilon(graph, deviation, other.outputs[0], *axis);
      if (epsilon) break;
    }
  }
  if (!epsilon) return std::nullopt;
  return Normalised{x, *axis, *epsilon};
}

// The constant operand of a Mul or Add that follows `v` alone and has just the normalised axes (leading ones apart).
std::optional<std::pair<NodeId, Constant>> follower(const Graph& graph, ValueId v, const char* op,
                                                    const Shape& wanted) {
  NodeId user = graph.only_user(v);
  if (user == kNoNode || !graph.node(user).is(op)) return std::nullopt;
  const Node& node = graph.node(user);
  const Constant* c = graph.constant(node.inputs[node.inputs[0] == v ? 1 : 0]);
  if (!c) return std::nullopt;
  Shape shape = c->shape();
  while (shape.size() > wanted.size() && shape.front() == 1) shape.erase(shape.begin());
  if (shape != wanted) return std::nullopt;
  return std::pair(user, c->reshaped(wanted));
}

bool recognise(Graph& graph, NodeId id) {
  std::optional<Normalised> n = normalised(graph, graph.node(id));
  if (!n) return false;
  const Value& x = graph.value(n->x);
  if (x.dtype != Dtype::kFloat32 || x.quantization || !x.dims) return false;
  std::optional<Shape> inner = known_shape(Dims(x.dims->begin() + n->axis, x.dims->end()));
  if (!inner) return false;
  ValueId out = graph.node(id).outputs[0];
  std::vector<NodeId> replaced{id};
  std::optional<Constant> scale, shift;
  if (auto mul = follower(graph, out, "Mul", *inner)) {
    replaced.push_back(mul->first);
    scale = mul->second;
    out = graph.node(mul->first).outputs[0];
  }
  if (auto add = follower(graph, out, "Add", *inner)) {
    replaced.push_back(add->first);
    shift = add->second;
    out = graph.node(add->first).outputs[0];
  }
  if (!scale) {
    Tensor ones(Dtype::kFloat32, *inner);
    std::ranges::fill(ones.as<float>(), 1.0f);
    scale = Constant(std::move(ones));
  }
  Node made;
  made.op = "LayerNormalization";
  made.name = graph.node(id).name;
  made.inputs = {n->x, graph.add_constant("scale", *scale)};
  if (shift) made.inputs.push_back(graph.add_constant("bias", *shift));
  made.attributes = {{"axis", n->axis}, {"epsilon", static_cast<float>(n->epsilon)}};
  made.outputs = {out};
  BlockId block = graph.node(id).block;
  for (NodeId old : replaced) graph.remove_node(old);
  graph.add_node(std::move(made), block);
  return true;
}

}  // namespace

PassResult recognise_layer_norm(Graph& graph) {
  int found = 0;
  for (NodeId id : graph.all_nodes()) {
    if (!graph.node(id).removed && recognise(graph, id)) ++found;
  }
  OREE_TRY_ASSIGN(int dead, remove_dead(graph));
  return found + (found > 0 ? dead : 0);
}

}  // namespace oree
