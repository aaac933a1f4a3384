// SPDX-License-Identifier: Apache-2.0
// Layers as ONNX Runtime has them whose sums are not rounded: ConvInteger or MatMulInteger, and the sums scaled in
// float.
#pragma once

#include "optimize/quantize/plan.h"

namespace oree {

// What such a layer takes: integers, and how they stand for reals.
struct ProductOperand {
  ValueId integers = kNoValue, zero_point = kNoValue;
  ValueId scale = kNoValue;  // found at run time; kNoValue: the next is it
  float known_scale = 1;
};

// The node, a Conv without groups, a Gemm or a MatMul by constants, becomes
//   real = (scale of x * scale of w) * sum of integer products + bias.
// Its result keeps its id and its name. What used its operands before stays.
void put_products(Graph& graph, NodeId node, const LayerWeights& weights, const ProductOperand& x);

}  // namespace oree
