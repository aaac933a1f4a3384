// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr int32_t kPairMax = 128;
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

// Pairs of a channel, if there are any, as (at, at + distance); the second may be missing.
struct Pairs {
  size_t distance = 0, count = 0;
  Pairs(const Shape& shape, int axis) {
    if (axis < 0) return;
    count = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
    distance = 1;
    for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) distance *= static_cast<size_t>(shape[i]);
  }
  bool first(size_t at) const {
    if (count == 0) return false;
    const size_t place = at / distance % count;
    return place % 2 == 0 && place + 1 < count;
  }
};

void quantize_channel(std::span<const float> values, const Channels& c, const Pairs& pairs, size_t channel, float scale,
                      const IntegerGrid& grid, std::span<int32_t> integers) {
  const Affine affine{scale, 0};
  for_channel(c, channel, [&](size_t i) { integers[i] = static_cast<int32_t>(to_integer(values[i], affine, grid)); });
  if (pairs.count == 0) return;
  for_channel(c, channel, [&](size_t i) {
    if (!pairs.first(i)) return;
    const size_t j = i + pairs.distance;
    settle_pair(integers[i], integers[j], static_cast<double>(values[i]) / scale,
                static_cast<double>(values[j]) / scale);
  });
}

// What the grid's end stands for, when nothing is clipped.
double largest_size(std::span<const float> values, const Channels& c, const Pairs& pairs, size_t channel,
                    const IntegerGrid& grid) {
  double largest = 0, of_pairs = 0;
  for_channel(c, channel, [&](size_t i) {
    largest = std::max<double>(largest, std::abs(values[i]));
    if (!pairs.first(i)) return;
    const double a = values[i], b = values[i + pairs.distance];
    of_pairs = std::max({of_pairs, std::max(a, 0.0) + std::max(b, 0.0), std::max(-a, 0.0) + std::max(-b, 0.0)});
  });
  return std::max(largest, of_pairs * static_cast<double>(grid.high) / kPairMax);
}

// Ratios of the largest size, coarsely and then finely around the best one.
// `integers` is room for all channels' together.
Affine least_error(std::span<const float> values, const Channels& c, const Pairs& pairs, size_t channel, double largest,
                   const IntegerGrid& grid, std::span<int32_t> integers) {
  auto error = [&](const Affine& affine) {
    quantize_channel(values, c, pairs, channel, affine.scale, grid, integers);
    double sum = 0;
    for_channel(c, channel, [&](size_t i) {
      const double gap = values[i] - to_real(integers[i], affine);
      sum += gap * gap;
    });
    return sum;
  };
  Affine best = affine_for({-largest, largest}, grid);
  double least = error(best), ratio = 1;
  auto attempt = [&](double r) {
    Affine a = affine_for({-largest * r, largest * r}, grid);
    double e = error(a);
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

bool pair_fits(int32_t a, int32_t b) {
  return std::max(a, 0) + std::max(b, 0) <= kPairMax && std::min(a, 0) + std::min(b, 0) >= -kPairMax;
}

void settle_pair(int32_t& a, int32_t& b, double real_a, double real_b) {
  while (!pair_fits(a, b)) {
    const int32_t sign = a > 0 ? 1 : -1;  // of both
    int32_t& further = (a - real_a) * sign >= (b - real_b) * sign ? a : b;
    further -= sign;
  }
}

Result<std::vector<float>> weight_scales(std::span<const float> values, const Shape& shape, int axis,
                                         const WeightGrid& grid, WeightScale how) {
  Channels c = channels_of(values.size(), shape, axis);
  const Pairs pairs(shape, grid.pair_axis);
  IntegerGrid laid = symmetric(grid.integers);
  OREE_ASSERT(affine_for({}, laid).zero_point == 0);
  std::vector<float> scales(c.count, 1.0f);
  std::vector<int32_t> integers(how == WeightScale::kMse ? values.size() : 0);
  for (size_t channel = 0; channel < c.count; ++channel) {
    size_t bad = values.size();
    for_channel(c, channel, [&](size_t i) {
      if (!std::isfinite(values[i])) bad = std::min(bad, i);
    });
    if (bad < values.size()) return Error(Code::kInvalid, fmt::format("weight {} is {}", bad, values[bad]));
    const double largest = largest_size(values, c, pairs, channel, laid);
    Affine affine = affine_for({-largest, largest}, laid);
    if (how == WeightScale::kMse && largest > 0)
      affine = least_error(values, c, pairs, channel, largest, laid, integers);
    scales[channel] = affine.scale;
  }
  return scales;
}

std::vector<int32_t> quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                      std::span<const float> scales, const WeightGrid& grid) {
  Channels c = channels_of(values.size(), shape, axis);
  OREE_ASSERT(scales.size() == c.count);
  const Pairs pairs(shape, grid.pair_axis);
  std::vector<int32_t> integers(values.size());
  for (size_t channel = 0; channel < c.count; ++channel)
    quantize_channel(values, c, pairs, channel, scales[channel], grid.integers, integers);
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

Constant pack_integers(std::span<const int32_t> integers, Shape shape, Dtype dtype) {
  Tensor out(dtype, std::move(shape));
  OREE_ASSERT(out.elements() == std::ssize(integers));
  const auto narrow = [&]<typename T>(T) {
    std::ranges::transform(integers, out.as<T>().begin(), [](int32_t i) { return static_cast<T>(i); });
  };
  switch (dtype_bits(dtype)) {
    case 4:
      for (size_t i = 0; i < integers.size(); ++i)
        out.data()[i / 2] |= static_cast<uint8_t>((integers[i] & 15) << (i % 2 * 4));
      break;
    case 8: std::ranges::transform(integers, out.data(), [](int32_t i) { return static_cast<uint8_t>(i); }); break;
    case 16: narrow(int16_t()); break;
    default: narrow(int32_t());
  }
  return Constant(std::move(out));
}

std::vector<int32_t> unpack_integers(const Constant& packed) {
  const std::vector<int64_t> wide = packed.to_ints();
  return {wide.begin(), wide.end()};
}

}  // namespace oree
