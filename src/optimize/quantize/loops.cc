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

template <typename T>
OREE_INLINE void add_rows_loop(double* __restrict to, const T* __restrict rows, size_t stride,
                               const double* __restrict by, size_t count, size_t n) {
  size_t r = 0;
  // Four rows a look at the sums; added one by one, as if they came alone.
  for (; r + 4 <= count; r += 4) {
    const T* __restrict x = rows + r * stride;
    for (size_t i = 0; i < n; ++i) {
      double sum = to[i];
      sum += by[r] * static_cast<double>(x[i]);
      sum += by[r + 1] * static_cast<double>(x[stride + i]);
      sum += by[r + 2] * static_cast<double>(x[2 * stride + i]);
      sum += by[r + 3] * static_cast<double>(x[3 * stride + i]);
      to[i] = sum;
    }
  }
  for (; r < count; ++r) add_scaled_loop(to, rows + r * stride, by[r], n);
}

OREE_INLINE double least_change_loop(const double* __restrict slope, const float* __restrict from, double by,
                                     double step, const double* __restrict squares, size_t n) {
  constexpr size_t kLeast = 8;  // lanes
  auto change = [&](size_t i) {
    const double after = slope[i] + by * static_cast<double>(from[i]);
    return step * step * squares[i] - 2 * step * (after < 0 ? -after : after);
  };
  double least[kLeast];
  std::fill_n(least, kLeast, change(0));
  size_t i = 0;
  for (; i + kLeast <= n; i += kLeast) {
    for (size_t l = 0; l < kLeast; ++l) {
      const double c = change(i + l);
      least[l] = c < least[l] ? c : least[l];
    }
  }
  for (; i < n; ++i) least[0] = std::min(least[0], change(i));
  return *std::min_element(least, least + kLeast);
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

// Lanes, because the compiler must not reorder a reduction of floats by itself.
OREE_INLINE BlockEnds find_ends_loop(const float* __restrict x, size_t n) {
  float low[kLanes], high[kLanes], doubt[kLanes] = {};  // doubt: NaN once a value was not finite
  uint32_t zeros[kLanes] = {};
  std::fill_n(low, kLanes, x[0]);
  std::fill_n(high, kLanes, x[0]);
  auto take = [&](size_t l, float v) {
    low[l] = v < low[l] ? v : low[l];
    high[l] = v > high[l] ? v : high[l];
    doubt[l] += v - v;
    zeros[l] += v == 0.0F ? 1U : 0U;
  };
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) take(l, x[i + l]);
  }
  for (size_t l = 0; i < n; ++i, ++l) take(l, x[i]);
  BlockEnds ends{*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
  for (size_t l = 0; l < kLanes; ++l) {
    ends.zeros += zeros[l];
    ends.finite = ends.finite && doubt[l] == 0;
  }
  return ends;
}

OREE_INLINE void find_bins_loop(const float* __restrict x, size_t n, float inverse, float width, int32_t middle,
                                int32_t* __restrict bins) {
  for (size_t i = 0; i < n; ++i) {
    auto whole = static_cast<int32_t>(x[i] * inverse);
    bins[i] = whole + middle - (x[i] < static_cast<float>(whole) * width ? 1 : 0);
  }
}

OREE_WIDE BlockEnds find_ends_wide(const float* x, size_t n) { return find_ends_loop(x, n); }
OREE_WIDE void find_bins_wide(const float* x, size_t n, float inverse, float width, int32_t middle, int32_t* bins) {
  find_bins_loop(x, n, inverse, width, middle, bins);
}
OREE_WIDE void add_scaled_wide(double* to, const float* from, double by, size_t n) { add_scaled_loop(to, from, by, n); }
OREE_WIDE void add_rows_wide(double* to, const double* rows, size_t stride, const double* by, size_t count, size_t n) {
  add_rows_loop(to, rows, stride, by, count, n);
}
OREE_WIDE void add_rows_wide(double* to, const float* rows, size_t stride, const double* by, size_t count, size_t n) {
  add_rows_loop(to, rows, stride, by, count, n);
}
OREE_WIDE double least_change_wide(const double* slope, const float* from, double by, double step,
                                   const double* squares, size_t n) {
  return least_change_loop(slope, from, by, step, squares, n);
}
OREE_WIDE double dot_wide(const double* a, const double* b, size_t n) { return dot_loop(a, b, n); }
OREE_WIDE void add_products_wide(double* sums, const float* x, const float* rows, size_t stride, size_t n) {
  add_products_loop(sums, x, rows, stride, n);
}

}  // namespace

void add_scaled(double* to, const float* from, double by, size_t n) {
  has_avx2() ? add_scaled_wide(to, from, by, n) : add_scaled_loop(to, from, by, n);
}

void add_scaled_rows(double* to, const double* rows, size_t stride, const double* by, size_t count, size_t n) {
  has_avx2() ? add_rows_wide(to, rows, stride, by, count, n) : add_rows_loop(to, rows, stride, by, count, n);
}

void add_scaled_rows(double* to, const float* rows, size_t stride, const double* by, size_t count, size_t n) {
  has_avx2() ? add_rows_wide(to, rows, stride, by, count, n) : add_rows_loop(to, rows, stride, by, count, n);
}

double least_change(const double* slope, const float* from, double by, double step, const double* squares, size_t n) {
  return has_avx2() ? least_change_wide(slope, from, by, step, squares, n)
                    : least_change_loop(slope, from, by, step, squares, n);
}

double dot(const double* a, const double* b, size_t n) { return has_avx2() ? dot_wide(a, b, n) : dot_loop(a, b, n); }

BlockEnds find_ends(const float* x, size_t n) { return has_avx2() ? find_ends_wide(x, n) : find_ends_loop(x, n); }

void find_bins(const float* x, size_t n, float inverse, float width, int32_t middle, int32_t* bins) {
  has_avx2() ? find_bins_wide(x, n, inverse, width, middle, bins) : find_bins_loop(x, n, inverse, width, middle, bins);
}

void add_products(double* sums, const float* x, const float* rows, size_t stride, size_t n) {
  has_avx2() ? add_products_wide(sums, x, rows, stride, n) : add_products_loop(sums, x, rows, stride, n);
}

}  // namespace oree
