// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/affine.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace oree {
namespace {

// Of a symmetric grid: 0, of unsigned integers the middle.
int64_t middle(const IntegerGrid& grid) { return grid.low < 0 ? 0 : (grid.low + grid.high + 1) / 2; }

float usable_scale(double scale) { return static_cast<float>(std::clamp<double>(scale, FLT_MIN, FLT_MAX)); }

}  // namespace

IntegerGrid int8_grid() { return {Dtype::kInt8, -128, 127, false}; }
IntegerGrid uint8_grid() { return {Dtype::kUint8, 0, 255, false}; }
IntegerGrid symmetric_int8_grid() { return {Dtype::kInt8, -127, 127, true}; }
IntegerGrid reduced_int8_grid() { return {Dtype::kInt8, -64, 64, true}; }
IntegerGrid symmetric_int16_grid() { return {Dtype::kInt16, -32767, 32767, true}; }
IntegerGrid symmetric_int4_grid() { return {Dtype::kInt4, -7, 7, true}; }

Affine affine_for(Range range, const IntegerGrid& grid) {
  OREE_ASSERT(std::isfinite(range.low) && std::isfinite(range.high) && range.low <= range.high);
  OREE_ASSERT(grid.low < grid.high);
  double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  bool nothing = low == 0 && high == 0;
  if (grid.symmetric) {
    int64_t zero = middle(grid);
    OREE_ASSERT(grid.low < zero && zero < grid.high);
    double scale = std::max(-low / static_cast<double>(zero - grid.low), high / static_cast<double>(grid.high - zero));
    return {nothing ? 1.0f : usable_scale(scale), zero};
  }
  if (nothing) return {1.0f, std::clamp<int64_t>(0, grid.low, grid.high)};
  float scale = usable_scale((high - low) / static_cast<double>(grid.high - grid.low));
  double zero = std::nearbyint(static_cast<double>(grid.low) - low / scale);
  return {scale, static_cast<int64_t>(std::clamp(zero, static_cast<double>(grid.low), static_cast<double>(grid.high)))};
}

Range covered(const Affine& affine, const IntegerGrid& grid) {
  return {to_real(grid.low, affine), to_real(grid.high, affine)};
}

int64_t to_integer(double real, const Affine& affine, const IntegerGrid& grid) {
  if (std::isnan(real)) return affine.zero_point;
  // Engines divide in float; a quotient of two floats that is rounded to double first and to float then is the same.
  // Biases need more than a float's 24 bits, and no QuantizeLinear makes them.
  double quotient = real / affine.scale;
  if (dtype_bits(grid.dtype) <= 16) quotient = static_cast<double>(static_cast<float>(quotient));
  double whole = std::nearbyint(quotient) + static_cast<double>(affine.zero_point);
  if (whole <= static_cast<double>(grid.low)) return grid.low;
  if (whole >= static_cast<double>(grid.high)) return grid.high;
  return static_cast<int64_t>(whole);
}

double to_real(int64_t integer, const Affine& affine) {
  return static_cast<double>(affine.scale) * static_cast<double>(integer - affine.zero_point);
}

}  // namespace oree
