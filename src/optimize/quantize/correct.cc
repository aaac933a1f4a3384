// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/correct.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "optimize/quantize/emit.h"
#include "optimize/quantize/linear_layer.h"

namespace oree {
namespace {

// Sum over a channel's weights of (real - quantized) * mean(x).
std::vector<double> shifts(const Constant& weights, const WeightLayout& layout, const LayerWeights& quantized,
                           const std::vector<double>& means) {
  const Tensor real = weights.to_tensor();
  const std::span<const float> w = real.as<float>();
  const std::vector<float> q =
      dequantize_weights(unpack_integers(quantized.integers), real.shape(), quantized.axis, quantized.scales);
  std::vector<double> out(static_cast<size_t>(layout.channels), 0);
  layout.for_weights([&](size_t channel, size_t input, size_t at) {
    out[channel] += (static_cast<double>(w[at]) - static_cast<double>(q[at])) * means[input];
  });
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
    const Constant& real = *graph.constant(node.inputs[1]);
    // Nor for a ConvTranspose: a border's share of taps is not known here.
    const std::optional<WeightLayout> layout = weight_layout(node, real.shape());
    if (!layout || means == channel_means.end()) continue;
    add_to_bias(weights.bias, shifts(real, *layout, weights, means->second));
  }
}

namespace {

// A layer in float whose bias can be corrected.
bool takes_correction(const Graph& graph, const Node& node) {
  const bool known = node.is("Conv") || (node.is("Gemm") && node.real("beta", 1) == 1);
  if (!known || node.block != kMainBlock || graph.constant(node.inputs[1]) == nullptr) return false;
  if (node.input(2) == kNoValue) return true;
  const Constant* bias = graph.constant(node.inputs[2]);
  const std::optional<WeightLayout> layout = weight_layout(node, graph.constant(node.inputs[1])->shape());
  return bias != nullptr && layout && bias->elements() == layout->channels;
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
