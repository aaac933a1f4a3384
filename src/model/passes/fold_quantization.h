// SPDX-License-Identifier: Apache-2.0
// The steps of fold_quantization. Internal to model/passes.
#pragma once

#include <optional>

#include "model/passes/quantization_nodes.h"

namespace oree {

// The integers behind a DequantizeLinear of one scale for all, and how they stand for its reals.
struct Dequantized {
  ValueId integers = kNoValue;
  Quantization q;
  Dtype dtype = Dtype::kInt8;
};
std::optional<Dequantized> dequantized(const Graph& graph, ValueId reals, bool per_axis = false);

// All uses of a value: QuantizeLinear nodes that say the same. Empty when there is another use.
std::vector<NodeId> quantizers(const Graph& graph, ValueId reals);

// Those that make something, each behind what it uses.
std::vector<NodeId> living_nodes(const Graph& graph);

// What it gives out are elements of its first input, or the largest or smallest of some.
bool moves_elements(const Graph& graph, const Node& node);

// Integers that are only moved between QuantizeLinear, DequantizeLinear, states, inputs and outputs get the scale that
// those say. Integers that anything else computes with have none.
int give_scales(Graph& graph);
// uint8 becomes int8, in which TFLite's kernels compute: integers and zero points less 128. Inputs and outputs of the
// graph keep their type, behind or before a change of type.
int prefer_int8(Graph& graph);
// Operators that only move elements (MaxPool, Reshape, Slice …) go to the side of the integers: DequantizeLinear behind
// them, QuantizeLinear before them. QuantizeLinear of DequantizeLinear goes where both say the same.
int move_among_integers(Graph& graph);
// An operator between DequantizeLinear and QuantizeLinear becomes one of quantized values, where TFLite has that.
bool fold_node(Graph& graph, NodeId node);

}  // namespace oree
