// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/smooth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace oree {
namespace {

const Constant* floats(const Graph& graph, ValueId v) {
  const Constant* c = graph.constant(v);
  return c && c->dtype() == Dtype::kFloat32 && !graph.value(v).quantization ? c : nullptr;
}

// An input of a node: a constant along the last axis, to be divided by the channels' factors.
struct Input {
  NodeId node = kNoNode;
  size_t index = 0;
};

class Smoother {
 public:
  Smoother(Graph& graph, const SmoothOptions& options) : graph_(graph), options_(options) {}

  Result<bool> smooth(ValueId v, const std::vector<double>& sizes) {
    const std::optional<Dims>& dims = graph_.value(v).dims;
    if (!dims || dims->empty() || !dims->back().known() || graph_.value(v).quantization) return false;
    channels_ = dims->back().size;
    if (sizes.size() != static_cast<size_t>(channels_)) {
      return Error(Code::kInvalid, fmt::format("'{}': expected the sizes of {} channels, found {}",
                                               graph_.value(v).name, channels_, sizes.size()));
    }
    for (double s : sizes) {
      if (!std::isfinite(s) || s < 0)
        return Error(Code::kInvalid, fmt::format("'{}': a channel's size is {}", graph_.value(v).name, s));
    }
    std::optional<std::vector<Input>> before = divisible(v);
    if (!before || !only_layers(v)) return false;
    std::vector<double> factors = factors_for(v, sizes);
    if (std::ranges::all_of(factors, [](double f) { return f == 1; })) return false;
    for (const Input& input : *before) divide(input, factors);
    std::vector<NodeId> users = graph_.value(v).users;
    for (NodeId user : users) multiply(user, factors);
    return true;
  }

 private:
  // Is it one number, or one for each channel of the last axis?
  bool by_channel(ValueId v) const {
    const Constant* c = floats(graph_, v);
    return c && (c->elements() == 1 || (c->elements() == channels_ && c->shape().back() == channels_));
  }
  // Broadcasting with a constant must not have made a value larger than what it came from.
  bool same_dims(ValueId a, ValueId b) const {
    return graph_.value(a).dims && graph_.value(a).dims == graph_.value(b).dims;
  }

  std::optional<std::vector<Input>> divisible(ValueId v) const {
    std::vector<Input> out;
    NodeId maker = graph_.value(v).producer;
    if (maker != kNoNode && graph_.node(maker).is("Add")) {
      const Node& add = graph_.node(maker);
      size_t constant = graph_.constant(add.inputs[1]) != nullptr ? 1 : 0;
      ValueId product = add.inputs[1 - constant];
      if (!by_channel(add.inputs[constant]) || graph_.only_user(product) != maker || !same_dims(product, v))
        return std::nullopt;
      out.push_back({maker, constant});
      maker = graph_.value(product).producer;
    }
    if (maker == kNoNode) return std::nullopt;
    const Node& node = graph_.node(maker);
    if (node.is("Mul")) {
      size_t constant = graph_.constant(node.inputs[1]) != nullptr ? 1 : 0;
      if (!by_channel(node.inputs[constant]) || !same_dims(node.inputs[1 - constant], node.outputs[0]))
        return std::nullopt;
      out.push_back({maker, constant});
      return out;
    }
    if (!node.is("LayerNormalization") && !node.is("RMSNormalization")) return std::nullopt;
    int64_t axis = node.integer("axis", -1), rank = static_cast<int64_t>(graph_.value(v).dims->size());
    if ((axis != -1 && axis != rank - 1) || !by_channel(node.inputs[1])) return std::nullopt;
    out.push_back({maker, 1});
    if (node.input(2) == kNoValue) return out;
    if (!by_channel(node.inputs[2])) return std::nullopt;
    out.push_back({maker, 2});
    return out;
  }

  // [input][output] unless a Gemm has them turned.
  bool turned(const Node& node) const { return node.is("Gemm") && node.integer("transB", 0) != 0; }

