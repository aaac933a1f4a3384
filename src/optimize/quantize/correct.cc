// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/correct.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "optimize/quantize/emit.h"

namespace oree {
namespace {

// Weights as [channels][inputs of one group][taps], whatever the operator's order.
struct WeightView {
  int64_t channels = 0, inputs = 0, taps = 1;
  int64_t channels_a_group = 0;
  std::vector<int64_t> strides;  // of channel, input, tap
};

WeightView view_weights(const Graph& graph, const Node& node) {
  const Shape& shape = graph.constant(node.inputs[1])->shape();
  WeightView v;
  int64_t group = std::max<int64_t>(1, node.integer("group", 1));
  for (size_t i = 2; i < shape.size(); ++i) v.taps *= shape[i];
  if (node.is("Conv")) {
    v.channels = shape[0];
    v.inputs = shape[1];
    v.channels_a_group = v.channels / group;
    v.strides = {v.inputs * v.taps, v.taps, 1};
  } else if (node.is("ConvTranspose")) {
    v.channels = shape[1] * group;
    v.inputs = shape[0] / group;
    v.channels_a_group = shape[1];
    v.strides = {v.taps, shape[1] * v.taps, 1};
  } else {
    bool rows = node.is("Gemm") && node.integer("transB", 0) != 0;
    v.channels = shape[rows ? 0 : 1];
    v.inputs = shape[rows ? 1 : 0];
    v.channels_a_group = v.channels;
    v.strides = rows ? std::vector<int64_t>{v.inputs, 1, 0} : std::vector<int64_t>{1, v.channels, 0};
  }
  return v;
}

// Sum over a channel's weights of (real - quantized) * mean(x).
std::vector<double> shifts(const Graph& graph, const Node& node, const LayerWeights& weights,
                           const std::vector<double>& means) {
  const Tensor real = graph.constant(node.inputs[1])->to_tensor();
  std::span<const float> w = real.as<float>();
  std::vector<float> q = dequantize_weights(weights.integers, real.shape(), weights.axis, weights.scales);
  WeightView v = view_weights(graph, node);
  std::vector<double> out(static_cast<size_t>(v.channels), 0);
  for (int64_t c = 0; c < v.channels; ++c) {
    int64_t group = c / v.channels_a_group;
    // A transposed convolution counts its weights' channels within the group, and its inputs across all.
    bool transposed = node.is("ConvTranspose");
    int64_t base =
        transposed ? (c % v.channels_a_group) * v.strides[0] + group * v.inputs * v.strides[1] : c * v.strides[0];
    for (int64_t i = 0; i < v.inputs; ++i) {
      double sum = 0;
      for (int64_t t = 0; t < v.taps; ++t) {
        auto at = static_cast<size_t>(base + i * v.strides[1] + t * v.strides[2]);
        sum += static_cast<double>(w[at]) - static_cast<double>(q[at]);
      }
      out[static_cast<size_t>(c)] += sum * means[static_cast<size_t>(group * v.inputs + i)];
    }
  }
  return out;
}

// MatMul has no bias to correct.
bool takes_bias(const Node& node) { return !node.is("MatMul"); }

void add_to_bias(std::vector<float>& bias, const std::vector<double>& by) {
  bias.resize(by.size(), 0.0F);
  for (size_t c = 0; c < by.size(); ++c) bias[c] += static_cast<float>(by[c]);
}

}  // namespace

void correct_biases_by_means(const Graph& graph, Plan& plan,
                             const std::map<ValueId, std::vector<double>>& channel_means) {
  for (auto& [n, weights] : plan.weights) {
    const Node& node = graph.node(n);
    auto means = channel_means.find(node.inputs[0]);
    if (!takes_bias(node) || means == channel_means.end()) continue;
    if (node.is("ConvTranspose")) continue;  // a border's share of taps is not known here
    add_to_bias(weights.bias, shifts(graph, node, weights, means->second));
  }
}

namespace {

// A layer's sums before its activation, and what the network gives there.
struct Tapped {
  NodeId node = kNoNode;
  ValueId sums = kNoValue;
};

std::vector<Tapped> tapped_layers(const Graph& graph, const Plan& plan) {
  std::vector<Tapped> layers;
  for (const LayerPlace& layer : plan.placement.layers) {
    const Node& node = graph.node(layer.node);
    if (layer.role == Role::kWeighted && takes_bias(node)) layers.push_back({layer.node, node.outputs[0]});
  }
  return layers;
}

class Means {
 public:
  explicit Means(size_t layers) : sums_(layers), counts_(layers) {}

  Status add(size_t layer, const Tensor& t, bool matrix) {
    const Shape& shape = t.shape();
    if (shape.size() < 2)
      return Error(Code::kInvalid, fmt::format("expected channels, found shape {}", shape_text(shape)));
    size_t axis = matrix ? shape.size() - 1 : 1;
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < axis; ++i) outer *= shape[i];
    for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
    std::vector<double>& sums = sums_[layer];
    sums.resize(static_cast<size_t>(shape[axis]));
    const float* x = t.as<float>().data();
    for (int64_t o = 0; o < outer; ++o) {
      for (double& sum : sums) {
        double s = 0;
        for (int64_t i = 0; i < inner; ++i) s += static_cast<double>(x[i]);
        sum += s;
        x += inner;
      }
    }
    counts_[layer] += static_cast<double>(outer * inner);
    return {};
  }

