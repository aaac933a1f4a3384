// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/rows.h"

#include <algorithm>
#include <utility>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

ValueId matrix_of(Graph& graph, ValueId weights) {
  const Value value = graph.value(weights);
  const Shape& shape = value.constant->shape();
  const ValueId rows = graph.add_constant(value.name + "_matrix", value.constant->reshaped({shape[0], shape[1]}));
  return transposed(graph, rows, {1, 0}, kMainBlock);
}

// A bias of one number a channel broadcasts along the last axis as it is.
void turn(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const Value out = graph.value(node.outputs[0]);
  const Permutation last = channels_last(out.dims->size());
  const ValueId x = transposed(graph, node.inputs[0], last, node.block);
  ValueId rows = build(graph, "MatMul", {x, matrix_of(graph, node.inputs[1])}, {}, node.block, out.name + "_rows");
  if (node.input(2) != kNoValue)
    rows = build(graph, "Add", {rows, node.inputs[2]}, {}, node.block, out.name + "_by_rows");
  graph.remove_node(id);
  put_transpose(graph, rows, inverse(last), node.outputs[0], node.block);
}

int turn_few(Graph& graph) {
  int turned = 0;
  for (NodeId n : graph.order()) {
    const Node& node = graph.node(n);
    if (!of_one_tap(graph, node) || !has_few_weights(graph, node) || !graph.value(node.outputs[0]).dims) continue;
    turn(graph, n);
    ++turned;
  }
  graph.sweep();
  return turned;
}

// What moves nothing becomes a Reshape.
Status settle(Graph& graph) {
  OREE_TRY(sink_transposes(graph));
  OREE_TRY(simplify(graph));
  OREE_TRY(remove_dead(graph));
  return {};
}

int64_t moved(const Graph& graph) {
  int64_t sum = 0;
  for (NodeId n : graph.order()) {
    const Node& node = graph.node(n);
    if (!node.is("Transpose")) continue;
    if (std::optional<Permutation> perm = transpose_permutation(graph, node))
      sum += transposition_cost(graph, node.inputs[0], *perm);
  }
  return sum;
}

bool is_there(const Graph& graph, ValueId v) { return graph.value(v).producer != kNoNode; }

}  // namespace

bool of_one_tap(const Graph& graph, const Node& node) {
  const Constant* weights = node.is("Conv") ? graph.constant(node.input(1)) : nullptr;
  if (weights == nullptr || node.integer("group", 1) != 1) return false;
  const auto all = [](const auto& numbers, int64_t wanted) {
    return std::ranges::all_of(numbers, [&](int64_t i) { return i == wanted; });
  };
  const Shape taps(weights->shape().begin() + 2, weights->shape().end());
  return all(taps, 1) && all(node.integers("strides"), 1) && all(node.integers("pads"), 0);
}

Permutation channels_last(size_t rank) {
  Permutation p = identity_permutation(rank);
  std::rotate(p.begin() + 1, p.begin() + 2, p.end());
  return p;
}

Result<TurnedResults> turn_tail(Graph& graph, const Plan& plan, const std::vector<ValueId>& needed) {
  TurnedResults rows;
  for (const LayerPlace& layer : plan.placement.layers) {
    const Node* back = layer.leaves ? made_by(graph, layer.result, "Transpose") : nullptr;
    if (back != nullptr) rows.emplace(layer.result, back->inputs[0]);
  }
  if (rows.empty()) return rows;
  Graph plain = graph, few = graph;
  OREE_TRY(settle(plain));
  Graph* best = &plain;
  if (turn_few(few) > 0) {
    OREE_TRY(settle(few));
    if (moved(few) <= moved(plain)) best = &few;
  }
  if (!std::ranges::all_of(needed, [&](ValueId v) { return is_there(*best, v); })) return TurnedResults();
  graph = std::move(*best);
  std::erase_if(rows, [&](const auto& r) { return is_there(graph, r.first) || !is_there(graph, r.second); });
  return rows;
}

void turn_back(Graph& graph, const TurnedResults& turned) {
  for (const auto& [result, rows] : turned)
    put_transpose(graph, rows, inverse(channels_last(graph.value(rows).dims->size())), result, kMainBlock);
}

}  // namespace oree
