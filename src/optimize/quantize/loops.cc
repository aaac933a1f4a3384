// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/loops.h"

#include <algorithm>

// Each loop is written once and compiled twice; a fused multiply-add would change bits, so it is not asked for.
#if defined(__x86_64__)
#define OREE_WIDE __attribute__((target("avx2")))
#else
#define OREE_WIDE
#endif
#define OREE_INLINE __attribute__((always_inline)) inline

namespace oree {
namespace {

constexpr size_t kLanes = 16;  // of a sum
constexpr size_t kTile = 512;  // columns whose sums stay in the first cache
constexpr size_t kAtOnce = 8;  // rows

bool has_avx2() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
#else
  return false;
#endif
}

template <typename T>
OREE_INLINE void add_scaled_loop(double* __restrict to, const T* __restrict from, double by, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] += by * static_cast<double>(from[i]);
}

OREE_INLINE double dot_loop(const double* __restrict a, const double* __restrict b, size_t n) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  }
  for (size_t l = 0; i < n; ++i, ++l) lanes[l] += a[i] * b[i];
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

OREE_INLINE void add_products_loop(double* __restrict sums, const float* __restrict x, const float* __restrict rows,
                                   size_t stride, size_t n) {
  float some[kTile];
  for (size_t begin = 0; begin < n; begin += kTile) {
    const size_t count = std::min(kTile, n - begin);
    std::fill_n(some, count, 0.0F);
    for (size_t r = 0; r < kOuterRows; r += kAtOnce) {
      const float* f = x + r;
      if (std::all_of(f, f + kAtOnce, [](float v) { return v == 0; })) continue;  // after a ReLU, often
      const float* __restrict y = rows + r * stride + begin;
      for (size_t j = 0; j < count; ++j) {
        const float a = f[0] * y[j] + f[1] * y[stride + j] + (f[2] * y[2 * stride + j] + f[3] * y[3 * stride + j]);
        const float b =
            f[4] * y[4 * stride + j] + f[5] * y[5 * stride + j] + (f[6] * y[6 * stride + j] + f[7] * y[7 * stride + j]);
        some[j] += a + b;
      }
    }
    for (size_t j = 0; j < count; ++j) sums[begin + j] += static_cast<double>(some[j]);
  }
}

OREE_WIDE void add_scaled_wide(double* to, const double* from, double by, size_t n) {
  add_scaled_loop(to, from, by, n);
}
OREE_WIDE void add_scaled_wide(double* to, const float* from, double by, size_t n) { add_scaled_loop(to, from, by, n); }
OREE_WIDE double dot_wide(const double* a, const double* b, size_t n) { return dot_loop(a, b, n); }
OREE_WIDE void add_products_wide(double* sums, const float* x, const float* rows, size_t stride, size_t n) {
  add_products_loop(sums, x, rows, stride, n);
}

}  // namespace

void add_scaled(double* to, const double* from, double by, size_t n) {
  has_avx2() ? add_scaled_wide(to, from, by, n) : add_scaled_loop(to, from, by, n);
}

void add_scaled(double* to, const float* from, double by, size_t n) {
  has_avx2() ? add_scaled_wide(to, from, by, n) : add_scaled_loop(to, from, by, n);
}

double dot(const double* a, const double* b, size_t n) { return has_avx2() ? dot_wide(a, b, n) : dot_loop(a, b, n); }

void add_products(double* sums, const float* x, const float* rows, size_t stride, size_t n) {
  has_avx2() ? add_products_wide(sums, x, rows, stride, n) : add_products_loop(sums, x, rows, stride, n);
}

}  // namespace oree
