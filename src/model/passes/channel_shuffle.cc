// SPDX-License-Identifier: Apache-2.0
#include "model/passes/channel_shuffle.h"

#include <algorithm>

#include "model/passes/rewrite.h"

namespace oree {
namespace {

struct Shuffle {
  size_t axis = 0;
  std::vector<int64_t> parts;  // the sizes that the axis is split into
  Permutation order;           // of the parts
};

bool same_dims(const Dims& a, size_t a_at, const Dims& b, size_t b_at, size_t count) {
  return std::equal(a.begin() + static_cast<ptrdiff_t>(a_at), a.begin() + static_cast<ptrdiff_t>(a_at + count),
                    b.begin() + static_cast<ptrdiff_t>(b_at));
}

// What `perm` does to `split`, when it is a shuffle of one axis of `whole`.
std::optional<Shuffle> shuffle_of(const Dims& whole, const Dims& split, const Permutation& perm) {
  if (is_identity(perm) || split.size() <= whole.size()) return std::nullopt;
  size_t begin = 0, end = perm.size();
  while (perm[begin] == static_cast<int64_t>(begin)) ++begin;
  while (perm[end - 1] == static_cast<int64_t>(end - 1)) --end;
  const size_t after = split.size() - end;
  if (begin + 1 + after != whole.size() || !same_dims(whole, 0, split, 0, begin) ||
      !same_dims(whole, begin + 1, split, end, after)) {
    return std::nullopt;
  }
  Shuffle shuffle;
  shuffle.axis = begin;
  for (size_t k = begin; k < end; ++k) {
    if (!split[k].known()) return std::nullopt;
    shuffle.parts.push_back(split[k].size);
    shuffle.order.push_back(perm[k] - static_cast<int64_t>(begin));
  }
  return shuffle;
}

bool made_for_one(const Graph& graph, ValueId v) { return graph.value(v).users.size() == 1 && !graph.is_output(v); }

void fold(Graph& graph, NodeId last) {
  const Node& join = graph.node(last);
  if (!only_reshapes(join)) return;
  const ValueId out = join.outputs[0];
  const Node* swap = made_by(graph, join.inputs[0], "Transpose");
  if (swap == nullptr || swap->block != join.block || !made_for_one(graph, join.inputs[0])) return;
  const ValueId parts = swap->inputs[0];
  const NodeId first = graph.value(parts).producer;
  if (first == kNoNode || !only_reshapes(graph.node(first)) || graph.node(first).block != join.block) return;
  const ValueId in = graph.node(first).inputs[0];
  const std::optional<Dims>&whole = graph.value(in).dims, &split = graph.value(parts).dims;
  std::optional<Permutation> perm = transpose_permutation(graph, *swap);
  if (!perm || !whole || !split || graph.value(out).dims != whole || !made_for_one(graph, parts)) return;
  if (!reshape_target(graph, in) || graph.value(in).is_constant()) return;
  const std::optional<Quantization>& q = graph.value(in).quantization;
  for (ValueId v : {parts, join.inputs[0], out}) {
    if (graph.value(v).quantization != q) return;
  }
  std::optional<Shuffle> shuffle = shuffle_of(*whole, *split, *perm);
  if (!shuffle || (q && q->per_axis())) return;
  Node node;
  node.domain = kShuffleDomain;
  node.op = "Shuffle";
  node.name = swap->name;
  node.inputs = {in};
  node.outputs = {out};
  node.attributes = {
      {"axis", static_cast<int64_t>(shuffle->axis)}, {"parts", shuffle->parts}, {"order", shuffle->order}};
  const BlockId block = join.block;
  const NodeId middle = graph.value(join.inputs[0]).producer;
  for (NodeId id : {last, middle, first}) graph.remove_node(id);
  graph.add_node(std::move(node), block);
}

std::vector<int64_t> with_parts(std::vector<int64_t> dims, size_t axis, const std::vector<int64_t>& parts) {
  dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
  dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), parts.begin(), parts.end());
  return dims;
}

void unfold(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const ValueId in = node.inputs[0], out = node.outputs[0];
  const std::vector<int64_t> whole = *reshape_target(graph, in), parts = node.integers("parts");
  const Permutation order = node.integers("order");
  const auto axis = static_cast<size_t>(node.integer("axis", 0));
  Permutation perm = identity_permutation(whole.size() + parts.size() - 1);
  for (size_t k = 0; k < order.size(); ++k) perm[axis + k] = static_cast<int64_t>(axis) + order[k];
  const std::optional<Quantization> q = graph.value(in).quantization;
  graph.remove_node(id);
  auto shape = [&](std::vector<int64_t> dims) {
    return graph.add_constant("shape", Constant::vector(std::move(dims)));
  };
  const ValueId split = build(graph, "Reshape", {in, shape(with_parts(whole, axis, parts))}, {}, node.block);
  const ValueId swapped = build(graph, "Transpose", {split}, {{"perm", perm}}, node.block, node.name);
  for (ValueId v : {split, swapped}) graph.set_quantization(v, q);
  Node join;
  join.op = "Reshape";
  join.inputs = {swapped, shape(whole)};
  join.outputs = {out};
  graph.add_node(std::move(join), node.block);
}

}  // namespace

void fold_shuffles(Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    if (!graph.node(id).removed) fold(graph, id);
  }
  graph.sweep();
}

void unfold_shuffles(Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if (!node.removed && node.domain == kShuffleDomain) unfold(graph, id);
  }
  graph.sweep();
}

}  // namespace oree
