// SPDX-License-Identifier: Apache-2.0
// Rows: a convolution of one tap is a product of rows of channels, for which ONNX Runtime has faster kernels. The
// transposes that this takes meet others on their way, or what follows is computed with its channels last.
#pragma once

#include <map>

#include "model/passes/permutation.h"
#include "optimize/quantize/plan.h"

namespace oree {

// A Conv without groups, strides and padding, whose weights are a constant of one tap.
bool of_one_tap(const Graph& graph, const Node& node);
Permutation channels_last(size_t rank);

// Of results that went with the layout they had: the same with channels last.
using TurnedResults = std::map<ValueId, ValueId>;

// `graph` is what emit() made by `plan`, or is left as it is when a value of `needed` would go. Convolutions of few
// weights that are in float behind such products become products of rows, too, where that moves no more.
Result<TurnedResults> turn_tail(Graph& graph, const Plan& plan, const std::vector<ValueId>& needed);
// The results are there again, transposed from what became of them.
void turn_back(Graph& graph, const TurnedResults& turned);

}  // namespace oree
