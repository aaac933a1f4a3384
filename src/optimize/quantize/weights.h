// SPDX-License-Identifier: Apache-2.0
// Constant weights as integers: one scale a channel or for all, symmetric.
#pragma once

#include <span>
#include <vector>

#include "core/base/result.h"
#include "optimize/quantize/affine.h"

namespace oree {

enum class WeightScale {
  kLargest,  // the largest size of a channel is the grid's end
  kMse,      // shrunk where that makes the squared error of the channel smaller
};

// The largest size becomes the grid's end; a channel of zeros gets scale 1. `axis` -1: one scale for all.
// Asserts that axis is one of the shape and that values are as many as the shape says; kInvalid on NaN or infinity.
Result<std::vector<float>> weight_scales(std::span<const float> values, const Shape& shape, int axis,
                                         const IntegerGrid& grid, WeightScale how = WeightScale::kLargest);

// Integers of the grid, rounded to nearest, in the values' order.
std::vector<int32_t> quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                      std::span<const float> scales, const IntegerGrid& grid);
std::vector<float> dequantize_weights(std::span<const int32_t> integers, const Shape& shape, int axis,
                                      std::span<const float> scales);

}  // namespace oree
