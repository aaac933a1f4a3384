// SPDX-License-Identifier: Apache-2.0
// rounding.h for a layer of a graph.
#pragma once

#include "optimize/quantize/gram.h"
#include "optimize/quantize/rounding.h"
#include "optimize/quantize/weights.h"

namespace oree {

struct LayerRounding {
  RoundingOptions options;  // more damping is added where few columns were seen
  // The layer's bias will be corrected afterwards: what is off by the same amount for all inputs does not count.
  bool bias_follows = false;
};

// Integers for the weights of a Conv, Gemm or MatMul, in the constant's order, by what `gram` (made by for_layer() for
// this node) has seen. `scales`: one, or one for each output channel. Asserts that these fit the layer. kInvalid when
// the weights are not float32 or not finite, or nothing was seen.
Result<std::vector<int32_t>> round_layer(const Graph& graph, NodeId node, const GramMatrix& gram,
                                         std::span<const float> scales, const WeightGrid& grid,
                                         const LayerRounding& how = {});

}  // namespace oree
