// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

bool same_type(const Graph& graph, ValueId a, ValueId b) {
  const Value &x = graph.value(a), &y = graph.value(b);
  return x.dtype && x.dtype == y.dtype && x.dims && x.dims == y.dims;
}

// Every dimension is known, or a symbol that says which: then equal means equal.
bool told(const Graph& graph, ValueId v) {
  const std::optional<Dims>& dims = graph.value(v).dims;
  return dims && std::ranges::all_of(*dims, [](const Dim& d) { return d.known() || !d.symbol.empty(); });
}

bool all_are(const Graph& graph, ValueId v, int64_t wanted) {
  std::optional<std::vector<int64_t>> list = constant_ints(graph, v);
  return list && std::ranges::all_of(*list, [&](int64_t x) { return x == wanted; });
}

bool scalar_is(const Graph& graph, ValueId v, double wanted) {
  std::optional<double> x = v == kNoValue ? std::nullopt : constant_scalar(graph, v);
  return x && *x == wanted && !graph.value(v).quantization;
}

// The operand that the first output equals, when the node does nothing else; kNoValue otherwise.
ValueId does_nothing(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.inputs.empty() || node.outputs.empty()) return kNoValue;
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue && !graph.unused(node.outputs[i])) return kNoValue;
  }
  ValueId x = node.inputs[0], out = node.outputs[0];
  if (x == kNoValue || out == kNoValue || !same_quantization(graph, x, out)) return kNoValue;
  const std::string& op = node.op;
  if (op == "Identity") return x;
  if (op == "Dropout") {  // a training_mode that is no constant may be true
    ValueId training = node.input(2);
    return training == kNoValue || all_are(graph, training, 0) ? x : kNoValue;
  }
  if ((op == "Concat" || op == "Max" || op == "Min" || op == "Sum" || op == "Mean") && node.inputs.size() == 1)
    return x;
  if (op == "Clip" && node.input(1) == kNoValue && node.input(2) == kNoValue) return x;
  if (!same_type(graph, x, out)) {
    if (op == "Add" || op == "Mul") {
      ValueId y = node.inputs[1];
      if (same_type(graph, y, out) && told(graph, out) && same_quantization(graph, y, out) &&
          scalar_is(graph, x, op == "Add" ? 0 : 1))
        return y;
    }
    return kNoValue;
  }
  if (op == "Cast" || op == "CastLike") return x;
  if (!told(graph, out)) return kNoValue;
  if (only_reshapes(node) || op == "Expand") return x;
  if (op == "Pad" && all_are(graph, node.input(1), 0)) return x;
  if (op == "Tile" && all_are(graph, node.input(1), 1)) return x;
  if (op == "Slice" && (node.input(4) == kNoValue || all_are(graph, node.input(4), 1)) &&
      known_shape(*graph.value(x).dims))
    return x;
  if (op == "Split" && node.outputs.size() == 1) return x;
  if (op == "Add" || op == "Sub") return scalar_is(graph, node.inputs[1], 0) ? x : kNoValue;
  if (op == "Mul" || op == "Div" || op == "Pow") return scalar_is(graph, node.inputs[1], 1) ? x : kNoValue;
  return kNoValue;
}

// A reshape of a reshape is one, told by the dimensions that come out.
bool join_reshapes(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!only_reshapes(node) || node.outputs.size() != 1) return false;
  NodeId producer = graph.value(node.inputs[0]).producer;
  if (producer == kNoNode) return false;
  const Node& before = graph.node(producer);
  ValueId source = before.input(0);
  bool passes = only_reshapes(before);
  if (!passes && before.is("Transpose")) {
    std::optional<Permutation> perm = transpose_permutation(graph, before);
    passes = perm && graph.value(source).dims && moves_nothing(*perm, *graph.value(source).dims);
  }
  if (!passes || !same_quantization(graph, source, node.outputs[0])) return false;
  if (graph.value(source).quantization && graph.value(source).quantization->per_axis()) return false;
  std::optional<std::vector<int64_t>> target = reshape_target(graph, node.outputs[0]);
  if (!target) return false;
  ValueId shape = graph.add_constant("shape", Constant::vector(*target));
  graph.set_op(id, "Reshape");
  graph.remove_attribute(id, "axis");
  graph.remove_attribute(id, "allowzero");
  graph.set_input(id, 0, source);
  graph.set_input(id, 1, shape);
  return true;
}

// An If whose condition is known is its branch.
bool take_branch(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!node.is("If")) return false;
  std::optional<std::vector<int64_t>> condition = constant_ints(graph, node.input(0));
  if (!condition || condition->size() != 1) return false;
  const char* wanted = (*condition)[0] != 0 ? "then_branch" : "else_branch";
  auto branch = std::ranges::find_if(node.blocks, [&](const auto& b) { return b.first == wanted; });
  if (branch == node.blocks.end()) return false;
  std::vector<ValueId> outputs = graph.block(branch->second).outputs;
  // What the branch hands on must be able to bear the name of what it becomes.
  for (size_t i = 0; i < outputs.size() && i < node.outputs.size(); ++i) {
    ValueId out = node.outputs[i];
    if (out != kNoValue && graph.is_output(out) &&
        (graph.value(outputs[i]).producer == kNoNode || std::ranges::count(outputs, outputs[i]) > 1))
      return false;
  }
  BlockId body = branch->second, around = node.block;
  std::vector<ValueId> old = node.outputs;
  graph.move_nodes(body, around);
  graph.remove_node(id);
  for (size_t i = 0; i < outputs.size() && i < old.size(); ++i) {
    if (old[i] != kNoValue) graph.replace_keeping_name(old[i], outputs[i]);
  }
  return true;
}

}  // namespace

PassResult simplify(Graph& graph) {
  int changed = 0;
  for (NodeId id : graph.all_nodes()) {
    if (graph.node(id).removed) continue;
    if (ValueId same = does_nothing(graph, graph.node(id)); same != kNoValue) {
      if (bypass(graph, graph.node(id).outputs[0], same)) {
        graph.remove_node(id);
        ++changed;
        continue;
      }
    }
    if (join_reshapes(graph, id) || take_branch(graph, id)) ++changed;
  }
  graph.sweep();
  return changed;
}

PassResult clean(Graph& graph) {
  constexpr int64_t kFoldBytesMax = 1 << 16;
  constexpr int kRoundsMax = 50;
  int changed = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    int now = 0;
    OREE_TRY_ASSIGN(int dead, remove_dead(graph));
    OREE_TRY_ASSIGN(int folded, fold_constants(graph, kFoldBytesMax));
    OREE_TRY_ASSIGN(int simpler, simplify(graph));
    OREE_TRY_ASSIGN(int merged, merge_common(graph));
    now = dead + folded + simpler + merged;
    changed += now;
    if (now == 0) break;
    if (folded + simpler > 0) OREE_TRY(infer_types(graph));
  }
  return changed;
}

}  // namespace oree
