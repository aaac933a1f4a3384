// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/loops.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

std::vector<double> doubles(size_t n, uint64_t seed) {
  std::vector<double> values;
  for (float v : normal_values(n, seed)) values.push_back(static_cast<double>(v));
  return values;
}

}  // namespace

TEST_CASE("sums of any length are those of the plain loops") {
  for (size_t n = 0; n < 70; ++n) {
    CAPTURE(n);
    const std::vector<double> a = doubles(n, 1), b = doubles(n, 2);
    const std::vector<float> f = normal_values(n, 3);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    CHECK(dot(a.data(), b.data(), n) == doctest::Approx(sum).epsilon(1e-12));
    std::vector<double> of_doubles = a, of_floats = a;
    const double by = -0.7;
    add_scaled_rows(of_doubles.data(), b.data(), n, &by, 1, n);
    add_scaled(of_floats.data(), f.data(), -0.7, n);
    for (size_t i = 0; i < n; ++i) {
      CHECK(of_doubles[i] == a[i] - 0.7 * b[i]);
      CHECK(of_floats[i] == a[i] - 0.7 * static_cast<double>(f[i]));
    }
  }
}

TEST_CASE("products of rows are summed; rows by zero, whatever is in them, add nothing") {
  for (size_t n : {size_t{1}, size_t{31}, size_t{700}}) {
    const size_t stride = n + 3;
    std::vector<float> x = normal_values(kOuterRows, 4), rows = normal_values(kOuterRows * stride, 5);
    std::fill_n(x.begin() + 8, 8, 0.0F);
    rows[8 * stride] = std::numeric_limits<float>::infinity();
    std::vector<double> sums(n, 1.0);
    add_products(sums.data(), x.data(), rows.data(), stride, n);
    for (size_t j = 0; j < n; ++j) {
      double wanted = 1;
      for (size_t r = 0; r < kOuterRows; ++r) {
        if (x[r] != 0) wanted += static_cast<double>(x[r]) * static_cast<double>(rows[r * stride + j]);
      }
      CHECK(std::abs(sums[j] - wanted) < 1e-4);
    }
  }
}

TEST_CASE("ends: the least, the largest, how many are zero, and whether all are numbers") {
  for (size_t n : {size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{1000}, kEndsBlock}) {
    CAPTURE(n);
    std::vector<float> x = normal_values(n, 6);
    for (size_t i = 0; i < n; i += 3) x[i] = i % 2 == 0 ? 0.0F : -0.0F;
    const BlockEnds ends = find_ends(x.data(), n);
    CHECK(ends.low == *std::ranges::min_element(x));
    CHECK(ends.high == *std::ranges::max_element(x));
    CHECK(ends.zeros == static_cast<uint32_t>((n + 2) / 3));
    CHECK(ends.finite);
    for (float odd : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                      std::numeric_limits<float>::quiet_NaN()}) {
      for (size_t at : {size_t{0}, n / 2, n - 1}) {
        std::vector<float> y = x;
        y[at] = odd;
        CHECK_FALSE(find_ends(y.data(), n).finite);
      }
    }
  }
}

TEST_CASE("a value is in the bin between whose edges it lies") {
  constexpr float kWidth = 0.25F;
  constexpr int32_t kMiddle = 100;
  std::vector<float> x{
      0.0F, -0.0F, 0.25F, -0.25F, 1e-45F, -1e-45F, std::nextafter(0.25F, 0.0F), std::nextafter(-0.25F, -1.0F)};
  for (float v : normal_values(50, 7, 3)) x.push_back(v);
  std::vector<int32_t> bins(x.size());
  find_bins(x.data(), x.size(), 1 / kWidth, kWidth, kMiddle, bins.data());
  for (size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    CHECK(static_cast<float>(bins[i] - kMiddle) * kWidth <= x[i]);
    CHECK(x[i] < static_cast<float>(bins[i] - kMiddle + 1) * kWidth);
  }
}

TEST_CASE("rows are added as if one came after the other, to the bit") {
  const size_t stride = 37, n = 35;
  const std::vector<float> values = normal_values(9 * stride, 5);
  const std::vector<double> wide = doubles(9 * stride, 5);
  const double by[] = {0.3, -1.7, 0, 2.5, 1e-9, -4, 0.1, 7, -0.2};
  for (size_t count = 0; count < 10; ++count) {
    CAPTURE(count);
    std::vector<double> wanted(n, 0.25), of_floats = wanted, of_doubles = wanted;
    for (size_t r = 0; r < count; ++r) add_scaled(wanted.data(), &values[r * stride], by[r], n);
    add_scaled_rows(of_floats.data(), values.data(), stride, by, count, n);
    add_scaled_rows(of_doubles.data(), wide.data(), stride, by, count, n);
    CHECK(of_floats == wanted);
    CHECK(of_doubles == wanted);
  }
}

TEST_CASE("the least change is that of the best single step, however many there are") {
  for (size_t n : {size_t{1}, size_t{7}, size_t{8}, size_t{19}}) {
    CAPTURE(n);
    const std::vector<float> row = normal_values(n, 6);
    const std::vector<double> slope = doubles(n, 7);
    std::vector<double> squares;
    for (size_t i = 0; i < n; ++i) squares.push_back(1 + static_cast<double>(i % 3));
    const double by = 0.7, step = 0.5;
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < n; ++i) {
      for (int way : {-1, 1}) {
        const double after = slope[i] + by * static_cast<double>(row[i]);
        least = std::min(least, 2 * step * way * after + step * step * squares[i]);
      }
    }
    CHECK(least_change(slope.data(), row.data(), by, step, squares.data(), n) == doctest::Approx(least));
  }
}

}  // namespace oree
