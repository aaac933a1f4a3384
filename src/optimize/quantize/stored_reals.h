// SPDX-License-Identifier: Apache-2.0
// Stored integers, and the nodes that make a layer's real weights of them. Internal to weights_only.cc.
#pragma once

#include "optimize/quantize/plan.h"

namespace oree {

// `constant`: the real weights, after which the nodes are named. Returns the reals.
ValueId dequantized(Graph& graph, ValueId packed, const LayerWeights& w, const Value& constant, bool tflite);
ValueId multiplied(Graph& graph, ValueId packed, const LayerWeights& w, const Value& constant);  // by Cast and Mul

// How many inputs share a scale of 4 bits. Engines have kernels for powers of two; 0: nothing divides them well.
int64_t block_for(int64_t inputs);
// The node's weights in int4 with one scale a block of inputs, in rows that become filters again; `by_product`: by Cast
// and Mul. kInvalid on weights of NaN or infinity.
Result<ValueId> in_blocks(Graph& graph, const Node& node, int64_t block, bool by_product);

}  // namespace oree
