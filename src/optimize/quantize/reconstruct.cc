// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/reconstruct.h"

#include <algorithm>
#include <atomic>
#include <thread>

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
    int64_t bytes = gram->groups() * gram->k() * gram->k() * static_cast<int64_t>(sizeof(double));
    layers_.push_back({place.node, input, std::move(*gram), bytes});
  }
}

void Reconstructor::watch(SampleRun& run) {
  begin_ = end_;
  for (int64_t bytes = 0; end_ < layers_.size(); ++end_) {
    bytes += layers_[end_].bytes;
    if (end_ > begin_ && bytes > options_.gram_bytes_max) break;
    run.watch(layers_[end_].input, options_.samples_max,
              [&layer = layers_[end_]](const Tensor& tensor) { return layer.gram.add(tensor); });
  }
}

Result<std::map<NodeId, std::vector<int32_t>>> Reconstructor::round(Files& files, const Plan& plan,
                                                                    const std::vector<NamedTensors>& samples) {
  OREE_TRY(round_watched(plan));
  while (end_ < layers_.size()) {
    SampleRun run(graph_, samples);
    watch(run);
    OREE_TRY(run.run(files, options_.threads, options_.scratch));
    OREE_TRY(round_watched(plan));
  }
  return std::move(found_);
}

Status Reconstructor::round_watched(const Plan& plan) {
  std::atomic<size_t> next = begin_;
  auto work = [&] {
    for (size_t i = next++; i < end_; i = next++) {
      Layer& l = layers_[i];
      const Node& node = graph_.node(l.node);
      const auto weights = plan.weights.find(l.node);
      if (weights == plan.weights.end()) continue;  // in float after all
      LayerRounding how;
      how.bias_follows = options_.biases_follow && !node.is("MatMul");
      Result<std::vector<int32_t>> integers =
          round_layer(graph_, l.node, l.gram, weights->second.scales, weight_grid(graph_, node, plan.dialect), how);
      l.gram = {};
      std::lock_guard<std::mutex> lock(mutex_);
      if (!integers.ok()) failed_ = integers.error().within(graph_.value(graph_.node(l.node).outputs[0]).name);
      if (failed_) return;
      found_.emplace(l.node, std::move(*integers));
      if (options_.progress) options_.progress(++done_, layers_.size());
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < options_.threads; ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  return failed_ ? Status(*failed_) : Status();
}

}  // namespace oree
