// SPDX-License-Identifier: Apache-2.0
// Reshape and Slice over dimensions that may be symbols. Internal to model/ops.
#pragma once

#include "model/ops/inference.h"

namespace oree {

// `wanted` as Reshape's second input: 0 keeps a dimension (unless allow_zero), -1 takes what is left.
Result<Dims> reshaped_dims(const std::optional<Dims>& input, const SymInts& wanted, bool allow_zero);

// [begin, end) by step of a dimension, brought within it as ONNX's Slice does; step is not 0.
struct SliceRange {
  int64_t begin = 0;
  int64_t step = 1;
  int64_t count = 0;
};
SliceRange slice_range(int64_t size, int64_t start, int64_t end, int64_t step);

Status infer_slice(Inference& in);

}  // namespace oree
