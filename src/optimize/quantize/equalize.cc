// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace oree {
namespace {

constexpr double kSettled = 1e-3;  // of a factor: a round that changes none by more is the last

// A linear layer's weights as [channel][input of its group][tap], wherever they lie.
struct Layer {
  NodeId node = kNoNode;
  std::vector<float> weights;
  std::vector<float> bias;  // empty: none
  int64_t channels = 0, channels_a_group = 0;
  int64_t inputs_a_group = 0, taps = 1;
  int64_t channel_stride = 0, input_stride = 0;
  int before = -1, after = -1;  // the pair of which it is the second, and the first

  int64_t inputs() const { return channels / channels_a_group * inputs_a_group; }
  template <typename Visit>
  void for_weights(Visit visit) const {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < inputs_a_group; ++i) {
        int64_t input = c / channels_a_group * inputs_a_group + i;
        for (int64_t t = 0; t < taps; ++t) {
          visit(static_cast<size_t>(c), static_cast<size_t>(input),
                static_cast<size_t>(c * channel_stride + i * input_stride + t));
        }
      }
    }
  }
};

// The first layer's channel is divided by its factor, the second's input multiplied.
struct Pair {
  size_t first = 0, second = 0;
  std::vector<double> factors;
};

const Constant* floats(const Graph& graph, ValueId v) {
  const Constant* c = graph.constant(v);
  return c && c->dtype() == Dtype::kFloat32 && !graph.value(v).quantization ? c : nullptr;
}

bool lay_out(const Node& node, const Shape& shape, Layer& layer) {
  if (node.is("Conv") && shape.size() > 2) {
    int64_t groups = node.integer("group", 1);
    if (groups < 1 || shape[0] % groups != 0) return false;
    layer.channels = shape[0];
    layer.channels_a_group = shape[0] / groups;
    layer.inputs_a_group = shape[1];
    for (size_t i = 2; i < shape.size(); ++i) layer.taps *= shape[i];
    layer.channel_stride = shape[1] * layer.taps;
    layer.input_stride = layer.taps;
    return true;
  }
  if (!node.is("Gemm") || shape.size() != 2 || node.integer("transA", 0) != 0) return false;
  bool turned = node.integer("transB", 0) != 0;
  layer.channels = layer.channels_a_group = shape[turned ? 0 : 1];
  layer.inputs_a_group = shape[turned ? 1 : 0];
  layer.channel_stride = turned ? layer.inputs_a_group : 1;
  layer.input_stride = turned ? 1 : layer.channels;
  return true;
}

