// SPDX-License-Identifier: Apache-2.0
// Layers as ONNX Runtime has them whose sums are not rounded: ConvInteger or MatMulInteger, and the sums scaled in
// float.
#pragma once

#include <span>

#include "optimize/quantize/plan.h"

namespace oree {

// Integers packed as the type has them: two of 4 bits a byte.
Constant pack_integers(std::span<const int32_t> integers, Shape shape, Dtype dtype);

// What such a layer takes: integers, and how they stand for reals.
struct ProductOperand {
  ValueId integers = kNoValue, zero_point = kNoValue;
  ValueId scale = kNoValue;  // found at run time; kNoValue: the next is it
  float known_scale = 1;
};

// The node, a Conv without groups, a Gemm or a MatMul by constants, becomes
//   real = (scale of x * scale of w) * sum of integer products + bias.
// Its result keeps its id and its name. What used its operands before stays.
void put_products(Graph& graph, NodeId node, const LayerWeights& weights, const ProductOperand& x, Dtype dtype);

}  // namespace oree
