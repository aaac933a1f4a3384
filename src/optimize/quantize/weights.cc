// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr double kCoarseStep = 0.05, kFineStep = 0.01, kShrinkMost = 0.3;

// A tensor as blocks of consecutive values that belong to one channel.
struct Channels {
  size_t outer = 1, count = 1, inner = 1;
};

Channels channels_of(size_t values, const Shape& shape, int axis) {
  Result<int64_t> elements = shape_elements(shape);
  OREE_ASSERT(elements.ok() && static_cast<size_t>(*elements) == values);
  OREE_ASSERT(axis >= -1 && axis < static_cast<int>(shape.size()));
  Channels c;
  if (axis < 0) {
    c.inner = values;
    return c;
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    auto d = static_cast<size_t>(shape[i]);
    if (i < static_cast<size_t>(axis)) c.outer *= d;
    if (i == static_cast<size_t>(axis)) c.count = d;
    if (i > static_cast<size_t>(axis)) c.inner *= d;
  }
  return c;
}

template <typename Visit>
void for_channel(const Channels& c, size_t channel, Visit visit) {
  for (size_t o = 0; o < c.outer; ++o) {
    size_t at = (o * c.count + channel) * c.inner;
    for (size_t i = 0; i < c.inner; ++i) visit(at + i);
  }
}

double squared_error(std::span<const float> values, const Channels& c, size_t channel, const Affine& affine,
                     const IntegerGrid& grid) {
  double sum = 0;
  for_channel(c, channel, [&](size_t i) {
    double gap = values[i] - to_real(to_integer(values[i], affine, grid), affine);
    sum += gap * gap;
  });
  return sum;
}

// Ratios of the largest size, coarsely and then finely around the best one.
Affine least_error(std::span<const float> values, const Channels& c, size_t channel, double largest,
                   const IntegerGrid& grid) {
  Affine best = affine_for({-largest, largest}, grid);
  double least = squared_error(values, c, channel, best, grid), ratio = 1;
  auto attempt = [&](double r) {
    Affine a = affine_for({-largest * r, largest * r}, grid);
    double e = squared_error(values, c, channel, a, grid);
    if (e >= least) return;
    least = e;
    best = a;
    ratio = r;
  };
  for (int k = 1; 1 - k * kCoarseStep > kShrinkMost; ++k) attempt(1 - k * kCoarseStep);
  double middle = ratio;
  for (int k = -4; k <= 4; ++k) {
    if (k != 0 && middle + k * kFineStep < 1) attempt(middle + k * kFineStep);
  }
  return best;
}

IntegerGrid symmetric(IntegerGrid grid) {
  grid.symmetric = true;
  return grid;
}

}  // namespace

Result<std::vector<float>> weight_scales(std::span<const float> values, const Shape& shape, int axis,
                                         const IntegerGrid& grid, WeightScale how) {
  Channels c = channels_of(values.size(), shape, axis);
  IntegerGrid laid = symmetric(grid);
  OREE_ASSERT(affine_for({}, laid).zero_point == 0);
  std::vector<float> scales(c.count, 1.0f);
  for (size_t channel = 0; channel < c.count; ++channel) {
    double largest = 0;
    size_t bad = values.size();
    for_channel(c, channel, [&](size_t i) {
      if (!std::isfinite(values[i])) bad = std::min(bad, i);
      largest = std::max<double>(largest, std::abs(values[i]));
    });
    if (bad < values.size()) return Error(Code::kInvalid, fmt::format("weight {} is {}", bad, values[bad]));
    Affine affine = affine_for({-largest, largest}, laid);
    if (how == WeightScale::kMse && largest > 0) affine = least_error(values, c, channel, largest, laid);
    scales[channel] = affine.scale;
  }
  return scales;
}

std::vector<int32_t> quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                      std::span<const float> scales, const IntegerGrid& grid) {
  Channels c = channels_of(values.size(), shape, axis);
  OREE_ASSERT(scales.size() == c.count);
  std::vector<int32_t> integers(values.size());
  for (size_t channel = 0; channel < c.count; ++channel) {
    Affine affine{scales[channel], 0};
    for_channel(c, channel, [&](size_t i) { integers[i] = static_cast<int32_t>(to_integer(values[i], affine, grid)); });
  }
  return integers;
}

std::vector<float> dequantize_weights(std::span<const int32_t> integers, const Shape& shape, int axis,
                                      std::span<const float> scales) {
  Channels c = channels_of(integers.size(), shape, axis);
  OREE_ASSERT(scales.size() == c.count);
  std::vector<float> values(integers.size());
  for (size_t channel = 0; channel < c.count; ++channel) {
    float scale = scales[channel];
    for_channel(c, channel, [&](size_t i) { values[i] = scale * static_cast<float>(integers[i]); });
  }
  return values;
}

}  // namespace oree