std::optional<Layer> layer_of(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const Constant* w = floats(graph, node.input(1));
  Layer layer;
  layer.node = id;
  if (!w || w->elements() == 0 || !lay_out(node, w->shape(), layer)) return std::nullopt;
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

// f(x * s) = f(x) * s for s > 0, each channel by itself.
bool commutes(const Node& node) {
  bool pool = node.is("MaxPool") || node.is("AveragePool") || node.is("GlobalMaxPool") || node.is("GlobalAveragePool");
  bool rectifier = node.is("Relu") || node.is("LeakyRelu") || node.is("PRelu");
  return (pool || rectifier) && node.outputs.size() == 1;
}

// The layer that alone takes what this one gives.
NodeId next_layer(const Graph& graph, NodeId id) {
  BlockId block = graph.node(id).block;
  while (true) {
    ValueId out = graph.node(id).output(0);
    if (out == kNoValue || graph.value(out).quantization) return kNoNode;
    NodeId user = graph.only_user(out);
    if (user == kNoNode || graph.node(user).block != block || graph.node(user).inputs[0] != out) return kNoNode;
    if (!commutes(graph.node(user))) return user;
    id = user;
  }
}

class Equalizer {
 public:
  Equalizer(Graph& graph, const EqualizeOptions& options) : graph_(graph), options_(options) {}

  int run() {
    find_pairs();
    for (int round = 0; round < options_.rounds_max; ++round) {
      double most = 0;
      for (Pair& pair : pairs_) most = std::max(most, balance(pair));
      if (most < kSettled) break;
    }
    for (const Layer& layer : layers_) write(layer);
    return static_cast<int>(std::ranges::count_if(pairs_, changed));
  }

 private:
  static bool changed(const Pair& pair) {
    return std::ranges::any_of(pair.factors, [](double f) { return f != 1; });
  }

  void find_pairs() {
    std::map<NodeId, size_t> known;
    auto layer_at = [&](NodeId id) -> std::optional<size_t> {
      if (auto found = known.find(id); found != known.end()) return found->second;
      std::optional<Layer> layer = layer_of(graph_, id);
      if (!layer) return std::nullopt;
      layers_.push_back(std::move(*layer));
      return known[id] = layers_.size() - 1;
    };
    for (NodeId id : graph_.all_nodes()) {
      const Node& node = graph_.node(id);
      if (!node.is("Conv") && !node.is("Gemm")) continue;
      NodeId next = next_layer(graph_, id);
      if (next == kNoNode || (!graph_.node(next).is("Conv") && !graph_.node(next).is("Gemm"))) continue;
      std::optional<size_t> first = layer_at(id), second = first ? layer_at(next) : std::nullopt;
      if (!first || !second || layers_[*first].channels != layers_[*second].inputs()) continue;
      Pair pair{*first, *second, std::vector<double>(static_cast<size_t>(layers_[*first].channels), 1.0)};
      layers_[*first].after = layers_[*second].before = static_cast<int>(pairs_.size());
      pairs_.push_back(std::move(pair));
    }
  }

  double factor(int pair, size_t channel) const {
    return pair < 0 ? 1 : pairs_[static_cast<size_t>(pair)].factors[channel];
  }

  // The largest weights of each channel, or of each input, as they are now.
  std::vector<double> sizes(const Layer& layer, bool by_input) const {
    std::vector<double> sizes(static_cast<size_t>(by_input ? layer.inputs() : layer.channels), 0);
    layer.for_weights([&](size_t c, size_t i, size_t at) {
      double size = std::abs(static_cast<double>(layer.weights[at])) * factor(layer.before, i) / factor(layer.after, c);
      double& most = sizes[by_input ? i : c];
      most = std::max(most, size);
    });
    return sizes;
  }

  // The largest change of a factor, as a share of it.
  double balance(Pair& pair) {
    const Layer& first = layers_[pair.first];
    std::vector<double> given = sizes(first, false), taken = sizes(layers_[pair.second], true);
    double bias_max = 0, most = 0;
    for (float b : first.bias) bias_max = std::max(bias_max, std::abs(static_cast<double>(b)));
    for (size_t c = 0; c < pair.factors.size(); ++c) {
      if (given[c] == 0 || taken[c] == 0) continue;
      double low = 1 / options_.factor_max;
      if (bias_max > 0) low = std::max(low, std::abs(static_cast<double>(first.bias[c])) / bias_max);
      double now = pair.factors[c];
      double wanted = std::clamp(now * std::sqrt(given[c] / taken[c]), low, options_.factor_max);
      most = std::max(most, std::abs(wanted / now - 1));
      pair.factors[c] = wanted;
    }
    return most;
  }

  void write(const Layer& layer) {
    auto touched = [&](int pair) { return pair >= 0 && changed(pairs_[static_cast<size_t>(pair)]); };
    if (!touched(layer.before) && !touched(layer.after)) return;
    std::vector<float> weights = layer.weights, bias = layer.bias;
    layer.for_weights([&](size_t c, size_t i, size_t at) {
      weights[at] =
          static_cast<float>(static_cast<double>(layer.weights[at]) * factor(layer.before, i) / factor(layer.after, c));
    });
    replace(layer.node, 1, weights, graph_.constant(graph_.node(layer.node).inputs[1])->shape());
    if (bias.empty() || !touched(layer.after)) return;
    for (size_t c = 0; c < bias.size(); ++c) {
      bias[c] = static_cast<float>(static_cast<double>(bias[c]) / factor(layer.after, c));
    }
    replace(layer.node, 2, bias, {layer.channels});
  }

  void replace(NodeId node, size_t input, const std::vector<float>& values, const Shape& shape) {
    std::string name = graph_.value(graph_.node(node).inputs[input]).name;
    graph_.set_input(node, input, graph_.add_constant(name, Constant::of_floats(values, shape)));
  }

  Graph& graph_;
  const EqualizeOptions& options_;
  std::vector<Layer> layers_;
  std::vector<Pair> pairs_;
};

}  // namespace

PassResult equalize(Graph& graph, const EqualizeOptions& options) {
  int pairs = Equalizer(graph, options).run();
  if (pairs > 0) OREE_TRY(remove_dead(graph));  // the constants that nobody uses any more
  return pairs;
}

}  // namespace oree
