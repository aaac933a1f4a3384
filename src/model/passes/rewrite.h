// SPDX-License-Identifier: Apache-2.0
// Small helpers that passes share. Internal to model/passes and the two formats' lowerings.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "model/ops/inference.h"
#include "model/ops/op_def.h"
#include "model/passes/permutation.h"

namespace oree {

// The node that makes a value, when it is that operator of ONNX's; nullptr otherwise.
const Node* made_by(const Graph& graph, ValueId value, std::string_view op);
// The axis counted from the front; nothing when it is out of range.
std::optional<int64_t> positive_axis(int64_t axis, size_t rank);
std::optional<size_t> rank_of(const Graph& graph, ValueId value);
// Constant input as integers or as its one number; nothing when absent or no constant.
std::optional<std::vector<int64_t>> constant_ints(const Graph& graph, ValueId value);
std::optional<double> constant_scalar(const Graph& graph, ValueId value);
// A Transpose's permutation: its attribute, or the reversal that stands for none. Nothing when the rank is not known.
std::optional<Permutation> transpose_permutation(const Graph& graph, const Node& node);

// The node, with a new value as its one output: named so, or nearly.
ValueId put_node(Graph& graph, Node node, std::string_view name, Dtype dtype, const std::optional<Dims>& dims);
// Every use of `from` becomes one of `to`, and an output keeps the name that the user knows. False, nothing changed,
// when that can't be: `from` is an output, and `to` an input, a constant or another output, whose own name is seen.
bool bypass(Graph& graph, ValueId from, ValueId to);
bool same_quantization(const Graph& graph, ValueId a, ValueId b);
// What TFLite's SAME adds before and behind a dimension: as little as needed, the odd one behind.
std::pair<int64_t, int64_t> same_pads(int64_t size, int64_t reach, int64_t stride);
// A pool over height and width pads nothing, or what SAME adds.
bool pads_are_same(const Graph& graph, const Node& node);
// Reshape, Flatten, Squeeze, Unsqueeze: the data stays in its order.
bool only_reshapes(const Node& node);
// MatMul by one constant matrix: rows along the last axis, whatever the others are.
bool multiplies_rows(const Graph& graph, const Node& node);
// The dimensions of a value as a Reshape's constant: one unknown dimension becomes -1. Nothing with more.
std::optional<std::vector<int64_t>> reshape_target(const Graph& graph, ValueId value);

// The value transposed: constants at once, a Transpose's operand by both together, else by a new node.
ValueId transposed(Graph& graph, ValueId value, const Permutation& perm, BlockId block);
// A Transpose of `from` that makes `to`, a value without a producer.
void put_transpose(Graph& graph, ValueId from, const Permutation& perm, ValueId to, BlockId block);
// What a Transpose costs: the elements that it moves and one for itself; 0 for the identity and of a constant. Unknown
// dimensions count as 8.
int64_t transposition_cost(const Graph& graph, ValueId value, const Permutation& perm);
// The same for a value as it would lie after `layout`.
int64_t layout_cost(const Graph& graph, ValueId value, const Permutation& layout, const Permutation& perm);
// As it is after a transposition: the axis moves along.
std::optional<Quantization> transposed_quantization(std::optional<Quantization> q, const Permutation& perm);

}  // namespace oree
