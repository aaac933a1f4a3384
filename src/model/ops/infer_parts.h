// SPDX-License-Identifier: Apache-2.0
// What the infer and macs functions of the operator tables share, and those tables. Internal to model/ops.
#pragma once

#include <initializer_list>

#include "model/ops/costs.h"
#include "model/ops/op_def.h"

namespace oree {

// --- the tables, one a family
std::span<const OpDef> elementwise_ops();
std::span<const OpDef> reduce_ops();
std::span<const OpDef> movement_ops();
std::span<const OpDef> index_ops();
std::span<const OpDef> create_ops();
std::span<const OpDef> window_ops();
std::span<const OpDef> image_ops();
std::span<const OpDef> normalise_ops();
std::span<const OpDef> recurrent_ops();
std::span<const OpDef> linear_ops();
std::span<const OpDef> quantize_ops();
std::span<const OpDef> control_ops();
std::span<const OpDef> signal_ops();

// The elements of small tensors, behind OpDef::infer: called for every known node.
void follow_values(Inference& in);

// --- numbers that cannot overflow: nothing when the result does not fit
std::optional<int64_t> sum(int64_t a, int64_t b);
std::optional<int64_t> product(int64_t a, int64_t b);
int64_t floor_div(int64_t a, int64_t b);  // b > 0
// Of dimensions: known if all are (or one is 0); a symbol when that alone is left beside ones.
Dim product(std::span<const Dim> dims);

// --- what inputs must be; ok where nothing is known
Status want_rank(const Inference& in, size_t input, size_t rank);
Status want_rank_min(const Inference& in, size_t input, size_t rank);
Status want_dtype(const Inference& in, size_t input, Dtype dtype);
Status want_integers(const Inference& in, size_t input);                            // int32 or int64
Status want_same_dtype(const Inference& in, std::initializer_list<size_t> inputs);  // quantized nodes excused
Status want_all_same_dtype(const Inference& in);
Status want_one_way(const Inference& in, size_t input);  // it broadcasts to input 0 and leaves its shape
// `axis` within [-rank, rank), brought to [0, rank).
Result<size_t> axis_of(const Inference& in, int64_t axis, size_t rank);
// The same for several, none of them twice.
Result<std::vector<size_t>> axes_of(const Inference& in, std::span<const int64_t> axes, size_t rank);
// All numbers of ints(input), nothing when absent or one is not known.
std::optional<std::vector<int64_t>> known_ints(const Inference& in, size_t input);
// How many elements an input of rank 1 has, when that is known.
std::optional<size_t> length(const Inference& in, size_t input);
// The dimension that both are; kInvalid when they are two numbers. A number wins over a symbol, and that over nothing.
Result<Dim> same_dim(const Inference& in, const Dim& a, const Dim& b, std::string_view what);
// Of all inputs together; nothing when the rank of one is not known.
Result<std::optional<Dims>> broadcast_inputs(const Inference& in);
// A shape that an integer input says; unknown dimensions where it does not say, nothing when not even how many.
Result<std::optional<Dims>> dims_from(const Inference& in, size_t input);
// An element type that an attribute says by ONNX's number; `otherwise` when it is absent, nothing for one that we
// do not have.
Result<std::optional<Dtype>> dtype_attribute(const Inference& in, std::string_view name,
                                             std::optional<Dtype> otherwise);

// --- infer functions of many operators
Status infer_same(Inference& in);        // output 0 is as input 0
Status infer_same_all(Inference& in);    // and all inputs have its type
Status infer_arithmetic(Inference& in);  // inputs broadcast, all of one type, which the output has

}  // namespace oree
