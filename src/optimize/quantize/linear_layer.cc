// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/linear_layer.h"

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

const Constant* floats(const Graph& graph, ValueId v) {
  const Constant* c = graph.constant(v);
  return c && c->dtype() == Dtype::kFloat32 && !graph.value(v).quantization ? c : nullptr;
}

void replace(Graph& graph, NodeId node, size_t input, const std::vector<float>& values, const Shape& shape) {
  const std::string name = graph.value(graph.node(node).inputs[input]).name;
  graph.set_input(node, input, graph.add_constant(name, Constant::of_floats(values, shape)));
}

}  // namespace

std::optional<WeightLayout> weight_layout(const Node& node, const Shape& weights) {
  WeightLayout layout;
  if (node.is("Conv") && weights.size() > 2) {
    int64_t groups = node.integer("group", 1);
    if (groups < 1 || weights[0] % groups != 0) return std::nullopt;
    layout.channels = weights[0];
    layout.channels_a_group = weights[0] / groups;
    layout.inputs_a_group = weights[1];
    for (size_t i = 2; i < weights.size(); ++i) layout.taps *= weights[i];
    layout.channel_stride = weights[1] * layout.taps;
    layout.input_stride = layout.taps;
    return layout;
  }
  if (!node.is("Gemm") || weights.size() != 2) return std::nullopt;
  bool turned = node.integer("transB", 0) != 0;
  layout.channels = layout.channels_a_group = weights[turned ? 0 : 1];
  layout.inputs_a_group = weights[turned ? 1 : 0];
  layout.channel_stride = turned ? layout.inputs_a_group : 1;
  layout.input_stride = turned ? 1 : layout.channels;
  return layout;
}

std::optional<LinearLayer> linear_layer_of(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const Constant* w = floats(graph, node.input(1));
  if (!w || w->elements() == 0 || (node.is("Gemm") && node.integer("transA", 0) != 0)) return std::nullopt;
  const std::optional<WeightLayout> layout = weight_layout(node, w->shape());
  if (!layout) return std::nullopt;
  LinearLayer layer;
  static_cast<WeightLayout&>(layer) = *layout;
  layer.node = id;
  const Tensor weights = w->to_tensor();
  layer.weights.assign(weights.as<float>().begin(), weights.as<float>().end());
  if (node.input(2) != kNoValue) {
    const Constant* b = floats(graph, node.input(2));
    // Gemm's may be anything that broadcasts: only a row, or one number, is a bias.
    if (!b || (b->elements() != 1 && (b->elements() != layer.channels || b->shape().back() != layer.channels)))
      return std::nullopt;
    const Tensor bias = b->to_tensor();
    layer.bias.assign(static_cast<size_t>(layer.channels), bias.as<float>()[0]);
    if (b->elements() > 1) std::ranges::copy(bias.as<float>(), layer.bias.begin());
  }
  auto finite = [](float x) { return std::isfinite(x); };
  if (!std::ranges::all_of(layer.weights, finite) || !std::ranges::all_of(layer.bias, finite)) return std::nullopt;
  return layer;
}

void replace_linear(Graph& graph, const LinearLayer& layer, const std::function<double(size_t input)>& by_input,
                    const std::function<double(size_t channel)>& by_channel) {
  std::vector<double> inputs, channels;
  for (int64_t i = 0; i < layer.inputs(); ++i) inputs.push_back(by_input(static_cast<size_t>(i)));
  for (int64_t c = 0; c < layer.channels; ++c) channels.push_back(by_channel(static_cast<size_t>(c)));
  std::vector<float> weights = layer.weights, bias = layer.bias;
  layer.for_weights([&](size_t c, size_t i, size_t at) {
    weights[at] = static_cast<float>(static_cast<double>(layer.weights[at]) * inputs[i] * channels[c]);
  });
  replace(graph, layer.node, 1, weights, graph.constant(graph.node(layer.node).inputs[1])->shape());
  const bool grown = std::ranges::any_of(channels, [](double by) { return by != 1; });
  if (bias.empty() || !grown) return;
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(static_cast<double>(bias[c]) * channels[c]);
  replace(graph, layer.node, 2, bias, {layer.channels});
}

bool commutes_with_factors(const Node& node) {
  bool pool = node.is("MaxPool") || node.is("AveragePool") || node.is("GlobalMaxPool") || node.is("GlobalAveragePool");
  bool rectifier = node.is("Relu") || node.is("LeakyRelu") || node.is("PRelu");
  return (pool || rectifier) && node.outputs.size() == 1;
}

}  // namespace oree
