// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/correct.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

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
  std::vector<float> q =
      dequantize_weights(unpack_integers(weights.integers), real.shape(), weights.axis, weights.scales);
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

// A layer in float whose bias can be corrected.
bool takes_correction(const Graph& graph, const Node& node) {
  const bool known = node.is("Conv") || (node.is("Gemm") && node.real("beta", 1) == 1);
  if (!known || node.block != kMainBlock || graph.constant(node.inputs[1]) == nullptr) return false;
  if (node.input(2) == kNoValue) return true;
  const Constant* bias = graph.constant(node.inputs[2]);
  return bias != nullptr && bias->elements() == view_weights(graph, node).channels;
}

std::vector<float>& bias_of(const Graph& graph, Plan& plan, NodeId n) {
  auto quantized = plan.weights.find(n);
  if (quantized != plan.weights.end()) return quantized->second.bias;
  auto [at, fresh] = plan.float_biases.try_emplace(n);
  const ValueId bias = graph.node(n).input(2);
  if (fresh && bias != kNoValue) {
    for (double b : graph.constant(bias)->to_doubles()) at->second.push_back(static_cast<float>(b));
  }
  return at->second;
}

}  // namespace

std::vector<NodeId> last_layers(const Graph& graph, const GraphPlacement& placement) {
  std::set<NodeId> nodes;
  for (NodeId n : graph.order()) {
    const int at = placement.layer_of[static_cast<size_t>(n)];
    const bool quantized = at >= 0 && placement.layers[static_cast<size_t>(at)].role == Role::kWeighted;
    if (quantized ? takes_bias(graph.node(n)) : takes_correction(graph, graph.node(n))) nodes.insert(n);
  }
  const std::vector<bool> followed = values_leading_to(graph, [&](NodeId n) { return nodes.contains(n); });
  std::vector<NodeId> last;
  for (NodeId n : nodes) {
    if (!followed[static_cast<size_t>(graph.node(n).outputs[0])]) last.push_back(n);
  }
  return last;
}

void watch_values(const Graph& graph, const std::vector<NodeId>& nodes, SampleRun& run, LayerValues& values) {
  for (NodeId n : nodes) {
    const Node& node = graph.node(n);
    run.watch(node.outputs[0], run.samples(),
              [&of = values.try_emplace(n, run.samples()).first->second,
               matrix = node.is("Gemm")](const Tensor& tensor) { return of.add(tensor, matrix); });
  }
}

Status correct_last_biases(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
                           LayerValues& wanted, const CorrectionOptions& options) {
  const std::vector<NodeId> layers = last_layers(graph, plan.placement);
  if (layers.empty() || samples.empty()) return {};
  std::vector<NodeId> missing;
  for (NodeId n : layers) {
    if (!wanted.contains(n)) missing.push_back(n);
  }
  SampleRun in_float(graph, samples);
  watch_values(graph, missing, in_float, wanted);
  OREE_TRY(in_float.run(files, options.threads, options.scratch));
  Graph simulated = graph;
  OREE_TRY(emit(simulated, plan));
  LayerValues found;
  SampleRun in_integers(simulated, samples);
  watch_values(graph, layers, in_integers, found);  // values keep their ids
  OREE_TRY(in_integers.run(files, options.threads, options.scratch, options.fused));
  for (NodeId n : layers) {
    std::vector<double> by = error_by_levels(wanted.at(n), found.at(n));
    for (double& error : by) error = -error;
    add_to_bias(bias_of(graph, plan, n), by);
  }
  return {};
}

}  // namespace oree
