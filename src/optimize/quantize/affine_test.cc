// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/affine.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <limits>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

const IntegerGrid kGrids[] = {int8_grid(),
                              uint8_grid(),
                              symmetric_int8_grid(),
                              reduced_int8_grid(),
                              symmetric_int16_grid(),
                              symmetric_int4_grid(),
                              {Dtype::kUint8, 0, 255, true}};
const Range kRanges[] = {{-1, 1},   {0, 6},         {-6, 0},       {2, 3},     {-3, -2},     {-0.3, 12.7},
                         {-100, 1}, {1e-30, 1e-29}, {-1e30, 3e30}, {0, 1e-40}, {-1e-7, 1e7}, {-0.001, 255}};

}  // namespace

TEST_CASE("zero is exact and the range is covered but for half a step, whatever grid is laid over it") {
  for (const IntegerGrid& grid : kGrids) {
    for (const Range& range : kRanges) {
      CAPTURE(static_cast<int>(grid.dtype));
      CAPTURE(grid.high);
      CAPTURE(range.low);
      CAPTURE(range.high);
      Affine a = affine_for(range, grid);
      CHECK(a.scale >= FLT_MIN);
      CHECK(std::isfinite(a.scale));
      CHECK(grid.low <= a.zero_point);
      CHECK(a.zero_point <= grid.high);
      CHECK(to_integer(0, a, grid) == a.zero_point);
      CHECK(to_real(a.zero_point, a) == 0);
      Range reals = covered(a, grid);
      double slack = a.scale * 0.50001;
      CHECK(reals.low <= std::min(range.low, 0.0) + slack);
      CHECK(reals.high >= std::max(range.high, 0.0) - slack);
    }
  }
}

TEST_CASE("a symmetric grid has its zero in the middle and its end at the larger size") {
  Affine a = affine_for({-2, 12.7}, symmetric_int8_grid());
  CHECK(a == Affine{0.1f, 0});
  CHECK(affine_for({-12.7, 2}, symmetric_int8_grid()) == a);
  CHECK(affine_for({-6.4, 1}, reduced_int8_grid()) == a);
  // Of 0..255 the middle is 128, which leaves 127 steps above and 128 below.
  CHECK(affine_for({-2, 12.7}, {Dtype::kUint8, 0, 255, true}) == Affine{0.1f, 128});
  CHECK(affine_for({-12.8, 2}, {Dtype::kUint8, 0, 255, true}) == Affine{0.1f, 128});
}

TEST_CASE("an affine grid gives all its levels to a range that touches zero") {
  CHECK(affine_for({0, 25.5}, uint8_grid()) == Affine{0.1f, 0});
  CHECK(affine_for({0, 25.5}, int8_grid()) == Affine{0.1f, -128});
  CHECK(affine_for({-25.5, 0}, int8_grid()) == Affine{0.1f, 127});
  CHECK(affine_for({20, 25.5}, int8_grid()) == Affine{0.1f, -128});
  CHECK(affine_for({-25.5, -20}, int8_grid()) == Affine{0.1f, 127});
}

TEST_CASE("a range of nothing gets scale 1, a tiny one the smallest normal float") {
  CHECK(affine_for({0, 0}, int8_grid()) == Affine{1, 0});
  CHECK(affine_for({0, 0}, uint8_grid()) == Affine{1, 0});
  CHECK(affine_for({0, 0}, symmetric_int8_grid()) == Affine{1, 0});
  CHECK(affine_for({0, 0}, {Dtype::kUint8, 0, 255, true}) == Affine{1, 128});
  CHECK(affine_for({0, 1e-42}, int8_grid()).scale == FLT_MIN);
  CHECK(affine_for({-FLT_MAX, FLT_MAX}, symmetric_int4_grid()).scale < FLT_MAX);
}

TEST_CASE("halves are rounded to the even integer before the zero point is added") {
  Affine a{0.5f, 3};
  CHECK(to_integer(0.25, a, int8_grid()) == 3);   // 0.5 -> 0
  CHECK(to_integer(0.75, a, int8_grid()) == 5);   // 1.5 -> 2
  CHECK(to_integer(1.25, a, int8_grid()) == 5);   // 2.5 -> 2
  CHECK(to_integer(-0.25, a, int8_grid()) == 3);  // -0.5 -> 0
  CHECK(to_integer(-0.75, a, int8_grid()) == 1);  // -1.5 -> -2
  CHECK(to_integer(0.2501, a, int8_grid()) == 4);
}

TEST_CASE("what is beyond the grid saturates, and NaN becomes the zero point") {
  Affine a{0.1f, 5};
  double infinity = std::numeric_limits<double>::infinity();
  CHECK(to_integer(1e30, a, int8_grid()) == 127);
  CHECK(to_integer(infinity, a, int8_grid()) == 127);
  CHECK(to_integer(-infinity, a, int8_grid()) == -128);
  CHECK(to_integer(-1e30, a, symmetric_int8_grid()) == -127);
  CHECK(to_integer(std::nan(""), a, int8_grid()) == 5);
}

// What an engine computes: a division of floats, rounded as the processor rounds, then whole numbers.
TEST_CASE("integers are those of arithmetic in float") {
  uint64_t state = 5;
  for (int i = 0; i < 200000; ++i) {
    auto scale = static_cast<float>(std::exp(next_normal(state) * 3));
    auto x = static_cast<float>(next_normal(state)) * scale * 60;
    if (i % 3 == 0) x = scale * (static_cast<float>(i % 200 - 100) + 0.5f);
    int64_t zero = i % 256 - 128;
    float quotient = x / scale;
    auto whole = static_cast<int64_t>(std::nearbyint(quotient)) + zero;
    int64_t wanted = whole < -128 ? -128 : whole > 127 ? 127 : whole;
    REQUIRE(to_integer(x, {scale, zero}, int8_grid()) == wanted);
  }
}

TEST_CASE("every integer of a grid survives the way to its real and back") {
  for (const IntegerGrid& grid : kGrids) {
    for (const Range& range : kRanges) {
      Affine a = affine_for(range, grid);
      for (int64_t q = grid.low; q <= grid.high; q += std::max<int64_t>(1, (grid.high - grid.low) / 500)) {
        REQUIRE(to_integer(static_cast<float>(to_real(q, a)), a, grid) == q);
      }
    }
  }
}

}  // namespace oree
