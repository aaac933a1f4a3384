// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/moments.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

Moments moments_of(const std::vector<float>& values) {
  Histogram h;
  h.add(values);
  return Moments(h);
}

double true_error(const std::vector<float>& values, const Affine& affine, const IntegerGrid& grid) {
  double sum = 0;
  for (float v : values) {
    double gap = v - to_real(to_integer(v, affine, grid), affine);
    sum += gap * gap;
  }
  return sum;
}

std::vector<float> rectified(std::vector<float> values) {
  for (float& v : values) v = std::max(v, 0.0f);
  return values;
}

}  // namespace

TEST_CASE("sums below a point are those of the values below it, to what a bin's width leaves open") {
  for (const std::vector<float>& values : {normal_values(100000, 1), laplace_values(100000, 2, 7)}) {
    Histogram h;
    h.add(values);
    Moments moments(h);
    for (double x : {-9.0, -1.0, -0.01, 0.0, 0.3, 2.0, 3.7, 1e9}) {
      double count = 0, first = 0, second = 0;
      for (float v : values) {
        if (v >= x) continue;
        ++count;
        first += v;
        second += static_cast<double>(v) * v;
      }
      Moments::Sums s = moments.below(x);
      // The bin of x holds at most some hundred values here.
      CHECK(std::abs(s.count - count) < 300);
      CHECK(std::abs(s.first - first) < 300 * (std::min(std::abs(x), 100.0) + 1));
      CHECK(s.second == doctest::Approx(second).epsilon(0.02));
    }
  }
}

TEST_CASE("exact zeros weigh nothing") {
  std::vector<float> values = laplace_values(20000, 5), without;
  for (float& v : values) v = std::max(v - 1, 0.0f);
  for (float v : values) {
    if (v != 0) without.push_back(v);
  }
  Moments a = moments_of(values), b = moments_of(without);
  CHECK(a.all().count == static_cast<double>(without.size()));
  Affine affine{0.03f, -128};
  // The first bin differs only in where within it the first value is taken to be.
  CHECK(a.error(affine, int8_grid()) == doctest::Approx(b.error(affine, int8_grid())).epsilon(1e-4));
}

TEST_CASE("of one value many times over the sums are exact") {
  Moments m = moments_of(std::vector<float>(1000, 2.5f));
  CHECK(m.all().count == 1000);
  CHECK(m.all().first == 2500);
  CHECK(m.all().second == 6250);
  CHECK(m.below(2.5).count == 0);
  CHECK(m.below(2.6).count == 1000);
  CHECK(m.all().around(2) == doctest::Approx(250));
}

TEST_CASE("nothing seen, no error") {
  Moments m{Histogram()};
  CHECK(m.all().count == 0);
  CHECK(m.below(3).count == 0);
  CHECK(m.error({1, 0}, int8_grid()) == 0);
}

TEST_CASE("the error is what quantizing every value makes, clipped or not, fine grid or coarse") {
  std::vector<float> skewed = normal_values(60000, 7);
  for (float& v : skewed) v = std::exp(v);
  std::vector<std::vector<float>> data{normal_values(60000, 3), laplace_values(60000, 4, 0.01f), skewed,
                                       rectified(laplace_values(60000, 6))};
  for (const std::vector<float>& values : data) {
    auto [low, high] = std::ranges::minmax(values);
    for (const IntegerGrid& grid : {int8_grid(), uint8_grid(), symmetric_int8_grid(), symmetric_int4_grid()}) {
      for (double share : {1.2, 1.0, 0.7, 0.4, 0.1}) {
        Affine affine = affine_for({low * share, high * share}, grid);
        CAPTURE(share);
        CAPTURE(affine.scale);
        const Moments moments = moments_of(values);
        const double error = moments.error(affine, grid);
        CHECK(error == doctest::Approx(true_error(values, affine, grid)).epsilon(0.02));
        // A search may ask for less: the same number, or that it is none of those.
        CHECK(moments.error(affine, grid, error * 1.01) == error);
        for (double most : {error, error / 2, error / 100}) CHECK(moments.error(affine, grid, most) >= most);
      }
    }
  }
}

TEST_CASE("where a bin holds many levels the error is that of a step's even spread, and continuous with the other") {
  std::vector<float> values = normal_values(100000, 8);
  IntegerGrid grid = symmetric_int16_grid();
  for (double share : {1.0, 0.5}) {
    Affine affine = affine_for({-4.5 * share, 4.5 * share}, grid);
    CHECK(moments_of(values).error(affine, grid) == doctest::Approx(true_error(values, affine, grid)).epsilon(0.02));
  }
  // Just about where one way of computing takes over from the other.
  Histogram h;
  h.add(values);
  auto half = static_cast<float>(h.width() / 2);
  double below = Moments(h).error({half * 0.999f, 0}, grid), above = Moments(h).error({half * 1.001f, 0}, grid);
  CHECK(below == doctest::Approx(above).epsilon(0.03));
}

}  // namespace oree
