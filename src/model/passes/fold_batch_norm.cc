// SPDX-License-Identifier: Apache-2.0
// What follows a linear operator and is itself linear in each channel (BatchNormalization, a constant Mul, Add, Sub or
// Div) becomes part of its weights and bias: W' = W * factor, b' = b * factor + offset, a channel each. Computed in
// double precision and rounded once.
#include <algorithm>
#include <cmath>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

// y = factor * x + offset, by channel.
struct Affine {
  std::vector<double> factor;
  std::vector<double> offset;
};

// A linear operator with constant weights, as the fold sees it.
struct Linear {
  NodeId node = kNoNode;
  int64_t channels = 0;     // of its output
  size_t channel_axis = 1;  // in its output
};

std::optional<Linear> linear(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const Constant* w = graph.constant(node.input(1));
  if (!w || (w->dtype() != Dtype::kFloat32 && w->dtype() != Dtype::kFloat16)) return std::nullopt;
  if (graph.value(node.inputs[1]).quantization || graph.value(node.outputs[0]).quantization) return std::nullopt;
  if (node.input(2) != kNoValue && !graph.constant(node.input(2))) return std::nullopt;
  if (node.is("Conv") && w->shape().size() > 2) return Linear{id, w->shape()[0], 1};
  if (node.is("ConvTranspose") && w->shape().size() > 2) return Linear{id, w->shape()[1] * node.integer("group", 1), 1};
  if (node.is("Gemm") && w->shape().size() == 2 && node.real("alpha", 1) == 1 && node.real("beta", 1) == 1)
    return Linear{id, w->shape()[node.integer("transB", 0) != 0 ? 0 : 1], 1};
  return std::nullopt;
}

// The channel of the output that the weight at a flat index belongs to.
int64_t weight_channel(const Node& node, const Shape& shape, int64_t index) {
  if (node.op == "Conv") {
    int64_t row = 1;
    for (size_t i = 1; i < shape.size(); ++i) row *= shape[i];
    return index / row;
  }
  if (node.op == "ConvTranspose") {  // [in, out / group, …]: a group's rows make the group's channels
    int64_t kernel = 1;
    for (size_t i = 2; i < shape.size(); ++i) kernel *= shape[i];
    int64_t in_a_group = shape[0] / std::max<int64_t>(node.integer("group", 1), 1);
    int64_t group = index / (kernel * shape[1]) / std::max<int64_t>(in_a_group, 1);
    return group * shape[1] + index / kernel % shape[1];
  }
  return node.integer("transB", 0) != 0 ? index / shape[1] : index % shape[1];
}

Constant store(Dtype dtype, Shape shape, const std::vector<double>& values) {
  Tensor t(dtype, std::move(shape));
  for (size_t i = 0; i < values.size(); ++i) {
    auto v = static_cast<float>(values[i]);
    if (dtype == Dtype::kFloat32) t.as<float>()[i] = v;
    if (dtype == Dtype::kFloat16) t.as<uint16_t>()[i] = float_to_half(v);
  }
  return Constant(std::move(t));
}

// A constant that broadcasts along everything but the channels of a value of that rank.
std::optional<std::vector<double>> by_channel(const Graph& graph, ValueId v, const Linear& to, size_t rank) {
  const Constant* c = graph.constant(v);
  if (!c || !dtype_is_float(c->dtype()) || c->shape().size() > rank) return std::nullopt;
  std::vector<double> values = c->to_doubles();
  if (values.size() == 1) return std::vector<double>(static_cast<size_t>(to.channels), values[0]);
  size_t axis = to.channel_axis, missing = rank - c->shape().size();
  if (axis < missing || c->elements() != to.channels || c->shape()[axis - missing] != to.channels) return std::nullopt;
  return values;
}

std::optional<Affine> affine(const Graph& graph, const Node& node, ValueId x, const Linear& to) {
  std::optional<size_t> rank = rank_of(graph, x);
  if (!rank || node.outputs.size() != 1 || graph.value(node.outputs[0]).quantization) return std::nullopt;
  auto n = static_cast<size_t>(to.channels);
  if (node.is("BatchNormalization") && node.integer("training_mode", 0) == 0 && node.inputs.size() == 5 &&
      node.inputs[0] == x) {
    std::vector<double> p[4];
    for (size_t i = 0; i < 4; ++i) {
      const Constant* c = graph.constant(node.inputs[i + 1]);
      if (!c || c->elements() != to.channels || to.channel_axis != 1) return std::nullopt;
      p[i] = c->to_doubles();
    }
    Affine a{std::vector<double>(n), std::vector<double>(n)};
    for (size_t c = 0; c < n; ++c) {
      a.factor[c] = p[0][c] / std::sqrt(p[3][c] + static_cast<double>(node.real("epsilon", 1e-5f)));
      a.offset[c] = p[1][c] - p[2][c] * a.factor[c];
      if (!std::isfinite(a.factor[c]) || !std::isfinite(a.offset[c])) return std::nullopt;
    }
    return a;
  }
  bool add = node.is("Add"), sub = node.is("Sub"), mul = node.is("Mul"), div = node.is("Div");
  if (!add && !sub && !mul && !div) return std::nullopt;
  bool first = node.inputs[0] == x;
  if ((sub || div) && !first) return std::nullopt;
  std::optional<std::vector<double>> other = by_channel(graph, node.inputs[first ? 1 : 0], to, *rank);
  if (!other || graph.value(node.outputs[0]).dims != graph.value(x).dims) return std::nullopt;
  Affine a{std::vector<double>(n, 1), std::vector<double>(n, 0)};
  for (size_t c = 0; c < n; ++c) {
    double v = (*other)[c];
    if (!std::isfinite(v) || (div && v == 0)) return std::nullopt;
    (add || sub ? a.offset : a.factor)[c] = add ? v : sub ? -v : mul ? v : 1 / v;
  }
  return a;
}

