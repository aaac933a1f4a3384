// SPDX-License-Identifier: Apache-2.0
// Quantization as QuantizeLinear and DequantizeLinear say it, and that of sums. Internal to model/passes and TFLite's
// lowering.
#pragma once

#include <optional>

#include "model/passes/rewrite.h"

namespace oree {

bool quantizes_to(Dtype dtype);  // QuantizeLinear can make it: integers of 4, 8 and 16 bits

// Nodes without outputs: the caller gives them one. Scales and zero points become constants of the graph.
Node quantize_node(Graph& graph, ValueId reals, Quantization q, Dtype dtype);
Node dequantize_node(Graph& graph, ValueId integers, Quantization q, Dtype dtype);

// What such a node's operands say; nothing where they are computed, or in blocks, or of another float than float32.
std::optional<Quantization> parameters_of(const Graph& graph, const Node& node);
bool same_parameters(const Graph& graph, const Node& a, const Node& b);

// Of sums of products of x, with one scale, and weights; a bias has it. Scales of slices are of one output each, along
// the bias's only axis.
Quantization sum_quantization(const Quantization& x, const Quantization& weights);

}  // namespace oree
