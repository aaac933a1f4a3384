// SPDX-License-Identifier: Apache-2.0
#include "model/passes/region_node.h"

#include <algorithm>
#include <array>

#include "model/passes/channel_shuffle.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr std::array kReductions = {"ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
                                    "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};

// What names the axes of a node.
enum class Axes {
  kNone,       // elementwise
  kAttribute,  // attribute "axis"
  kInput,      // input `axes_input`: constant list of axes, or absent
  kPads,       // Pad: constant pads for all axes, or for those of input 3
  kList,       // constant input `axes_input` with an entry an axis
};

struct Kind {
  Axes axes = Axes::kNone;
  int64_t axis_default = 0;
  size_t axes_input = 0;
  size_t operands = 1;  // how many of the first inputs follow the layout; kAllInputs: each
};
constexpr size_t kAllInputs = SIZE_MAX;

bool is_reduction(const Node& node) {
  return node.domain.empty() && std::ranges::any_of(kReductions, [&](const char* op) { return node.op == op; });
}

std::optional<Kind> kind_of(const Node& node) {
  if (node.domain == kShuffleDomain) return Kind{Axes::kAttribute, 0, 0, 1};
  if (!node.domain.empty()) return std::nullopt;
  const OpDef* def = find_op(node);
  if (def == nullptr || def->has(kRandom) || def->has(kHasBlocks)) return std::nullopt;
  if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") {
    if (node.integer("block_size", 0) != 0) return std::nullopt;
    return Kind{Axes::kAttribute, 1, 0, 1};
  }
  if (def->has(kElementwise)) return Kind{Axes::kNone, 0, 0, kAllInputs};
  if (node.op == "Concat") return Kind{Axes::kAttribute, 0, 0, kAllInputs};
  if (node.op == "Split") return Kind{Axes::kAttribute, 0, 0, 1};
  if (node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "Hardmax" || node.op == "TopK" ||
      node.op == "LpNormalization")
    return Kind{Axes::kAttribute, -1, 0, 1};
  if ((node.op == "ArgMax" || node.op == "ArgMin") && node.integer("keepdims", 1) != 0)
    return Kind{Axes::kAttribute, 0, 0, 1};
  if (node.op == "Slice") return Kind{Axes::kInput, 0, 3, 1};
  if (is_reduction(node) && node.integer("keepdims", 1) != 0) return Kind{Axes::kInput, 0, 1, 1};
  if (node.op == "CumSum") return Kind{Axes::kInput, 0, 1, 1};
  if (node.op == "Pad") return Kind{Axes::kPads, 0, 3, 1};
  if (node.op == "Tile" || node.op == "Expand") return Kind{Axes::kList, 0, 1, 1};
  if (node.op == "Identity" || node.op == "Dropout") return Kind{Axes::kNone, 0, 0, 1};
  return std::nullopt;
}

// Its axes are known, in number and place.
bool axes_known(const Graph& graph, const Node& node, const Kind& kind, size_t rank) {
  switch (kind.axes) {
    case Axes::kNone: return true;
    case Axes::kAttribute: return positive_axis(node.integer("axis", kind.axis_default), rank).has_value();
    case Axes::kInput: {
      ValueId axes = node.input(kind.axes_input);
      if (axes == kNoValue) return node.op != "Slice" || constant_ints(graph, node.input(1)).has_value();
      std::optional<std::vector<int64_t>> list = constant_ints(graph, axes);
      return list && std::ranges::all_of(*list, [&](int64_t a) { return positive_axis(a, rank).has_value(); });
    }
    case Axes::kPads: {
      std::optional<std::vector<int64_t>> pads = constant_ints(graph, node.input(1));
      if (!pads) return false;
      if (node.input(3) == kNoValue) return pads->size() == 2 * rank;
      std::optional<std::vector<int64_t>> list = constant_ints(graph, node.input(3));
      return list && std::ranges::all_of(*list, [&](int64_t a) { return positive_axis(a, rank).has_value(); });
    }
    case Axes::kList: {
      std::optional<std::vector<int64_t>> list = constant_ints(graph, node.input(kind.axes_input));
      return list && list->size() == rank;
    }
  }
  return false;
}

// A constant of fewer axes takes part in broadcasting as if it had leading ones.
bool broadcasts_along(const Graph& graph, ValueId v, size_t rank) {
  std::optional<size_t> r = rank_of(graph, v);
  return r && (*r == 0 || (*r < rank && graph.constant(v)));
}

ValueId with_rank(Graph& graph, ValueId v, size_t rank) {
  const Value& value = graph.value(v);
  Shape shape = value.constant->shape();
  size_t added = rank - shape.size();
  std::optional<Quantization> q = value.quantization;
  if (q && q->per_axis()) q->axis += static_cast<int>(added);
  shape.insert(shape.begin(), added, 1);
  std::string name = value.name;
  ValueId out = graph.add_constant(std::move(name), value.constant->reshaped(std::move(shape)));
  graph.set_quantization(out, std::move(q));
  return out;
}

