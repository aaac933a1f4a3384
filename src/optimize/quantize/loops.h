// SPDX-License-Identifier: Apache-2.0
// The loops over numbers that take the time, compiled for wide registers where the CPU has them. The order of additions
// is the same everywhere, and with it every bit. Internal to optimize/quantize.
#pragma once

#include <cstddef>

namespace oree {

// to[i] += by * from[i]
void add_scaled(double* to, const double* from, double by, size_t n);
void add_scaled(double* to, const float* from, double by, size_t n);

double dot(const double* a, const double* b, size_t n);

inline constexpr size_t kOuterRows = 32;
// sums[j] += the sum over rows r of x[r] * rows[r * stride + j]. Of kOuterRows rows; summed in float, then in double.
void add_products(double* sums, const float* x, const float* rows, size_t stride, size_t n);

}  // namespace oree