  bool only_layers(ValueId v) const {
    if (graph_.is_output(v) || graph_.value(v).users.empty()) return false;
    return std::ranges::all_of(graph_.value(v).users, [&](NodeId user) {
      const Node& node = graph_.node(user);
      bool layer = node.is("MatMul") || (node.is("Gemm") && node.integer("transA", 0) == 0);
      if (!layer || node.inputs[0] != v || node.inputs[1] == v || node.input(2) == v) return false;
      const Constant* w = floats(graph_, node.inputs[1]);
      return w && w->shape().size() == 2 && w->shape()[turned(node) ? 1 : 0] == channels_;
    });
  }

  template <typename Visit>
  void for_weights(const Node& node, Visit visit) const {
    const Shape& shape = graph_.constant(node.inputs[1])->shape();
    for (int64_t i = 0; i < shape[0]; ++i) {
      for (int64_t j = 0; j < shape[1]; ++j)
        visit(static_cast<size_t>(turned(node) ? j : i), static_cast<size_t>(i * shape[1] + j));
    }
  }

  std::vector<double> factors_for(ValueId v, const std::vector<double>& sizes) const {
    std::vector<double> weights(sizes.size(), 0), factors(sizes.size(), 1);
    for (NodeId user : graph_.value(v).users) {
      const Node& node = graph_.node(user);
      const Tensor w = graph_.constant(node.inputs[1])->to_tensor();
      std::span<const float> values = w.as<float>();
      for_weights(node, [&](size_t channel, size_t at) {
        weights[channel] = std::max(weights[channel], std::abs(static_cast<double>(values[at])));
      });
    }
    for (size_t c = 0; c < factors.size(); ++c) {
      if (sizes[c] == 0 || weights[c] == 0 || !std::isfinite(weights[c])) continue;
      double factor = std::pow(sizes[c], options_.share) / std::pow(weights[c], 1 - options_.share);
      factors[c] = std::clamp(factor, 1 / options_.factor_max, options_.factor_max);
    }
    return factors;
  }

  void divide(const Input& input, const std::vector<double>& factors) {
    const Constant c = *graph_.constant(graph_.node(input.node).inputs[input.index]);
    std::vector<double> old = c.to_doubles();
    std::vector<float> values;
    for (size_t i = 0; i < factors.size(); ++i)
      values.push_back(static_cast<float>((old.size() == 1 ? old[0] : old[i]) / factors[i]));
    replace(input.node, input.index, values, old.size() == 1 ? Shape{channels_} : c.shape());
  }

  void multiply(NodeId user, const std::vector<double>& factors) {
    const Node& node = graph_.node(user);
    const Tensor w = graph_.constant(node.inputs[1])->to_tensor();
    std::vector<float> values(w.as<float>().begin(), w.as<float>().end());
    for_weights(node, [&](size_t channel, size_t at) {
      values[at] = static_cast<float>(static_cast<double>(values[at]) * factors[channel]);
    });
    replace(user, 1, values, w.shape());
  }

  void replace(NodeId node, size_t input, const std::vector<float>& values, const Shape& shape) {
    std::string name = graph_.value(graph_.node(node).inputs[input]).name;
    graph_.set_input(node, input, graph_.add_constant(name, Constant::of_floats(values, shape)));
  }

  Graph& graph_;
  const SmoothOptions& options_;
  int64_t channels_ = 0;
};

}  // namespace

PassResult smooth(Graph& graph, const std::map<ValueId, std::vector<double>>& channel_sizes,
                  const SmoothOptions& options) {
  OREE_ASSERT(options.share >= 0 && options.share <= 1 && options.factor_max >= 1);
  Smoother smoother(graph, options);
  int smoothed = 0;
  for (const auto& [v, sizes] : channel_sizes) {
    OREE_TRY_ASSIGN(bool done, smoother.smooth(v, sizes));
    smoothed += done ? 1 : 0;
  }
  if (smoothed > 0) OREE_TRY(remove_dead(graph));  // the constants that nobody uses any more
  return smoothed;
}

}  // namespace oree
