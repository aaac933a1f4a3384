// SPDX-License-Identifier: Apache-2.0
// How reals become integers and back: real = scale * (integer - zero_point). The arithmetic of QuantizeLinear (ONNX)
// and QUANTIZE (TFLite): divide, round half to even, add the zero point, saturate.
#pragma once

#include <cstdint>

#include "core/base/tensor.h"

namespace oree {

// The integers that a tensor may hold. Weights are symmetric and, where an engine's kernels want it, narrower than
// their type: -127..127, or -64..64 so that no two products leave 16 bits (weights.h).
struct IntegerGrid {
  Dtype dtype = Dtype::kInt8;
  int64_t low = -128, high = 127;
  bool symmetric = false;  // the zero point is 0 (of unsigned types the middle)
  bool operator==(const IntegerGrid&) const = default;
};
IntegerGrid int8_grid();             // -128..127
IntegerGrid uint8_grid();            // 0..255
IntegerGrid symmetric_int8_grid();   // -127..127
IntegerGrid reduced_int8_grid();     // -64..64
IntegerGrid symmetric_int16_grid();  // -32767..32767
IntegerGrid symmetric_int4_grid();   // -7..7

struct Affine {
  float scale = 1;  // > 0, finite
  int64_t zero_point = 0;
  bool operator==(const Affine&) const = default;
};

// Reals that a tensor takes, or shall be clipped to.
struct Range {
  double low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

// The grid laid over the range: widened so that 0 is exact, never of scale 0 (a range of nothing gets scale 1) and
// never of a scale below the smallest normal float. Asserts that the range is finite and low <= high.
Affine affine_for(Range range, const IntegerGrid& grid);
// The reals that the grid's ends stand for.
Range covered(const Affine& affine, const IntegerGrid& grid);

// NaN becomes the zero point.
int64_t to_integer(double real, const Affine& affine, const IntegerGrid& grid);
double to_real(int64_t integer, const Affine& affine);

}  // namespace oree
