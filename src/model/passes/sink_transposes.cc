// SPDX-License-Identifier: Apache-2.0
// Transposes come in pairs around every operator whose layout differs from its neighbours'. What lies between two of
// them mostly does not care about layout: Add, Relu, Concat, Softmax … with their axes renamed. So the graph falls into
// regions of such nodes, bound by transposes or by values that stay as they are. A region can be computed in any
// layout; the pass takes the one that leaves the least to transpose at its border, and repeats until nothing gets less.
//
//      Conv ─ T⁻¹ ─┐                         Conv ────┐
//                  Add ─ Relu ─ T ─ Conv  →           Add' ─ Relu' ─ Conv        (Conv here: a layout's fixed point)
//      Conv ─ T⁻¹ ─┘                         Conv ────┘
//
// Every step lowers the cost (elements moved, and one a node), so it ends.
#include <algorithm>
#include <functional>
#include <set>

#include "model/passes/channel_shuffle.h"
#include "model/passes/layout_region.h"
#include "model/passes/passes.h"
#include "model/passes/region_node.h"
#include "model/passes/reshape_push.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr int kRoundsMax = 10000;

class Sinker {
 public:
  explicit Sinker(Graph& graph) : graph_(graph) {}

  PassResult run() {
    int changed = 0;
    for (BlockId block = 0; block < static_cast<BlockId>(graph_.block_count()); ++block) {
      NodeId owner = graph_.block(block).owner;
      if (owner != kNoNode && graph_.node(owner).removed) continue;
      OREE_TRY_ASSIGN(int n, run(block));
      changed += n;
    }
    OREE_TRY_ASSIGN(int dead, remove_dead(graph_));
    return changed + (changed > 0 ? dead : 0);
  }

 private:
  PassResult run(BlockId block) {
    int changed = 0;
    for (int round = 0; round < kRoundsMax; ++round) {
      int now = join_pairs(block) + push_reshapes(block) + push_products(block);
      std::set<NodeId> seen;
      for (NodeId id : graph_.order(block)) {
        if (graph_.node(id).removed || seen.contains(id)) continue;
        Region region = regions_.grow(id);
        seen.insert(region.members.begin(), region.members.end());
        if (!region.members.empty()) now += relayout(region);
      }
      changed += now;
      if (now == 0) break;
    }
    return changed;
  }

  // Transpose of Transpose, Transposes that do nothing, and those that another does already.
  int join_pairs(BlockId block) {
    int changed = 0;
    std::map<std::pair<ValueId, Permutation>, ValueId> known;
    for (NodeId id : graph_.order(block)) {
      const Node& node = graph_.node(id);
      if (node.removed || !node.is("Transpose")) continue;
      std::optional<Permutation> perm = transpose_permutation(graph_, node);
      if (!perm) continue;
      ValueId out = node.outputs[0], in = node.inputs[0];
      if (graph_.unused(out)) {
        graph_.remove_node(id);
        continue;
      }
      const Node* before = made_by(graph_, in, "Transpose");
      const Constant* constant = graph_.constant(in);
      bool joins = is_identity(*perm) || (constant && dtype_bits(constant->dtype()) >= 8) ||
                   (before && transpose_permutation(graph_, *before));
      if (!joins) {
        auto [twin, added] = known.try_emplace({in, *perm}, out);
        if (!added && same_quantization(graph_, out, twin->second) && bypass(graph_, out, twin->second)) {
          graph_.remove_node(id);
          ++changed;
        }
        continue;
      }
      ValueId better = transposed(graph_, in, *perm, block);
      if (!bypass(graph_, out, better)) continue;
      graph_.remove_node(id);
      ++changed;
    }
    graph_.sweep();
    return changed;
  }

  // Transposes above Reshapes go below them where they move whole blocks of axes, or where less is left to move.
  int push_reshapes(BlockId block) {
    int changed = 0;
    for (NodeId id : graph_.order(block)) {
      const Node& node = graph_.node(id);
      if (node.removed || !only_reshapes(node)) continue;
      ValueId in = node.inputs[0], out = node.outputs[0];
      const Node* t = made_by(graph_, in, "Transpose");
      if (t == nullptr || t->block != block || graph_.value(in).users.size() != 1 || graph_.is_output(in)) continue;
      const Value &from = graph_.value(in), &to = graph_.value(out);
      std::optional<Permutation> perm = transpose_permutation(graph_, *t);
      if (!perm || !from.dims || !to.dims || (from.quantization && from.quantization->per_axis())) continue;
      if (std::optional<ReshapePush> push = push_through_reshape(*from.dims, *to.dims, *perm)) {
        changed += push_reshape(block, id, *push);
      }
    }
    return changed;
  }

  int push_reshape(BlockId block, NodeId id, const ReshapePush& push) {
    // Where whole blocks move, the same cost further down is welcome, too: there it may meet others.
    return keep_if_cheaper(block, is_identity(push.before), [&] {
      const ValueId out = graph_.node(id).outputs[0];
      const Value made = graph_.value(out);
      ValueId source = graph_.node(graph_.value(graph_.node(id).inputs[0]).producer).inputs[0];
      if (!is_identity(push.before)) source = transposed(graph_, source, push.before, block);
      ValueId shape = graph_.add_constant("shape", Constant::vector(push.target));
      ValueId reshaped = graph_.add("Reshape", {source, shape}, {}, block);
      graph_.set_type(reshaped, made.dtype, permuted(*made.dims, inverse(push.after)));
      graph_.set_quantization(reshaped, made.quantization);
      graph_.replace_keeping_name(out, transposed(graph_, reshaped, push.after, block));
      if (graph_.unused(out)) graph_.remove_node(id);
    });
  }

