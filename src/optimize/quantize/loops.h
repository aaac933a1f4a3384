// SPDX-License-Identifier: Apache-2.0
// The loops over numbers that take the time, compiled for wide registers where the CPU has them. The order of additions
// is the same everywhere, and with it every bit. Internal to optimize/quantize.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oree {

// to[i] += by * from[i]
void add_scaled(double* to, const float* from, double by, size_t n);
// The same for row after row, `stride` apart: to[i] += by[r] * rows[r * stride + i].
void add_scaled_rows(double* to, const double* rows, size_t stride, const double* by, size_t count, size_t n);
void add_scaled_rows(double* to, const float* rows, size_t stride, const double* by, size_t count, size_t n);

double dot(const double* a, const double* b, size_t n);

// The least, over i, of step * step * squares[i] - 2 * step * |slope[i] + by * from[i]|; n >= 1.
double least_change(const double* slope, const float* from, double by, double step, const double* squares, size_t n);

inline constexpr size_t kOuterRows = 32;
// sums[j] += the sum over rows r of x[r] * rows[r * stride + j]. Of kOuterRows rows; summed in float, then in double.
void add_products(double* sums, const float* x, const float* rows, size_t stride, size_t n);

// Of a block of values.
struct BlockEnds {
  float low = 0, high = 0;
  uint32_t zeros = 0;
  bool finite = true;
};
inline constexpr size_t kEndsBlock = 4096;
BlockEnds find_ends(const float* x, size_t n);  // 1 <= n <= kEndsBlock

// bins[i] = the number of the bin that holds x[i], `middle` the one whose lower edge is 0. Widths are powers of two and
// `inverse` is 1 / width: multiplying, truncating and multiplying back are exact (what underflows is truncated to 0
// like what does not), so that a value on the wrong side of its bin's edge is seen by comparing, and the bin is the
// same whatever the width was when the value came.
void find_bins(const float* x, size_t n, float inverse, float width, int32_t middle, int32_t* bins);

}  // namespace oree
