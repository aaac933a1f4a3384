// SPDX-License-Identifier: Apache-2.0
// Layout region: nodes that do not care for the layout of what they take, as far as they reach, and what it costs at
// their border to compute them in another one. Internal to sink_transposes.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "model/graph/graph.h"
#include "model/passes/permutation.h"

namespace oree {

struct Region {
  size_t rank = 0;
  BlockId block = kMainBlock;
  std::set<NodeId> members;
  std::vector<ValueId> inputs;   // values from outside that follow the layout, each once
  std::vector<ValueId> outputs;  // values made inside and used outside, each once
};

class LayoutRegions {
 public:
  explicit LayoutRegions(const Graph& graph) : graph_(graph) {}

  // The region around a node: what is reached over values of the same rank through nodes that do not care for layout.
  Region grow(NodeId seed) const;
  // Elements moved at the border when the region is computed in the layout `perm` away from now.
  int64_t border_cost(const Region& region, const Permutation& perm) const;
  // Something of it goes into what a transposition may pass: a Reshape, a product by one matrix.
  bool feeds_passable(const Region& region) const;

 private:
  static void add_once(std::vector<ValueId>& list, ValueId v);
  bool made_inside(const Region& region, ValueId v) const;
  // Used by a node outside, by an input of a member that wants it as it is (a shape, a flag), or an output.
  bool leaves(const Region& region, ValueId v) const;
  // What it costs to transpose `v` by `perm`, where it may itself be a transposition.
  int64_t cost_of(ValueId v, const Permutation& perm) const;
  // Of the transpositions that follow a Reshape.
  int64_t cost_below(const Node& reshape) const;
  // `back`, which its operand `v` would need, as it is once it has gone below the node. Nothing where it does not pass.
  std::optional<Permutation> passed(const Node& node, ValueId v, const Permutation& back) const;
  // Of the transpositions that follow the node once this one has gone below it, too.
  int64_t cost_past(const Node& node, const Permutation& after) const;
  std::optional<Permutation> permutation_of(NodeId id) const;
  bool used_outside(const Region& region, ValueId v) const;

  const Graph& graph_;
};

}  // namespace oree
