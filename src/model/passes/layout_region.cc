// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout_region.h"

#include <algorithm>

#include "model/passes/region_node.h"
#include "model/passes/reshape_push.h"
#include "model/passes/rewrite.h"

namespace oree {

Region LayoutRegions::grow(NodeId seed) const {
  Region region;
  std::optional<size_t> rank = layout_rank(graph_, graph_.node(seed));
  if (!rank || *rank < 2) return region;
  region.rank = *rank;
  region.block = graph_.node(seed).block;
  std::vector<NodeId> open{seed};
  auto visit = [&](NodeId id) {
    if (id == kNoNode || graph_.node(id).block != region.block || region.members.contains(id)) return;
    if (layout_rank(graph_, graph_.node(id)) == rank) open.push_back(id);
  };
  while (!open.empty()) {
    NodeId id = open.back();
    open.pop_back();
    if (!region.members.insert(id).second) continue;
    for (ValueId v : layout_inputs(graph_, graph_.node(id))) {
      visit(graph_.value(v).producer);
      // A sibling that reads the same value shares its layout only if the value is made inside; else each takes its
      // own.
    }
    for (ValueId v : layout_outputs(graph_, graph_.node(id))) {
      for (NodeId user : graph_.value(v).users) {
        const std::vector<ValueId> reads = layout_inputs(graph_, graph_.node(user));
        if (std::ranges::find(reads, v) != reads.end()) visit(user);
      }
    }
  }
  for (NodeId id : region.members) {
    for (ValueId v : layout_inputs(graph_, graph_.node(id))) {
      if (!made_inside(region, v)) add_once(region.inputs, v);
    }
    for (ValueId v : layout_outputs(graph_, graph_.node(id))) {
      if (leaves(region, v)) add_once(region.outputs, v);
    }
  }
  return region;
}

void LayoutRegions::add_once(std::vector<ValueId>& list, ValueId v) {
  if (std::ranges::find(list, v) == list.end()) list.push_back(v);
}

bool LayoutRegions::made_inside(const Region& region, ValueId v) const {
  NodeId producer = graph_.value(v).producer;
  return producer != kNoNode && region.members.contains(producer);
}

bool LayoutRegions::leaves(const Region& region, ValueId v) const {
  if (graph_.is_output(v)) return true;
  for (NodeId user : graph_.value(v).users) {
    if (!region.members.contains(user)) return true;
    const std::vector<ValueId> reads = layout_inputs(graph_, graph_.node(user));
    const Node& node = graph_.node(user);
    if (std::ranges::count(reads, v) < std::ranges::count(node.inputs, v)) return true;
  }
  return false;
}

int64_t LayoutRegions::cost_of(ValueId v, const Permutation& perm) const {
  if (const Node* t = made_by(graph_, v, "Transpose")) {
    if (std::optional<Permutation> first = transpose_permutation(graph_, *t))
      return transposition_cost(graph_, t->inputs[0], then(*first, perm));
  }
  return transposition_cost(graph_, v, perm);
}

int64_t LayoutRegions::border_cost(const Region& region, const Permutation& perm) const {
  int64_t cost = 0;
  for (ValueId v : region.inputs) {
    cost += cost_of(v, perm);
    // Who else uses a transposition keeps it alive.
    if (made_by(graph_, v, "Transpose") && !is_identity(perm) && used_outside(region, v))
      cost += cost_of(v, identity_permutation(perm.size()));
  }
  Permutation back = inverse(perm);
  for (ValueId v : region.outputs) {
    std::set<Permutation> wanted;
    bool plain = graph_.is_output(v);
    for (NodeId user : graph_.value(v).users) {
      const Node& node = graph_.node(user);
      if (region.members.contains(user)) {
        const std::vector<ValueId> reads = layout_inputs(graph_, node);
        if (std::ranges::count(reads, v) < std::ranges::count(node.inputs, v)) plain = true;
      } else if (std::optional<Permutation> q = permutation_of(user)) {
        wanted.insert(then(back, *q));
      } else if (absorbs(graph_, node, v, back)) {
        cost += cost_below(node);  // it takes the other layout as it comes
      } else if (std::optional<Permutation> after = passed(node, v, back)) {
        cost += cost_past(node, *after);
      } else {
        cost += cost_below(node);
        plain = true;
      }
    }
    if (plain) wanted.insert(back);
    for (const Permutation& q : wanted) {
      if (is_identity(q)) continue;
      cost += layout_cost(graph_, v, perm, q);
    }
  }
  return cost;
}

int64_t LayoutRegions::cost_below(const Node& reshape) const {
  if (!only_reshapes(reshape)) return 0;
  int64_t cost = 0;
  for (NodeId user : graph_.value(reshape.outputs[0]).users) {
    if (std::optional<Permutation> q = permutation_of(user)) cost += transposition_cost(graph_, reshape.outputs[0], *q);
  }
  return cost;
}

std::optional<Permutation> LayoutRegions::passed(const Node& node, ValueId v, const Permutation& back) const {
  if (multiplies_rows(graph_, node) && node.inputs[0] == v && back.back() + 1 == std::ssize(back)) return back;
  if (!only_reshapes(node)) return std::nullopt;
  const std::optional<Dims>&from = graph_.value(v).dims, &to = graph_.value(node.outputs[0]).dims;
  if (!from || !to) return std::nullopt;
  std::optional<ReshapePush> push = push_through_reshape(*from, *to, back);
  if (!push || !is_identity(push->before)) return std::nullopt;
  return push->after;
}

int64_t LayoutRegions::cost_past(const Node& node, const Permutation& after) const {
  const ValueId out = node.outputs[0];
  std::set<Permutation> wanted;
  if (graph_.is_output(out)) wanted.insert(after);
  for (NodeId user : graph_.value(out).users) {
    std::optional<Permutation> q = permutation_of(user);
    wanted.insert(q ? then(after, *q) : after);
  }
  int64_t cost = 0;
  for (const Permutation& q : wanted) cost += layout_cost(graph_, out, inverse(after), q);
  return cost;
}

std::optional<Permutation> LayoutRegions::permutation_of(NodeId id) const {
  const Node& node = graph_.node(id);
  return node.is("Transpose") ? transpose_permutation(graph_, node) : std::nullopt;
}

bool LayoutRegions::feeds_passable(const Region& region) const {
  return std::ranges::any_of(region.outputs, [&](ValueId v) {
    return std::ranges::any_of(graph_.value(v).users, [&](NodeId user) {
      return only_reshapes(graph_.node(user)) || multiplies_rows(graph_, graph_.node(user));
    });
  });
}

bool LayoutRegions::used_outside(const Region& region, ValueId v) const {
  if (graph_.is_output(v)) return true;
  return std::ranges::any_of(graph_.value(v).users, [&](NodeId user) { return !region.members.contains(user); });
}

}  // namespace oree
