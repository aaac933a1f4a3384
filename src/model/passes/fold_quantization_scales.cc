// SPDX-License-Identifier: Apache-2.0
// Integers that are moved before they are dequantized stand for reals all the way.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "model/passes/fold_quantization.h"

namespace oree {
namespace {

bool small_integers(const Graph& graph, ValueId v) {
  if (v == kNoValue) return false;
  std::optional<Dtype> dtype = graph.value(v).dtype;
  return dtype == Dtype::kInt8 || dtype == Dtype::kUint8 || dtype == Dtype::kInt16;
}

// Values of one group hold the same integers, moved.
class Groups {
 public:
  explicit Groups(Graph& graph) : graph_(graph), parent_(graph.value_count()) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }

  int run() {
    for (NodeId id : living_nodes(graph_)) link(graph_.node(id));
    for (const State& s : graph_.states()) join(s.input, s.output);
    for (NodeId id : living_nodes(graph_)) collect(graph_.node(id));
    int changed = 0;
    for (size_t i = 0; i < parent_.size(); ++i) {
      auto v = static_cast<ValueId>(i);
      auto known = scales_.find(root(v));
      if (known == scales_.end() || !small_integers(graph_, v) || graph_.value(v).quantization) continue;
      if (!known->second || raw_.contains(root(v)) || graph_.unused(v)) continue;
      graph_.set_quantization(v, known->second);
      ++changed;
    }
    return changed;
  }

 private:
  size_t root(ValueId v) {
    auto i = static_cast<size_t>(v);
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(ValueId a, ValueId b) {
    if (small_integers(graph_, a) && small_integers(graph_, b)) parent_[root(a)] = root(b);
  }

  bool joins(const Node& node) const { return node.is("Concat") || moves_elements(graph_, node); }

  void link(const Node& node) {
    if (!joins(node)) return;
    for (ValueId out : node.outputs) {
      if (out != kNoValue) join(node.inputs[0], out);
    }
    for (size_t i = 1; node.is("Concat") && i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) join(node.inputs[0], node.inputs[i]);
    }
  }

  void collect(const Node& node) {
    bool from = node.is("DequantizeLinear"), to = node.is("QuantizeLinear");
    if (from || to) {
      ValueId v = from ? node.inputs[0] : node.outputs[0];
      std::optional<Quantization> q = parameters_of(graph_, node);
      if (q && q->per_axis()) q.reset();
      auto [known, first] = scales_.try_emplace(root(v), q);
      if (!first && known->second != q) known->second.reset();
      return;
    }
    if (joins(node) || node.is("Shape") || node.is("Size")) return;
    // Whoever else takes them takes integers.
    for (ValueId v : node.inputs) {
      if (small_integers(graph_, v)) raw_.insert(root(v));
    }
    for (ValueId v : node.outputs) {
      if (small_integers(graph_, v)) raw_.insert(root(v));
    }
  }

  Graph& graph_;
  std::vector<size_t> parent_;
  std::map<size_t, std::optional<Quantization>> scales_;  // nothing: they contradict each other
  std::set<size_t> raw_;
};

}  // namespace

int give_scales(Graph& graph) { return Groups(graph).run(); }

}  // namespace oree