void absorb_affine(Graph& graph, const Linear& to, const Affine& a) {
  const Node node = graph.node(to.node);  // a copy: the graph grows below
  const Constant w = *graph.constant(node.inputs[1]);
  std::vector<double> weights = w.to_doubles();
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] *= a.factor[static_cast<size_t>(weight_channel(node, w.shape(), static_cast<int64_t>(i)))];
  std::vector<double> bias(static_cast<size_t>(to.channels), 0);
  if (const Constant* b = graph.constant(node.input(2))) {
    std::vector<double> old = b->to_doubles();
    for (size_t c = 0; c < bias.size(); ++c) bias[c] = old.size() == 1 ? old[0] : old[c];
  }
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * a.factor[c] + a.offset[c];
  std::string name = graph.value(node.inputs[1]).name;
  graph.set_input(to.node, 1, graph.add_constant(name, store(w.dtype(), w.shape(), weights)));
  name = node.input(2) == kNoValue ? name + "_bias" : graph.value(node.input(2)).name;
  graph.set_input(to.node, 2, graph.add_constant(name, store(w.dtype(), {to.channels}, bias)));
}

bool bias_fits(const Graph& graph, const Node& node, int64_t channels) {
  const Constant* b = graph.constant(node.input(2));
  if (!b) return true;
  // Gemm's C may be anything that broadcasts: only a row is a bias.
  return b->elements() == channels ? b->shape().back() == channels : b->elements() == 1;
}

bool fold_follower(Graph& graph, NodeId id) {
  std::optional<Linear> to = linear(graph, id);
  if (!to || !bias_fits(graph, graph.node(id), to->channels)) return false;
  ValueId out = graph.node(id).outputs[0];
  NodeId user = graph.only_user(out);
  if (user == kNoNode || graph.node(user).block != graph.node(id).block) return false;
  std::optional<Affine> a = affine(graph, graph.node(user), out, *to);
  if (!a) return false;
  absorb_affine(graph, *to, *a);
  ValueId after = graph.node(user).outputs[0];
  graph.remove_node(user);
  graph.replace_keeping_name(after, out);
  return true;
}

// A Pad with zeros is a convolution's own padding.
bool fold_pad(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!node.is("Conv") || (node.find("auto_pad") && node.text("auto_pad", "NOTSET") != "NOTSET")) return false;
  const Node* pad = made_by(graph, node.inputs[0], "Pad");
  std::optional<size_t> rank = rank_of(graph, node.inputs[0]);
  if (!pad || !rank || *rank < 3 || pad->text("mode", "constant") != "constant" || pad->input(3) != kNoValue)
    return false;
  if (!same_quantization(graph, pad->inputs[0], node.inputs[0]) || graph.value(node.inputs[0]).quantization)
    return false;
  if (pad->input(2) != kNoValue && constant_scalar(graph, pad->input(2)) != 0.0) return false;
  std::optional<std::vector<int64_t>> added = constant_ints(graph, pad->input(1));
  if (!added || added->size() != 2 * *rank || std::ranges::any_of(*added, [](int64_t p) { return p < 0; }))
    return false;
  if ((*added)[0] || (*added)[1] || (*added)[*rank] || (*added)[*rank + 1]) return false;
  size_t spatial = *rank - 2;
  std::vector<int64_t> pads = node.integers("pads");
  pads.resize(2 * spatial, 0);
  for (size_t i = 0; i < spatial; ++i) {
    pads[i] += (*added)[2 + i];
    pads[spatial + i] += (*added)[*rank + 2 + i];
  }
  ValueId source = pad->inputs[0];
  graph.set_input(id, 0, source);
  graph.set_attribute(id, "pads", pads);
  return true;
}

}  // namespace

PassResult fold_batch_norm(Graph& graph) {
  int folded = 0;
  for (NodeId id : graph.all_nodes()) {
    if (graph.node(id).removed) continue;
    while (fold_pad(graph, id)) ++folded;
    while (fold_follower(graph, id)) ++folded;
  }
  OREE_TRY_ASSIGN(int dead, remove_dead(graph));
  return folded + (folded > 0 ? dead : 0);
}

}  // namespace oree
