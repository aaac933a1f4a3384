// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/joins.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/passes/passes.h"

namespace oree {
namespace {

// Of the scale that it asks for: 0 is exact in each.
double width(const Range& range) { return std::max(range.high, 0.0) - std::min(range.low, 0.0); }

// The least that is not 0, and the largest; 0 where there is none.
std::pair<double, double> widths(const std::vector<JoinOperand>& operands) {
  double narrowest = 0, widest = 0;
  for (const JoinOperand& o : operands) {
    const double w = width(o.range);
    widest = std::max(widest, w);
    if (w > 0 && (narrowest == 0 || w < narrowest)) narrowest = w;
  }
  return {narrowest, widest};
}

// Also where a value of the inside has it.
void give_name(Graph& graph, ValueId v, const std::string& name) {
  ValueId other = graph.find(name);
  bool seen = other != kNoValue && (graph.is_output(other) || std::ranges::count(graph.main().inputs, other) > 0);
  if (other != kNoValue && other != v && !seen) graph.rename(other, graph.unique_name(name + "_inner"));
  graph.rename(v, seen ? graph.unique_name(name) : name);
}

class Finder {
 public:
  Finder(const Graph& graph, const Dialect& dialect, const GraphPlacement& placement, const Statistics& statistics)
      : graph_(graph), dialect_(dialect), placement_(placement), statistics_(statistics) {}

  std::vector<Join> run() {
    std::vector<Join> joins;
    for (const LayerPlace& layer : placement_.layers) {
      if (layer.role != Role::kJoins) continue;
      Join join = describe(layer);
      const auto [narrowest, widest] = widths(join.operands);
      if (narrowest > 0 && widest > kUnlikeRanges * narrowest) joins.push_back(std::move(join));
    }
    return joins;
  }

 private:
  Join describe(const LayerPlace& layer) {
    const Node& node = graph_.node(layer.node);
    Join join;
    join.node = layer.node;
    join.name = graph_.value(layer.result).name;
    join.op = node.op;
    join.last = leaves(layer.result);
    for (size_t i : operands_of(graph_, node, layer.role)) {
      ValueId v = node.inputs[i];
      if (graph_.constant(v) == nullptr) join.operands.push_back({graph_.value(v).name, range_of(v)});
    }
    return join;
  }

  const LayerPlace* layer_of(NodeId n) const {
    int at = placement_.layer_of[static_cast<size_t>(n)];
    return at < 0 ? nullptr : &placement_.layers[static_cast<size_t>(at)];
  }

  // Through moves alone to outputs or to what is in float.
  bool leaves(ValueId v) const {
    return std::ranges::all_of(graph_.value(v).users, [&](NodeId user) {
      const LayerPlace* layer = layer_of(user);
      if (layer == nullptr) return true;
      if (layer->role != Role::kMoves) return false;
      return std::ranges::all_of(graph_.node(user).outputs,
                                 [&](ValueId out) { return out == kNoValue || leaves(out); });
    });
  }

  Range range_of(ValueId v) const {
    auto seen = statistics_.find(v);
    if (seen != statistics_.end()) return {seen->second.histogram.min(), seen->second.histogram.max()};
    NodeId maker = graph_.value(v).producer;
    if (maker == kNoNode || graph_.constant(v) != nullptr) return {};
    const Node& node = graph_.node(maker);
    const OpRule* rule = node.domain.empty() ? dialect_.rule(node.op) : nullptr;
    if (rule == nullptr) return {};
    if (rule->within) return *rule->within;
    if (rule->fixed) return covered(*rule->fixed, dialect_.activations);
    if (rule->role == Role::kMoves) return range_of(node.inputs[0]);
    Range all;
    if (rule->role != Role::kJoins) return all;
    for (ValueId from : node.inputs) {
      Range one = range_of(from);
      all = {std::min(all.low, one.low), std::max(all.high, one.high)};
    }
    return all;
  }

  const Graph& graph_;
  const Dialect& dialect_;
  const GraphPlacement& placement_;
  const Statistics& statistics_;
};

}  // namespace

double Join::steps_least() const {
  const auto [narrowest, widest] = widths(operands);
  return widest > 0 ? 255 * narrowest / widest : 0;
}

std::vector<Join> unlike_joins(const Graph& graph, const Dialect& dialect, const GraphPlacement& placement,
                               const Statistics& statistics) {
  return Finder(graph, dialect, placement, statistics).run();
}

Result<int> split_outputs(Graph& graph) {
  std::vector<ValueId> outputs = graph.main().outputs, wanted;
  int split = 0;
  for (ValueId v : outputs) {
    NodeId maker = graph.value(v).producer;
    std::vector<ValueId> parts;
    if (maker != kNoNode && graph.node(maker).is("Concat") && std::ranges::count(outputs, v) == 1) {
      for (ValueId part : graph.node(maker).inputs) {
        // What is given out already, comes twice, or is an input cannot take another name.
        const Value& value = graph.value(part);
        bool fresh = value.producer != kNoNode && !graph.is_output(part) && std::ranges::count(wanted, part) == 0 &&
                     std::ranges::count(parts, part) == 0;
        if (!fresh && !value.constant) parts.assign(1, kNoValue);
        if (!parts.empty() && parts[0] == kNoValue) break;
        if (!value.constant) parts.push_back(part);
      }
    }
    if (parts.size() < 2) {
      wanted.push_back(v);
      continue;
    }
    ++split;
    for (size_t i = 0; i < parts.size(); ++i) give_name(graph, parts[i], fmt::format("{}_{}", graph.value(v).name, i));
    wanted.insert(wanted.end(), parts.begin(), parts.end());
  }
  if (split == 0) return 0;
  while (!graph.main().outputs.empty()) graph.remove_output(kMainBlock, 0);
  for (ValueId v : wanted) graph.add_output(v);
  OREE_TRY(remove_dead(graph));
  return split;
}

}  // namespace oree
