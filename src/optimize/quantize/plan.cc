// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/parallel.h"
#include "optimize/quantize/through.h"

namespace oree {
namespace {

NodeId maker_of(const Graph& graph, ValueId v) { return graph.value(v).producer; }

const OpRule* rule_of(const Graph& graph, const Dialect& dialect, ValueId v) {
  NodeId maker = maker_of(graph, v);
  return maker == kNoNode || !graph.node(maker).domain.empty() ? nullptr : dialect.rule(graph.node(maker).op);
}

// What it holds are its operands' values.
bool only_moves(const Graph& graph, const Dialect& dialect, ValueId v) {
  const OpRule* rule = rule_of(graph, dialect, v);
  return rule != nullptr && (rule->role == Role::kMoves || rule->op == "Concat");
}

std::optional<Affine> bounded(const Graph& graph, const Dialect& dialect, ValueId v) {
  const OpRule* rule = rule_of(graph, dialect, v);
  if (rule == nullptr) return std::nullopt;
  if (rule->within) return affine_for(*rule->within, dialect.activations);
  return rule->fixed;
}

// The scale that a group's only source prescribes; nothing when there is none, or others have a say.
std::optional<Affine> prescribed(const Graph& graph, const Dialect& dialect, const std::vector<ValueId>& group) {
  std::optional<Affine> fixed;
  int sources = 0;
  for (ValueId v : group) {
    if (maker_of(graph, v) == kNoNode) return std::nullopt;
    const OpRule* rule = rule_of(graph, dialect, v);
    if (group.size() > 1 && rule != nullptr && rule->role == Role::kMoves) continue;
    ++sources;
    fixed = bounded(graph, dialect, v);
  }
  return sources == 1 ? fixed : std::nullopt;
}

Result<Range> constant_range(const Graph& graph, ValueId v) {
  Range range;
  for (double x : graph.constant(v)->to_doubles()) {
    if (!std::isfinite(x)) return Error(Code::kInvalid, fmt::format("constant '{}' holds {}", graph.value(v).name, x));
    range.low = std::min(range.low, x);
    range.high = std::max(range.high, x);
  }
  return range;
}

// Nothing in integers takes these values: they are results, and what is rare in them, the highest score or the furthest
// box, is what they are looked at for.
bool leaves(const Graph& graph, const GraphPlacement& placement, const std::vector<ValueId>& group) {
  return std::ranges::all_of(group, [&](ValueId v) {
    return std::ranges::none_of(graph.value(v).users, [&](NodeId user) {
      int layer = placement.layer_of[static_cast<size_t>(user)];
      return layer >= 0 && placement.layers[static_cast<size_t>(layer)].role != Role::kMoves;
    });
  });
}

// All that it holds are values of the group, which were seen before. A Concat's operands may have scales of their own,
// and constants always do.
bool moved_within(const Graph& graph, const Dialect& dialect, const std::vector<ValueId>& group, ValueId v) {
  if (!only_moves(graph, dialect, v)) return false;
  const Node& node = graph.node(maker_of(graph, v));
  auto end = node.is("Concat") ? node.inputs.end() : node.inputs.begin() + 1;
  return std::all_of(node.inputs.begin(), end,
                     [&](ValueId from) { return std::ranges::find(group, from) != group.end(); });
}

// Where what is only moved comes from; without constants and what is bounded.
std::vector<ValueId> sources_of(const Graph& graph, const Dialect& dialect, ValueId v) {
  if (graph.constant(v) != nullptr) return {};
  if (!only_moves(graph, dialect, v)) {
    return bounded(graph, dialect, v) ? std::vector<ValueId>() : std::vector<ValueId>{v};
  }
  const Node& node = graph.node(maker_of(graph, v));
  std::vector<ValueId> sources;
  for (size_t i = 0; i < (node.is("Concat") ? node.inputs.size() : 1); ++i) {
    std::vector<ValueId> some = sources_of(graph, dialect, node.inputs[i]);
    sources.insert(sources.end(), some.begin(), some.end());
  }
  return sources;
}

void merge(TensorStatistics& all, const TensorStatistics& more) {
  all.average.low = all.samples == 0 ? more.average.low : std::min(all.average.low, more.average.low);
  all.average.high = all.samples == 0 ? more.average.high : std::max(all.average.high, more.average.high);
  all.samples += more.samples;
  all.histogram.merge(more.histogram);
}

// Of what takes this range in every sample.
TensorStatistics of_ends(Range range) {
  TensorStatistics s;
  const float both[] = {static_cast<float>(range.low), static_cast<float>(range.high)};
  s.histogram.add(both);
  s.average = range;
  s.samples = 1;
  return s;
}

Result<LayerWeights> weights_of(const Graph& graph, const Dialect& dialect, const Node& node, WeightScale how) {
  const Constant* w = graph.constant(node.inputs[1]);
  const Tensor tensor = w->to_tensor();
  LayerWeights out;
  bool matrix = node.is("Gemm") || node.is("MatMul");
  out.axis = matrix && !dialect.gemm_by_channel ? -1 : channel_axis(graph, node);
  // A grouped transposed convolution has its channels on no axis alone.
  if (node.is("ConvTranspose") && node.integer("group", 1) != 1) out.axis = -1;
  const WeightGrid grid = weight_grid(graph, node, dialect);
  Result<std::vector<float>> scales = weight_scales(tensor.as<float>(), tensor.shape(), out.axis, grid, how);
  if (!scales.ok()) return scales.error().within(graph.value(node.inputs[1]).name);
  out.scales = std::move(*scales);
  out.integers = pack_integers(quantize_weights(tensor.as<float>(), tensor.shape(), out.axis, out.scales, grid),
                               tensor.shape(), grid.integers.dtype);
  if (node.input(2) != kNoValue) {
    OREE_TRY(constant_range(graph, node.inputs[2]));
    for (double b : graph.constant(node.inputs[2])->to_doubles()) out.bias.push_back(static_cast<float>(b));
  }
  return out;
}

}  // namespace

WeightGrid weight_grid(const Graph& graph, const Node& node, const Dialect& dialect) {
  if (!dialect.pairs) return dialect.weights;
  const Shape& shape = graph.constant(node.inputs[1])->shape();
  if (node.is("Gemm") || node.is("MatMul")) {
    const int channels = channel_axis(graph, node);
    return {dialect.weights, channels == 0 ? 1 : channels - 1};
  }
  const int64_t group = node.integer("group", 1);
  const bool conv = node.is("Conv"), turned = node.is("ConvTranspose") && group == 1;
  if (conv && group == shape[0] && shape[1] == 1) return dialect.weights;
  const int inputs = conv ? 1 : 0;
  const bool one_tap = std::all_of(shape.begin() + 2, shape.end(), [](int64_t d) { return d == 1; });
  const bool by_inputs = shape[static_cast<size_t>(inputs)] % 2 == 0 || one_tap;
  return (conv || turned) && by_inputs ? WeightGrid(dialect.weights, inputs) : reduced_int8_grid();
}

int channel_axis(const Graph& graph, const Node& node) {
  if (node.is("ConvTranspose")) return 1;
  if (node.is("Gemm")) return node.integer("transB", 0) != 0 ? 0 : 1;
  if (node.is("MatMul")) return static_cast<int>(graph.constant(node.inputs[1])->shape().size()) - 1;
  return 0;
}

Result<TensorStatistics> Planner::statistics_of(ValueId value) const {
  auto found = statistics_.find(value);
  if (found != statistics_.end()) return found->second;
  TensorStatistics all;
  if (only_moves(graph_, dialect_, value)) {
    const Node& node = graph_.node(maker_of(graph_, value));
    const size_t operands = node.is("Concat") ? node.inputs.size() : 1;
    for (size_t i = 0; i < operands; ++i) {
      if (graph_.constant(node.inputs[i]) != nullptr) {
        OREE_TRY_ASSIGN(Range range, constant_range(graph_, node.inputs[i]));
        merge(all, of_ends(range));
        continue;
      }
      OREE_TRY_ASSIGN(TensorStatistics part, statistics_of(node.inputs[i]));
      merge(all, part);
    }
    return all;
  }
  if (std::optional<Affine> range = bounded(graph_, dialect_, value)) {
    return of_ends(covered(*range, dialect_.activations));
  }
  return Error(Code::kInvalid, fmt::format("nothing was seen of '{}'", graph_.value(value).name));
}

Result<Affine> Planner::affine_of(const Plan& plan, const std::vector<ValueId>& group) const {
  if (std::optional<Affine> fixed = prescribed(graph_, dialect_, group)) return *fixed;
  const IntegerGrid& grid = dialect_.activations;
  if (group.size() == 1 && graph_.constant(group[0]) != nullptr) {
    OREE_TRY_ASSIGN(Range range, constant_range(graph_, group[0]));
    return affine_for(range, grid);
  }
  const bool last = leaves(graph_, plan.placement, group);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = affines_.find({group, last});
    if (known != affines_.end()) return known->second;
  }
  TensorStatistics all;
  for (ValueId v : group) {
    if (graph_.constant(v) != nullptr || moved_within(graph_, dialect_, group, v)) continue;
    OREE_TRY_ASSIGN(TensorStatistics part, statistics_of(v));
    merge(all, part);
  }
  Affine affine;
  RealFunction function;
  if (options_.ranges.method == RangeMethod::kMse && group.size() == 1) function = function_of(graph_, group[0]);
  if (function) {
    affine = affine_for(least_error_through(all.histogram, grid, function), grid);
  } else {
    RangeOptions how = options_.ranges;
    if (last) how.method = RangeMethod::kMinMax;
    affine = affine_for(choose_range(all, grid, how), grid);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  affines_[{group, last}] = affine;
  return affine;
}

Result<Plan> Planner::plan(GraphPlacement placement, int threads) const {
  Plan plan;
  plan.dialect = dialect_;
  plan.placement = std::move(placement);
  const std::vector<std::vector<ValueId>>& groups = plan.placement.groups;
  plan.groups.resize(groups.size());
  OREE_TRY(each_in_parallel(groups.size(), threads, [&](size_t g) -> Status {
    OREE_TRY_ASSIGN(plan.groups[g], affine_of(plan, groups[g]));
    return {};
  }));
  for (const LayerPlace& layer : plan.placement.layers) {
    if (layer.role != Role::kWeighted) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = weights_.find(layer.node);
    if (known == weights_.end()) {
      OREE_TRY_ASSIGN(LayerWeights weights,
                      weights_of(graph_, dialect_, graph_.node(layer.node), options_.weight_scale));
      known = weights_.emplace(layer.node, std::move(weights)).first;
    }
    plan.weights.emplace(layer.node, known->second);
  }
  return plan;
}

std::vector<ValueId> values_to_see(const Graph& graph, const Dialect& dialect, const GraphPlacement& placement) {
  std::vector<ValueId> values;
  for (const std::vector<ValueId>& group : placement.groups) {
    if (prescribed(graph, dialect, group)) continue;
    for (ValueId v : group) {
      if (graph.constant(v) != nullptr) continue;
      // What it was moved from is a value of this placement, too, or is one's result.
      if (!only_moves(graph, dialect, v)) values.push_back(v);
      if (only_moves(graph, dialect, v)) {
        for (ValueId source : sources_of(graph, dialect, v)) values.push_back(source);
      }
    }
  }
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
  return values;
}

}  // namespace oree
