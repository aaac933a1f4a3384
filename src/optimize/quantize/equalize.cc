// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "optimize/quantize/linear_layer.h"

namespace oree {
namespace {

constexpr double kSettled = 1e-3;  // of a factor: a round that changes none by more is the last

struct Linear : LinearLayer {
  int before = -1, after = -1;  // the pair of which it is the second, and the first
};

// The first layer's channel is divided by its factor, the second's input multiplied.
struct Pair {
  size_t first = 0, second = 0;
  std::vector<double> factors;
};

// The layer that alone takes what this one gives.
NodeId next_layer(const Graph& graph, NodeId id) {
  BlockId block = graph.node(id).block;
  while (true) {
    ValueId out = graph.node(id).output(0);
    if (out == kNoValue || graph.value(out).quantization) return kNoNode;
    NodeId user = graph.only_user(out);
    if (user == kNoNode || graph.node(user).block != block || graph.node(user).inputs[0] != out) return kNoNode;
    if (!commutes_with_factors(graph.node(user))) return user;
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
    for (const Linear& layer : layers_) write(layer);
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
      std::optional<LinearLayer> layer = linear_layer_of(graph_, id);
      if (!layer) return std::nullopt;
      layers_.push_back({std::move(*layer), -1, -1});
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
  std::vector<double> sizes(const Linear& layer, bool by_input) const {
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
    const Linear& first = layers_[pair.first];
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

  void write(const Linear& layer) {
    auto touched = [&](int pair) { return pair >= 0 && changed(pairs_[static_cast<size_t>(pair)]); };
    if (!touched(layer.before) && !touched(layer.after)) return;
    replace_linear(
        graph_, layer, [&](size_t i) { return factor(layer.before, i); },
        [&](size_t c) { return 1 / factor(layer.after, c); });
  }

  Graph& graph_;
  const EqualizeOptions& options_;
  std::vector<Linear> layers_;
  std::vector<Pair> pairs_;
};

}  // namespace

PassResult equalize(Graph& graph, const EqualizeOptions& options) {
  int pairs = Equalizer(graph, options).run();
  if (pairs > 0) OREE_TRY(remove_dead(graph));  // the constants that nobody uses any more
  return pairs;
}

}  // namespace oree
