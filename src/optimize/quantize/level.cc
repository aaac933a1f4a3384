// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/level.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "optimize/quantize/linear_layer.h"

namespace oree {
namespace {

constexpr double kWorth = 1.1;  // a largest factor below is not worth other numbers

// Values that must have the same factors.
struct Tied {
  std::vector<ValueId> values;
  double end = std::numeric_limits<double>::infinity();  // the least upper end of a Clip
  std::vector<double> factors;                           // by channel; empty: as they were
};

// From 0 to a constant; else 0.
double end_of_clip(const Graph& graph, const Node& node) {
  const Constant *low = graph.constant(node.input(1)), *high = graph.constant(node.input(2));
  if (!node.is("Clip") || low == nullptr || high == nullptr || low->elements() != 1 || high->elements() != 1) return 0;
  const double end = high->to_doubles()[0];
  return low->to_doubles()[0] == 0 && std::isfinite(end) ? std::max(end, 0.0) : 0;
}

class Leveller {
 public:
  explicit Leveller(const Graph& graph) : graph_(graph), parent_(graph.value_count()), fixed_(graph.value_count()) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (ValueId v = 0; v < static_cast<ValueId>(graph.value_count()); ++v) {
      if (!may_change(v)) fixed_[static_cast<size_t>(v)] = true;
    }
    for (NodeId n : graph.order()) look(n);
    gather();
  }

  std::vector<Tied>& tied() { return tied_; }
  const std::vector<NodeId>& layers() const { return layers_; }

 private:
  bool may_change(ValueId v) const {
    const Value& value = graph_.value(v);
    return value.producer != kNoNode && graph_.node(value.producer).block == kMainBlock && !graph_.is_output(v) &&
           value.dtype == Dtype::kFloat32 && !value.quantization && value.dims && value.dims->size() > 1 &&
           (*value.dims)[1].known() &&
           std::ranges::all_of(value.users, [&](NodeId user) { return graph_.node(user).block == kMainBlock; });
  }

  ValueId find(ValueId v) const {
    while (parent_[static_cast<size_t>(v)] != v) v = parent_[static_cast<size_t>(v)];
    return v;
  }
  void tie(ValueId a, ValueId b) { parent_[static_cast<size_t>(find(a))] = find(b); }
  void fix(ValueId v) {
    if (v != kNoValue) fixed_[static_cast<size_t>(v)] = true;
  }

  void look(NodeId n) {
    const Node& node = graph_.node(n);
    if (node.block != kMainBlock) return;
    if (linear_layer_of(graph_, n)) return layers_.push_back(n);
    const bool one = node.outputs.size() == 1 && node.domain.empty();
    if (one && (commutes_with_factors(node) || end_of_clip(graph_, node) > 0))
      return tie(node.inputs[0], node.outputs[0]);
    if (one && node.is("Add") && graph_.value(node.inputs[0]).dims == graph_.value(node.inputs[1]).dims) {
      for (ValueId v : node.inputs) tie(v, node.outputs[0]);
      return;
    }
    for (ValueId v : node.inputs) fix(v);
    for (ValueId v : node.outputs) fix(v);
  }

  void gather() {
    const auto count = static_cast<ValueId>(fixed_.size());
    for (ValueId v = 0; v < count; ++v) {
      if (fixed_[static_cast<size_t>(v)]) fix(find(v));
    }
    std::map<ValueId, Tied> by_first;
    for (ValueId v = 0; v < count; ++v) {
      if (fixed_[static_cast<size_t>(find(v))]) continue;
      Tied& tied = by_first[find(v)];
      tied.values.push_back(v);
      const double end = end_of_clip(graph_, graph_.node(graph_.value(v).producer));
      if (end > 0) tied.end = std::min(tied.end, end);
    }
    for (auto& [first, tied] : by_first) tied_.push_back(std::move(tied));
  }

  const Graph& graph_;
  std::vector<ValueId> parent_;
  std::vector<bool> fixed_;
  std::vector<NodeId> layers_;
  std::vector<Tied> tied_;
};

Result<std::vector<double>> sizes_of(const Graph& graph, const Tied& tied,
                                     const std::map<ValueId, std::vector<double>>& channel_sizes) {
  std::vector<double> sizes;
  for (ValueId v : tied.values) {
    auto seen = channel_sizes.find(v);
    if (seen == channel_sizes.end()) continue;
    const auto channels = static_cast<size_t>((*graph.value(v).dims)[1].size);
    const bool good = std::ranges::all_of(seen->second, [](double s) { return std::isfinite(s) && s >= 0; });
    if (!good || seen->second.size() != channels)
      return Error(Code::kInvalid, fmt::format("'{}': expected the finite sizes of {} channels, found {} numbers",
                                               graph.value(v).name, channels, seen->second.size()));
    sizes.resize(channels, 0);
    for (size_t c = 0; c < channels; ++c) sizes[c] = std::max(sizes[c], seen->second[c]);
  }
  return sizes;
}

std::vector<double> factors_for(const std::vector<double>& sizes, double end, const LevelOptions& options) {
  const bool bound = std::isfinite(end);
  const double top = bound ? end / options.headroom : *std::ranges::max_element(sizes);
  std::vector<double> factors;
  for (double size : sizes)
    factors.push_back(size > 0 ? std::clamp(std::pow(top / size, options.share), 1.0, options.factor_max) : 1);
  return *std::ranges::max_element(factors) >= kWorth ? factors : std::vector<double>();
}

}  // namespace

std::vector<ValueId> levelled_values(const Graph& graph) {
  std::vector<ValueId> values;
  Leveller leveller(graph);
  for (const Tied& tied : leveller.tied()) values.insert(values.end(), tied.values.begin(), tied.values.end());
  return values;
}

PassResult level(Graph& graph, const std::map<ValueId, std::vector<double>>& channel_sizes,
                 const LevelOptions& options) {
  Leveller leveller(graph);
  std::map<ValueId, const std::vector<double>*> factors;
  int changed = 0;
  for (Tied& tied : leveller.tied()) {
    OREE_TRY_ASSIGN(const std::vector<double> sizes, sizes_of(graph, tied, channel_sizes));
    if (sizes.empty()) continue;
    tied.factors = factors_for(sizes, tied.end, options);
    if (tied.factors.empty()) continue;
    ++changed;
    for (ValueId v : tied.values) factors[v] = &tied.factors;
  }
  auto factor = [&](ValueId v, size_t channel) {
    auto found = factors.find(v);
    return found == factors.end() ? 1 : (*found->second)[channel];
  };
  for (NodeId n : leveller.layers()) {
    const ValueId taken = graph.node(n).inputs[0], given = graph.node(n).outputs[0];
    if (!factors.contains(taken) && !factors.contains(given)) continue;
    replace_linear(
        graph, *linear_layer_of(graph, n), [&](size_t i) { return 1 / factor(taken, i); },
        [&](size_t c) { return factor(given, c); });
  }
  if (changed > 0) OREE_TRY(remove_dead(graph));  // the constants that nobody uses any more
  return changed;
}

}  // namespace oree
