// SPDX-License-Identifier: Apache-2.0
// Constant weights as integers: one scale a channel or for all, symmetric.
//
// x86 without VNNI multiplies two unsigned bytes with two signed ones and adds the two products in 16 bits, which
// saturate (PMADDUBSW). The usual answer are weights of 7 bits. Here only what two neighbours sum to is bound: 255 *
// 128 is below 2^15, so that neither the positive nor the negative ones of a pair may sum to more than 128. Two large
// weights of one sign seldom meet, so a channel's scale is nearly that of 8 bits. Neighbours are the inputs 2i and
// 2i + 1: both ONNX Runtime's (MLAS) and OpenVINO's (oneDNN) kernels take inputs by fours in their order.
#pragma once

#include <span>
#include <vector>

#include "core/base/result.h"
#include "model/graph/constant.h"
#include "optimize/quantize/affine.h"

namespace oree {

struct WeightGrid {
  // Implicit: most weights have no neighbours to mind.
  WeightGrid(const IntegerGrid& grid, int axis = -1) : integers(grid), pair_axis(axis) {}
  IntegerGrid integers;
  int pair_axis;  // of a constant, along which lie the inputs; -1: there are no pairs
};
bool pair_fits(int32_t a, int32_t b);
// Steps of the integers towards 0 until they fit, each where it costs less; the reals are in the integers' units.
void settle_pair(int32_t& a, int32_t& b, double real_a, double real_b);

enum class WeightScale {
  kLargest,  // the largest size of a channel is the grid's end
  kMse,      // shrunk where that makes the squared error of the channel smaller
};

// The largest size becomes the grid's end, and that of a pair 128 if that is more; a channel of zeros gets scale 1.
// `axis` -1: one scale for all. Asserts that axis is one of the shape and that values are as many as the shape says;
// kInvalid on NaN or infinity.
Result<std::vector<float>> weight_scales(std::span<const float> values, const Shape& shape, int axis,
                                         const WeightGrid& grid, WeightScale how = WeightScale::kLargest);

// Integers of the grid, rounded to nearest but for pairs, in the values' order.
std::vector<int32_t> quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                      std::span<const float> scales, const WeightGrid& grid);
std::vector<float> dequantize_weights(std::span<const int32_t> integers, const Shape& shape, int axis,
                                      std::span<const float> scales);

// Integers packed as the type has them: two of 4 bits a byte.
Constant pack_integers(std::span<const int32_t> integers, Shape shape, Dtype dtype);
std::vector<int32_t> unpack_integers(const Constant& packed);

}  // namespace oree
