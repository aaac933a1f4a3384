// SPDX-License-Identifier: Apache-2.0
// Einsum's equation, for inference and for the kernel.
#pragma once

#include "model/ops/inference.h"

namespace oree {

// Labels of each input and of the output, one a dimension. Letters stand for themselves; the dimensions of an ellipsis
// have labels from kEllipsisLabel on, the last of them the same for all inputs, as broadcasting aligns them.
struct EinsumEquation {
  std::vector<std::vector<int>> inputs;
  std::vector<int> output;
};
inline constexpr int kEllipsisLabel = 256;

// kInvalid unless the equation fits inputs of these ranks. An implicit output has the labels that occur once, sorted.
Result<EinsumEquation> parse_einsum(std::string_view equation, const std::vector<size_t>& ranks);

Status infer_einsum(Inference& in);
int64_t einsum_macs(const Graph& graph, const Node& node);  // the product of all labels' dimensions, inputs - 1 times

}  // namespace oree
