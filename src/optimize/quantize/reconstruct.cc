// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/reconstruct.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "optimize/quantize/probe.h"
#include "optimize/quantize/round_layer.h"

namespace oree {
namespace {

struct Layer {
  NodeId node = kNoNode;
  ValueId input = kNoValue;
  GramMatrix gram;
  int64_t bytes = 0;
};

class Reconstructor {
 public:
  Reconstructor(Files& files, const Graph& graph, const Plan& plan, const std::vector<NamedTensors>& samples,
                const ReconstructOptions& options)
      : files_(files), graph_(graph), plan_(plan), samples_(samples), options_(options) {}

  Result<std::map<NodeId, std::vector<int32_t>>> run() {
    std::vector<Layer> layers = suitable();
    total_ = layers.size();
    for (size_t begin = 0; begin < layers.size();) {
      size_t end = begin;
      for (int64_t bytes = 0; end < layers.size(); ++end) {
        bytes += layers[end].bytes;
        if (end > begin && bytes > options_.gram_bytes_max) break;
      }
      std::span<Layer> some(layers.data() + begin, end - begin);
      OREE_TRY(look(some));
      OREE_TRY(round_all(some));
      for (Layer& layer : some) layer.gram = {};
      begin = end;
    }
    return std::move(found_);
  }

 private:
  std::vector<Layer> suitable() const {
    std::vector<Layer> layers;
    for (const LayerPlace& place : plan_.placement.layers) {
      if (place.role != Role::kWeighted) continue;
      ValueId input = graph_.node(place.node).inputs[0];
      if (graph_.constant(input) != nullptr) continue;
      Result<GramMatrix> gram = GramMatrix::for_layer(graph_, place.node);
      if (!gram.ok() || gram->k() > options_.inputs_max) continue;
      int64_t bytes = gram->groups() * gram->k() * gram->k() * static_cast<int64_t>(sizeof(double));
      layers.push_back({place.node, input, std::move(*gram), bytes});
    }
    return layers;
  }

  Status look(std::span<Layer> layers) {
    std::vector<ValueId> values;
    std::map<ValueId, std::vector<Layer*>> by_value;
    for (Layer& layer : layers) {
      if (by_value[layer.input].empty()) values.push_back(layer.input);
      by_value[layer.input].push_back(&layer);
    }
    OREE_TRY_ASSIGN(std::unique_ptr<Probe> probe, Probe::open(files_, graph_, values, options_.scratch));
    OREE_TRY_ASSIGN(Probe::Run run, probe->start(1, false));
    for (const NamedTensors& sample : samples_) {
      OREE_TRY(run.run(sample, [&](size_t place, const Tensor& tensor) {
        for (Layer* layer : by_value[values[place]]) {
          Status added = layer->gram.add(tensor);
          if (!added.ok()) return added;
        }
        return Status();
      }));
    }
    return {};
  }

  Status round_all(std::span<Layer> layers) {
    std::atomic<size_t> next = 0;
    auto work = [&] {
      for (size_t i = next++; i < layers.size(); i = next++) {
        const Layer& l = layers[i];
        const Node& node = graph_.node(l.node);
        LayerRounding how;
        how.bias_follows = options_.biases_follow && !node.is("MatMul");
        Result<std::vector<int32_t>> integers = round_layer(graph_, l.node, l.gram, plan_.weights.at(l.node).scales,
                                                            weight_grid(graph_, node, plan_.dialect), how);
        std::lock_guard<std::mutex> lock(mutex_);
        if (!integers.ok()) failed_ = integers.error().within(graph_.value(graph_.node(l.node).outputs[0]).name);
        if (failed_) return;
        found_.emplace(l.node, std::move(*integers));
        if (options_.progress) options_.progress(++done_, total_);
      }
    };
    std::vector<std::thread> threads;
    for (int t = 1; t < options_.threads; ++t) threads.emplace_back(work);
    work();
    for (std::thread& t : threads) t.join();
    return failed_ ? Status(*failed_) : Status();
  }

  Files& files_;
  const Graph& graph_;
  const Plan& plan_;
  const std::vector<NamedTensors>& samples_;
  const ReconstructOptions& options_;
  std::mutex mutex_;
  size_t done_ = 0, total_ = 0;
  std::optional<Error> failed_;
  std::map<NodeId, std::vector<int32_t>> found_;
};

}  // namespace

Result<std::map<NodeId, std::vector<int32_t>>> reconstruct_weights(Files& files, const Graph& graph, const Plan& plan,
                                                                   const std::vector<NamedTensors>& samples,
                                                                   const ReconstructOptions& options) {
  return Reconstructor(files, graph, plan, samples, options).run();
}

}  // namespace oree