ValueId ints_constant(Graph& graph, ValueId like, const std::vector<int64_t>& values, Shape shape) {
  std::string name = like == kNoValue ? "axes" : graph.value(like).name;
  const Constant* old = graph.constant(like);
  if (old && old->dtype() == Dtype::kInt32) {
    Tensor t(Dtype::kInt32, std::move(shape));
    std::ranges::transform(values, t.as<int32_t>().begin(), [](int64_t v) { return static_cast<int32_t>(v); });
    return graph.add_constant(std::move(name), Constant(std::move(t)));
  }
  return graph.add_constant(std::move(name), Constant::of_ints(values, std::move(shape)));
}

// Old axes -> where they are in the new layout.
std::vector<int64_t> renamed(std::vector<int64_t> axes, const Permutation& perm) {
  Permutation place = inverse(perm);
  for (int64_t& a : axes) a = place[static_cast<size_t>(*positive_axis(a, perm.size()))];
  return axes;
}

void rename_axes(Graph& graph, Node& node, const Kind& kind, const Permutation& perm) {
  switch (kind.axes) {
    case Axes::kNone: return;
    case Axes::kAttribute:
      node.attributes["axis"] = renamed({node.integer("axis", kind.axis_default)}, perm)[0];
      return;
    case Axes::kInput: {
      ValueId old = node.input(kind.axes_input);
      if (old == kNoValue && node.op != "Slice") return;  // all axes, or none
      std::vector<int64_t> axes;
      if (old != kNoValue) {
        axes = *constant_ints(graph, old);
      } else {
        size_t count = constant_ints(graph, node.input(1))->size();
        for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
      }
      Shape shape = old != kNoValue ? graph.constant(old)->shape() : Shape{static_cast<int64_t>(axes.size())};
      if (node.inputs.size() <= kind.axes_input) node.inputs.resize(kind.axes_input + 1, kNoValue);
      node.inputs[kind.axes_input] = ints_constant(graph, old, renamed(axes, perm), std::move(shape));
      return;
    }
    case Axes::kPads: {
      if (node.input(3) != kNoValue) {
        std::vector<int64_t> axes = renamed(*constant_ints(graph, node.inputs[3]), perm);
        node.inputs[3] = ints_constant(graph, node.inputs[3], axes, {static_cast<int64_t>(axes.size())});
        return;
      }
      std::vector<int64_t> pads = *constant_ints(graph, node.inputs[1]);
      auto middle = pads.begin() + static_cast<ptrdiff_t>(perm.size());
      std::vector<int64_t> begins = permuted(std::vector<int64_t>(pads.begin(), middle), perm);
      std::vector<int64_t> ends = permuted(std::vector<int64_t>(middle, pads.end()), perm);
      begins.insert(begins.end(), ends.begin(), ends.end());
      node.inputs[1] = ints_constant(graph, node.inputs[1], begins, {static_cast<int64_t>(begins.size())});
      return;
    }
    case Axes::kList: {
      std::vector<int64_t> list = permuted(*constant_ints(graph, node.inputs[kind.axes_input]), perm);
      node.inputs[kind.axes_input] =
          ints_constant(graph, node.inputs[kind.axes_input], list, {static_cast<int64_t>(list.size())});
      return;
    }
  }
}

std::optional<Kind> layout_kind(const Graph& graph, const Node& node, size_t& rank) {
  std::optional<Kind> kind = kind_of(node);
  if (!kind || node.outputs.empty() || node.outputs[0] == kNoValue) return std::nullopt;
  std::optional<size_t> r = rank_of(graph, node.outputs[0]);
  if (!r || node.inputs.empty()) return std::nullopt;
  rank = *r;
  size_t operands = std::min(kind->operands, node.inputs.size());
  bool any = false;
  for (size_t i = 0; i < operands; ++i) {
    if (node.inputs[i] == kNoValue) continue;
    if (rank_of(graph, node.inputs[i]) == r) {
      any = true;
    } else if (kind->operands != kAllInputs || !broadcasts_along(graph, node.inputs[i], rank)) {
      return std::nullopt;
    }
  }
  for (ValueId out : node.outputs) {
    if (out != kNoValue && rank_of(graph, out) != r) return std::nullopt;
  }
  if (!any || !axes_known(graph, node, *kind, rank)) return std::nullopt;
  return kind;
}

// The axes that a node drops from its operand, when they are known: reductions, ArgMax, Squeeze.
std::optional<std::vector<int64_t>> dropped_axes(const Graph& graph, const Node& node, size_t rank) {
  std::vector<int64_t> axes;
  if (is_reduction(node) && node.integer("keepdims", 1) == 0 && node.input(1) != kNoValue) {
    std::optional<std::vector<int64_t>> list = constant_ints(graph, node.input(1));
    if (!list || list->empty()) return std::nullopt;
    axes = *list;
  } else if ((node.is("ArgMax") || node.is("ArgMin")) && node.integer("keepdims", 1) == 0) {
    axes = {node.integer("axis", 0)};
  } else if (node.is("Squeeze") && node.input(1) != kNoValue) {
    std::optional<std::vector<int64_t>> list = constant_ints(graph, node.input(1));
    if (!list) return std::nullopt;
    axes = *list;
  } else {
    return std::nullopt;
  }
  for (int64_t& a : axes) {
    std::optional<int64_t> p = positive_axis(a, rank);
    if (!p) return std::nullopt;
    a = *p;
  }
  return axes;
}

}  // namespace

