// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/channel_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace oree {
namespace {

constexpr size_t kKeptMost = size_t{1} << 20;  // values
constexpr size_t kLevels = 16;
constexpr double kLevelFull = 32;  // values of a level, from where more count no more

}  // namespace

Status ChannelValues::add(const Tensor& tensor, bool matrix) {
  const Shape& shape = tensor.shape();
  if (shape.size() < 2)
    return Error(Code::kInvalid, fmt::format("expected channels, found shape {}", shape_text(shape)));
  const size_t axis = matrix ? shape.size() - 1 : 1;
  size_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[i]);
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  channels_ = static_cast<size_t>(shape[axis]);
  const size_t places = outer * inner, all = places * channels_ * std::max<size_t>(samples_, 1);
  // Odd, and from another place in each sample, so that it does not fall into step with rows.
  const size_t step = all > kKeptMost ? (all / kKeptMost + 1) | 1 : 1;
  const std::span<const float> x = tensor.as<float>();
  for (size_t place = added_++ % step; place < places; place += step) {
    const size_t at = place / inner * channels_ * inner + place % inner;
    for (size_t c = 0; c < channels_; ++c) values_.push_back(x[at + c * inner]);
  }
  return {};
}

std::vector<double> error_by_levels(const ChannelValues& wanted, const ChannelValues& found) {
  const size_t channels = wanted.channels();
  const std::span<const float> a = wanted.values(), b = found.values();
  OREE_ASSERT(channels == found.channels() && a.size() == b.size());
  std::vector<double> errors(channels, 0);
  for (size_t c = 0; c < channels; ++c) {
    double low = static_cast<double>(a[c]), high = low;
    for (size_t i = c; i < a.size(); i += channels) {
      low = std::min(low, static_cast<double>(a[i]));
      high = std::max(high, static_cast<double>(a[i]));
    }
    const double wide = high > low ? (high - low) / static_cast<double>(kLevels) : 1;
    std::array<double, kLevels> sums{}, counts{};
    for (size_t i = c; i < a.size(); i += channels) {
      const double wants = static_cast<double>(a[i]);
      const size_t level = std::min(static_cast<size_t>((wants - low) / wide), kLevels - 1);
      sums[level] += static_cast<double>(b[i]) - wants;
      ++counts[level];
    }
    double sum = 0, weight = 0;
    for (size_t l = 0; l < kLevels; ++l) {
      const double counts_as = std::min(counts[l], kLevelFull);
      if (counts_as > 0) sum += sums[l] / counts[l] * counts_as;
      weight += counts_as;
    }
    errors[c] = sum / weight;
  }
  return errors;
}

}  // namespace oree