  // A product by one matrix is of rows along the last axis; transposes of the others go below it.
  int push_products(BlockId block) {
    int changed = 0;
    for (NodeId id : graph_.order(block)) {
      const Node& node = graph_.node(id);
      if (node.removed || !multiplies_rows(graph_, node)) continue;
      const Node* t = made_by(graph_, node.inputs[0], "Transpose");
      if (t == nullptr || t->block != block) continue;
      const std::optional<Permutation> perm = transpose_permutation(graph_, *t);
      const Value made = graph_.value(node.outputs[0]);
      if (!perm || perm->size() < 2 || perm->back() + 1 != std::ssize(*perm) || !made.dims) continue;
      if (graph_.value(node.inputs[0]).users.size() != 1 || graph_.is_output(node.inputs[0])) continue;
      const ValueId source = t->inputs[0], weights = node.inputs[1], out = node.outputs[0];
      changed += keep_if_cheaper(block, true, [&] {
        const ValueId now = graph_.add("MatMul", {source, weights}, graph_.node(id).attributes, block);
        graph_.set_type(now, made.dtype, permuted(*made.dims, inverse(*perm)));
        graph_.set_quantization(now, transposed_quantization(made.quantization, inverse(*perm)));
        graph_.replace_keeping_name(out, transposed(graph_, now, *perm, block));
        graph_.remove_node(id);
      });
    }
    graph_.sweep();
    return changed;
  }

  // What a change seems to cost is an estimate: a neighbour may share or keep what it counts as gone. Only what really
  // gets less is kept, or, `or_equal`, no more; and so the pass ends. 1 when it was kept.
  template <typename Change>
  int keep_if_cheaper(BlockId block, bool or_equal, Change change) {
    Graph before = graph_;
    const int64_t cost_before = cost(block);
    change();
    join_pairs(block);
    const int64_t now = cost(block);
    if (now < cost_before || (or_equal && now == cost_before)) return 1;
    graph_ = std::move(before);
    return 0;
  }

  int relayout(const Region& region) {
    std::set<Permutation> candidates;
    for (ValueId v : region.inputs) {
      if (const Node* t = made_by(graph_, v, "Transpose")) {
        if (std::optional<Permutation> p = transpose_permutation(graph_, *t)) candidates.insert(inverse(*p));
      }
    }
    for (ValueId v : region.outputs) {
      for (NodeId user : graph_.value(v).users) {
        const Node& node = graph_.node(user);
        if (!node.is("Transpose")) continue;
        if (std::optional<Permutation> q = transpose_permutation(graph_, node)) candidates.insert(*q);
      }
    }
    int64_t best_cost = regions_.border_cost(region, identity_permutation(region.rank));
    std::optional<Permutation> best;
    for (const Permutation& p : candidates) {
      if (p.size() != region.rank ||
          !std::ranges::all_of(region.members, [&](NodeId n) { return can_relayout(graph_, graph_.node(n), p); }))
        continue;
      int64_t here = regions_.border_cost(region, p);
      if (here < best_cost) {
        best_cost = here;
        best = p;
      }
    }
    if (!best) return 0;
    const bool further = regions_.feeds_passable(region);
    return keep_if_cheaper(region.block, false, [&] {
      apply(region, *best);
      if (further) {
        push_reshapes(region.block);
        push_products(region.block);
      }
    });
  }

  // Of all transposes of a block that somebody uses.
  int64_t cost(BlockId block) const {
    int64_t sum = 0;
    for (NodeId id : graph_.block(block).nodes) {
      const Node& node = graph_.node(id);
      if (node.removed || !node.is("Transpose") || graph_.unused(node.outputs[0])) continue;
      if (std::optional<Permutation> perm = transpose_permutation(graph_, node))
        sum += transposition_cost(graph_, node.inputs[0], *perm);
    }
    return sum;
  }

  void apply(const Region& region, const Permutation& perm) {
    Permutation back = inverse(perm);
    std::map<ValueId, ValueId> inside;  // old value -> the same in the new layout
    for (ValueId v : region.inputs) inside[v] = transposed(graph_, v, perm, region.block);
    for (NodeId id : graph_.order(region.block)) {
      if (region.members.contains(id)) relayout_node(graph_, id, perm, inside);
    }
    for (ValueId v : region.outputs) hand_out(region, v, inside.at(v), back);
    graph_.sweep();
  }

  // Outside users get the old layout again, those that absorb the new one take it directly.
  void hand_out(const Region& region, ValueId old, ValueId now, const Permutation& back) {
    for (NodeId user : std::vector(graph_.value(old).users)) {
      if (region.members.contains(user)) continue;  // removed with the region's old nodes
      if (absorbs(graph_, graph_.node(user), old, back)) absorb(graph_, user, old, now, back);
    }
    if (graph_.unused(old)) return;
    ValueId plain = transposed(graph_, now, back, region.block);
    graph_.replace_keeping_name(old, plain);
  }

  Graph& graph_;
  const LayoutRegions regions_{graph_};
};

}  // namespace

PassResult sink_transposes(Graph& graph) {
  // A node that nobody needs would keep what it reads in its layout.
  OREE_TRY_ASSIGN(int dead, remove_dead(graph));
  fold_shuffles(graph);
  PassResult changed = Sinker(graph).run();
  unfold_shuffles(graph);
  if (!changed.ok() || *changed == 0) return changed;
  return *changed + dead;
}

}  // namespace oree
