// SPDX-License-Identifier: Apache-2.0
// Linear layers whose channels may grow and shrink by factors: for passes that move these from one layer to the next.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

// Where a linear layer's weights lie, as [channel][input of its group][tap].
struct WeightLayout {
  int64_t channels = 0, channels_a_group = 0;
  int64_t inputs_a_group = 0, taps = 1;
  int64_t channel_stride = 0, input_stride = 0;

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

// Of a Conv or Gemm whose weights have that shape, grouped and depthwise ones too.
std::optional<WeightLayout> weight_layout(const Node& node, const Shape& weights);

struct LinearLayer : WeightLayout {
  NodeId node = kNoNode;
  std::vector<float> weights;
  std::vector<float> bias;  // empty: none
};

// Of a Conv, or a Gemm of rows, with finite float32 constants as weights and, if any, bias.
std::optional<LinearLayer> linear_layer_of(const Graph& graph, NodeId id);

// New constants: the weights times both factors, the bias times its channel's. Other users of the old ones keep these.
void replace_linear(Graph& graph, const LinearLayer& layer, const std::function<double(size_t input)>& by_input,
                    const std::function<double(size_t channel)>& by_channel);

// f(x * s) = f(x) * s for s > 0, each channel by itself: Relu, LeakyRelu, PRelu and pools.
bool commutes_with_factors(const Node& node);

}  // namespace oree