  std::vector<double> mean(size_t layer) const {
    std::vector<double> out = sums_[layer];
    for (double& x : out) x /= std::max(1.0, counts_[layer]);
    return out;
  }

 private:
  std::vector<std::vector<double>> sums_;
  std::vector<double> counts_;
};

// Layers in float whose bias can be corrected.
std::vector<Tapped> tapped_floats(const Graph& graph, const Plan& plan) {
  std::vector<Tapped> layers;
  for (NodeId n : graph.order()) {
    const Node& node = graph.node(n);
    const bool known = node.is("Conv") || (node.is("Gemm") && node.real("beta", 1) == 1);
    if (!known || plan.weights.contains(n) || node.block != kMainBlock) continue;
    const Constant* weights = graph.constant(node.inputs[1]);
    const bool bias = node.input(2) == kNoValue || graph.constant(node.inputs[2]) != nullptr;
    if (weights == nullptr || !bias) continue;
    const Constant* numbers = graph.constant(node.input(2));
    if (numbers != nullptr && numbers->elements() != view_weights(graph, node).channels) continue;
    layers.push_back({n, node.outputs[0]});
  }
  return layers;
}

// Those from which no other of them is reached.
std::vector<Tapped> last_of(const Graph& graph, const std::vector<Tapped>& layers) {
  std::set<NodeId> nodes;
  for (const Tapped& layer : layers) nodes.insert(layer.node);
  const std::vector<bool> followed = values_leading_to(graph, [&](NodeId n) { return nodes.contains(n); });
  std::vector<Tapped> last;
  for (const Tapped& layer : layers) {
    if (!followed[static_cast<size_t>(layer.sums)]) last.push_back(layer);
  }
  return last;
}

class Corrector {
 public:
  Corrector(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
            const CorrectionOptions& options)
      : files_(files), graph_(graph), plan_(plan), samples_(samples), options_(options) {}

  Status run(const std::vector<Tapped>& layers) {
    if (layers.empty() || samples_.empty()) return {};
    // Both networks side by side: each on one thread, so that the sums are the same bits on any machine load.
    Result<Means> wanted = Error(Code::kInternal, "");
    std::thread beside([&] { wanted = means(graph_, layers, false); });
    Graph simulated = graph_;
    Status emitted = emit(simulated, plan_);
    Result<Means> found = emitted.ok() ? means(simulated, layers, options_.fused) : Result<Means>(emitted.error());
    beside.join();
    if (!wanted.ok()) return wanted.error();
    if (!found.ok()) return found.error();
    for (size_t i = 0; i < layers.size(); ++i) {
      std::vector<double> by = wanted->mean(i), is = found->mean(i);
      for (size_t c = 0; c < by.size(); ++c) by[c] -= is[c];
      add_to_bias(bias_of(layers[i].node), by);
    }
    return {};
  }

 private:
  Result<Means> means(const Graph& graph, const std::vector<Tapped>& layers, bool fused) {
    std::vector<ValueId> taps;
    for (const Tapped& layer : layers) taps.push_back(layer.sums);
    OREE_TRY_ASSIGN(std::unique_ptr<Probe> probe, Probe::open(files_, graph, taps, options_.scratch));
    OREE_TRY_ASSIGN(Probe::Run run, probe->start(1, fused));
    Means means(taps.size());
    for (const NamedTensors& sample : samples_) {
      OREE_TRY(run.run(
          sample, [&](size_t i, const Tensor& t) { return means.add(i, t, graph_.node(layers[i].node).is("Gemm")); }));
    }
    return means;
  }

  std::vector<float>& bias_of(NodeId n) {
    auto quantized = plan_.weights.find(n);
    if (quantized != plan_.weights.end()) return quantized->second.bias;
    auto [at, fresh] = plan_.float_biases.try_emplace(n);
    const ValueId bias = graph_.node(n).input(2);
    if (fresh && bias != kNoValue) {
      for (double b : graph_.constant(bias)->to_doubles()) at->second.push_back(static_cast<float>(b));
    }
    return at->second;
  }

  Files& files_;
  const Graph& graph_;
  Plan& plan_;
  const std::vector<NamedTensors>& samples_;
  const CorrectionOptions& options_;
};

}  // namespace

Status correct_last_biases(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
                           const CorrectionOptions& options) {
  std::vector<Tapped> layers = tapped_layers(graph, plan);
  for (const Tapped& layer : tapped_floats(graph, plan)) layers.push_back(layer);
  return Corrector(files, graph, plan, samples, options).run(last_of(graph, layers));
}

}  // namespace oree
