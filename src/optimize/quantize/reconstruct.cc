// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/reconstruct.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <numeric>

#include "core/base/parallel.h"
#include "optimize/quantize/round_layer.h"

namespace oree {

Reconstructor::Reconstructor(const Graph& graph, const GraphPlacement& placement, ReconstructOptions options)
    : graph_(graph), options_(std::move(options)) {
  for (const LayerPlace& place : placement.layers) {
    if (place.role != Role::kWeighted) continue;
    ValueId input = graph_.node(place.node).inputs[0];
    if (graph_.constant(input) != nullptr) continue;
    Result<GramMatrix> gram = GramMatrix::for_layer(graph_, place.node);
    if (!gram.ok() || gram->k() > options_.inputs_max) continue;
    ++layers_;
    auto same = std::ranges::find_if(
        columns_, [&](const Columns& known) { return known.input == input && known.gram.like(*gram); });
    if (same != columns_.end()) {
      same->layers.push_back(place.node);
      continue;
    }
    int64_t bytes = gram->groups() * gram->k() * gram->k() * static_cast<int64_t>(sizeof(double));
    columns_.push_back({input, std::move(*gram), bytes, {place.node}});
  }
}

void Reconstructor::watch(SampleRun& run) {
  begin_ = end_;
  for (int64_t bytes = 0; end_ < columns_.size(); ++end_) {
    bytes += columns_[end_].bytes;
    if (end_ > begin_ && bytes > options_.gram_bytes_max) break;
    run.watch(columns_[end_].input, options_.samples_max,
              [&columns = columns_[end_]](const Tensor& tensor) { return columns.gram.add(tensor); });
  }
}

Result<std::map<NodeId, std::vector<int32_t>>> Reconstructor::round(Files& files, const Plan& plan,
                                                                    const std::vector<NamedTensors>& samples) {
  OREE_TRY(round_watched(plan));
  while (end_ < columns_.size()) {
    SampleRun run(graph_, samples);
    watch(run);
    OREE_TRY(run.run(files, options_.threads, options_.scratch));
    OREE_TRY(round_watched(plan));
  }
  return std::move(found_);
}

Status Reconstructor::round_watched(const Plan& plan) {
  // The largest first, so that no thread is left with one alone at the end.
  std::vector<size_t> order(end_ - begin_);
  std::iota(order.begin(), order.end(), begin_);
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return columns_[i].bytes; });
  std::mutex mutex;
  return each_in_parallel(order.size(), options_.threads, [&](size_t i) -> Status {
    Columns& columns = columns_[order[i]];
    for (NodeId layer : columns.layers) {
      if (!plan.weights.contains(layer)) continue;  // in float after all
      Result<std::vector<int32_t>> integers = round_one(plan, layer, columns.gram);
      if (!integers.ok()) return integers.error().within(graph_.value(graph_.node(layer).outputs[0]).name);
      std::lock_guard<std::mutex> lock(mutex);
      found_.emplace(layer, std::move(*integers));
      if (options_.progress) options_.progress(++done_, layers_);
    }
    columns.gram = {};
    return {};
  });
}

Result<std::vector<int32_t>> Reconstructor::round_one(const Plan& plan, NodeId layer, const GramMatrix& gram) const {
  const Node& node = graph_.node(layer);
  LayerRounding how;
  how.bias_follows = options_.biases_follow && !node.is("MatMul");
  return round_layer(graph_, layer, gram, plan.weights.at(layer).scales, weight_grid(graph_, node, plan.dialect), how);
}

}  // namespace oree
