// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

double squared_error(std::span<const float> values, const Shape& shape, int axis, std::span<const float> scales,
                     const WeightGrid& grid) {
  std::vector<float> back =
      dequantize_weights(quantize_weights(values, shape, axis, scales, grid), shape, axis, scales);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    double gap = static_cast<double>(values[i]) - static_cast<double>(back[i]);
    sum += gap * gap;
  }
  return sum;
}

}  // namespace

TEST_CASE("a channel's largest size is the grid's end, along whichever axis channels lie") {
  const Shape shape{2, 3, 4};
  std::vector<float> values = laplace_values(24, 3);
  for (int axis : {0, 1, 2}) {
    std::vector<float> scales = weight_scales(values, shape, axis, symmetric_int8_grid()).value();
    REQUIRE(scales.size() == static_cast<size_t>(shape[static_cast<size_t>(axis)]));
    std::vector<float> largest(scales.size(), 0);
    for (size_t i = 0; i < 24; ++i) {
      size_t at[] = {i / 12, i / 4 % 3, i % 4};
      float& m = largest[at[axis]];
      m = std::max(m, std::abs(values[i]));
    }
    for (size_t c = 0; c < scales.size(); ++c) CHECK(scales[c] == doctest::Approx(largest[c] / 127).epsilon(1e-6));
    std::vector<int32_t> q = quantize_weights(values, shape, axis, scales, symmetric_int8_grid());
    std::vector<float> back = dequantize_weights(q, shape, axis, scales);
    for (size_t i = 0; i < 24; ++i) {
      size_t at[] = {i / 12, i / 4 % 3, i % 4};
      CHECK(std::abs(back[i] - values[i]) <= scales[at[axis]] * 0.5001f);
      CHECK(std::abs(q[i]) <= 127);
    }
    CHECK(std::abs(*std::ranges::max_element(q, {}, [](int32_t x) { return std::abs(x); })) == 127);
  }
}

TEST_CASE("one scale for all is that of the largest of all") {
  std::vector<float> values{0.5f, -12.7f, 3, 1};
  CHECK(weight_scales(values, {2, 2}, -1, symmetric_int8_grid()).value() == std::vector<float>{0.1f});
  CHECK(weight_scales(std::span(values).first(1), {}, -1, symmetric_int8_grid()).value().size() == 1);
}

TEST_CASE("a channel of zeros gets scale 1 and stays zeros") {
  std::vector<float> values{0, 0, 0, 1, -2, 3};
  for (WeightScale how : {WeightScale::kLargest, WeightScale::kMse}) {
    std::vector<float> scales = weight_scales(values, {2, 3}, 0, symmetric_int8_grid(), how).value();
    CHECK(scales[0] == 1);
    std::vector<int32_t> q = quantize_weights(values, {2, 3}, 0, scales, symmetric_int8_grid());
    CHECK(std::vector<int32_t>(q.begin(), q.begin() + 3) == std::vector<int32_t>{0, 0, 0});
  }
}

TEST_CASE("no weights at all have the scales that their channels ask for") {
  CHECK(weight_scales({}, {0, 3}, 1, symmetric_int8_grid()).value() == std::vector<float>{1, 1, 1});
  CHECK(weight_scales({}, {0, 3}, 0, symmetric_int8_grid()).value().empty());
}

TEST_CASE("a weight that is no number is refused by its place") {
  for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> values{1, 2, bad, 4};
    Result<std::vector<float>> scales = weight_scales(values, {2, 2}, 0, symmetric_int8_grid());
    REQUIRE(!scales.ok());
    CHECK(scales.error().code() == Code::kInvalid);
    CHECK(scales.error().message().find("weight 2 is ") != std::string::npos);
  }
}

namespace {

// The largest sums of one sign of each two that are neighbours along that axis.
int32_t largest_pair(const std::vector<int32_t>& q, const Shape& shape, int axis) {
  size_t inner = 1, count = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  int32_t largest = 0;
  for (size_t i = 0; i < q.size(); ++i) {
    if (i / inner % 2 != 0 || i / inner % count + 1 == count) continue;
    for (int32_t sign : {-1, 1})
      largest = std::max(largest, std::max(sign * q[i], 0) + std::max(sign * q[i + inner], 0));
  }
  return largest;
}

}  // namespace

TEST_CASE("pairs fit, at nearly the error of those that need not") {
  const Shape shape{6, 128, 4};
  std::vector<float> values = laplace_values(6 * 128 * 4, 8);
  for (int axis : {1, 2}) {
    const WeightGrid pairs(symmetric_int8_grid(), axis);
    for (WeightScale how : {WeightScale::kLargest, WeightScale::kMse}) {
      std::vector<float> scales = weight_scales(values, shape, 0, pairs, how).value();
      std::vector<int32_t> q = quantize_weights(values, shape, 0, scales, pairs);
      CHECK(largest_pair(q, shape, axis) <= 128);
      CHECK(std::ranges::max(q) <= 127);
      CHECK(std::ranges::min(q) >= -127);
      auto error = [&](const IntegerGrid& grid) {
        return squared_error(values, shape, 0, weight_scales(values, shape, 0, grid, how).value(), grid);
      };
      const double found = squared_error(values, shape, 0, scales, pairs);
      CHECK(found < 1.35 * error(symmetric_int8_grid()));
      CHECK(found < 0.4 * error(reduced_int8_grid()));
    }
  }
}

TEST_CASE("a pair steps back no further than it must, where it costs less") {
  int32_t a = 90, b = 39;
  settle_pair(a, b, 89.6, 39.4);
  CHECK((a == 89 && b == 39));
  a = -127, b = -127;
  settle_pair(a, b, -127, -127);
  CHECK(a + b == -128);
  CHECK(std::abs(a - b) <= 1);
  a = 127, b = -127;  // of two signs any fit
  settle_pair(a, b, 127, -127);
  CHECK((a == 127 && b == -127));
}

TEST_CASE("a narrower grid has larger steps and keeps its ends") {
  std::vector<float> values = normal_values(1000, 4);
  for (const IntegerGrid& grid : {reduced_int8_grid(), symmetric_int4_grid()}) {
    std::vector<float> scales = weight_scales(values, {10, 100}, 0, grid).value();
    std::vector<int32_t> q = quantize_weights(values, {10, 100}, 0, scales, grid);
    CHECK(*std::ranges::max_element(q) <= grid.high);
    CHECK(*std::ranges::min_element(q) >= grid.low);
    CHECK(std::max(*std::ranges::max_element(q), -*std::ranges::min_element(q)) == grid.high);
  }
}

TEST_CASE("scales of least error are never worse than those of the largest, and near what trying all finds") {
  for (const IntegerGrid& grid : {symmetric_int8_grid(), symmetric_int4_grid()}) {
    for (uint64_t seed = 1; seed < 6; ++seed) {
      std::vector<float> values = laplace_values(600, seed);
      values[0] = 12;
      std::vector<float> largest = weight_scales(values, {600}, -1, grid).value();
      std::vector<float> least = weight_scales(values, {600}, -1, grid, WeightScale::kMse).value();
      double found = squared_error(values, {600}, -1, least, grid);
      CHECK(found <= squared_error(values, {600}, -1, largest, grid));
      double best = found;
      for (double ratio = 0.3; ratio <= 1; ratio += 0.002) {
        std::vector<float> scale{static_cast<float>(largest[0] * ratio)};
        best = std::min(best, squared_error(values, {600}, -1, scale, grid));
      }
      CHECK(found <= best * 1.03);
    }
  }
}

}  // namespace oree