std::optional<size_t> layout_rank(const Graph& graph, const Node& node) {
  size_t rank = 0;
  if (!layout_kind(graph, node, rank)) return std::nullopt;
  return rank;
}

std::vector<ValueId> layout_inputs(const Graph& graph, const Node& node) {
  size_t rank = 0;
  std::optional<Kind> kind = layout_kind(graph, node, rank);
  std::vector<ValueId> out;
  if (!kind) return out;
  for (size_t i = 0; i < std::min(kind->operands, node.inputs.size()); ++i) {
    if (node.inputs[i] != kNoValue && rank_of(graph, node.inputs[i]) == rank) out.push_back(node.inputs[i]);
  }
  return out;
}

std::vector<ValueId> layout_outputs(const Graph& graph, const Node& node) {
  std::vector<ValueId> out;
  if (!layout_rank(graph, node)) return out;
  std::ranges::copy_if(node.outputs, std::back_inserter(out), [](ValueId v) { return v != kNoValue; });
  return out;
}

bool can_relayout(const Graph& graph, const Node& node, const Permutation& perm) {
  return layout_rank(graph, node) == perm.size();
}

void relayout_node(Graph& graph, NodeId id, const Permutation& perm, std::map<ValueId, ValueId>& inside) {
  size_t rank = 0;
  Kind kind = *layout_kind(graph, graph.node(id), rank);
  Node node = graph.node(id);
  for (size_t i = 0; i < std::min(kind.operands, node.inputs.size()); ++i) {
    ValueId v = node.inputs[i];
    if (v == kNoValue) continue;
    std::optional<size_t> r = rank_of(graph, v);
    if (r == rank) {
      node.inputs[i] = inside.at(v);
    } else if (*r > 0) {
      node.inputs[i] = transposed(graph, with_rank(graph, v, rank), perm, node.block);
    }
  }
  rename_axes(graph, node, kind, perm);
  for (ValueId& out : node.outputs) {
    if (out == kNoValue) continue;
    Value old = graph.value(out);
    ValueId now = graph.add_value(old.name, old.dtype, permuted(*old.dims, perm));
    graph.set_quantization(now, transposed_quantization(old.quantization, perm));
    inside[out] = now;
    out = now;
  }
  BlockId block = node.block;
  graph.remove_node(id);
  graph.add_node(std::move(node), block);
}

bool absorbs(const Graph& graph, const Node& node, ValueId value, const Permutation& back) {
  if (node.inputs.empty() || node.inputs[0] != value || std::ranges::count(node.inputs, value) != 1) return false;
  const std::optional<Dims>& dims = graph.value(value).dims;
  if (!dims) return false;
  if (std::optional<std::vector<int64_t>> dropped = dropped_axes(graph, node, back.size())) {
    int64_t last = -1;
    for (size_t axis = 0; axis < back.size(); ++axis) {
      if (std::ranges::find(*dropped, static_cast<int64_t>(axis)) != dropped->end()) continue;
      if (back[axis] < last) return false;
      last = back[axis];
    }
    return true;
  }
  return only_reshapes(node) && moves_nothing(inverse(back), *dims) && reshape_target(graph, node.outputs[0]);
}

void absorb(Graph& graph, NodeId id, ValueId value, ValueId now, const Permutation& back) {
  OREE_ASSERT(absorbs(graph, graph.node(id), value, back));
  if (std::optional<std::vector<int64_t>> dropped = dropped_axes(graph, graph.node(id), back.size())) {
    for (int64_t& a : *dropped) a = back[static_cast<size_t>(a)];
    graph.set_input(id, 0, now);
    if (graph.node(id).find("axis") || graph.node(id).is("ArgMax") || graph.node(id).is("ArgMin")) {
      graph.set_attribute(id, "axis", (*dropped)[0]);
    } else {
      ValueId axes = ints_constant(graph, graph.node(id).input(1), *dropped, {static_cast<int64_t>(dropped->size())});
      graph.set_input(id, 1, axes);
    }
    return;
  }
  std::vector<int64_t> target = *reshape_target(graph, graph.node(id).outputs[0]);
  ValueId shape = graph.add_constant("shape", Constant::vector(target));
  graph.set_op(id, "Reshape");
  graph.remove_attribute(id, "axis");
  graph.remove_attribute(id, "allowzero");
  graph.set_input(id, 0, now);
  graph.set_input(id, 1, shape);
}

}  // namespace oree
