// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/histogram.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <memory>
#include <type_traits>
#include <utility>

namespace oree {
namespace {

constexpr int kMiddle = Histogram::kBins / 2;
// The smallest reach: a bin's width and its inverse are then normal floats.
constexpr double kReachMin = 0x1p-114;
constexpr size_t kBlock = 256;  // a number that the compiler knows, so that it vectorizes the loops over a block
constexpr size_t kLanes = 16;   // of the search for the ends
constexpr size_t kCounters = 4;
// Below, clearing and summing up the counters costs more than they save.
constexpr size_t kCountersFrom = 1 << 14;

// Lanes, because the compiler must not reorder a reduction of floats by itself.
struct EndLanes {
  std::array<float, kLanes> low, high, doubt;  // doubt: 0, or NaN once a value was not finite
  std::array<uint32_t, kLanes> zeros;

  explicit EndLanes(float first) {
    low.fill(first);
    high.fill(first);
    doubt.fill(0);
    zeros.fill(0);
  }
  void add(const float* x) {
    for (size_t i = 0; i < kLanes; ++i) low[i] = x[i] < low[i] ? x[i] : low[i];
    for (size_t i = 0; i < kLanes; ++i) high[i] = x[i] > high[i] ? x[i] : high[i];
    for (size_t i = 0; i < kLanes; ++i) doubt[i] += x[i] - x[i];
    for (size_t i = 0; i < kLanes; ++i) zeros[i] += x[i] == 0.0f ? 1u : 0u;
  }
};

// The least power of two whose [-reach, reach) holds both.
double reach_for(double low, double high) {
  double reach = kReachMin;
  double size = std::max(-low, high);
  if (size > reach) reach = std::ldexp(1.0, std::ilogb(size));
  while (low < -reach || high >= reach) reach *= 2;
  return reach;
}

// Bins of a block. Multiplying by a power of two, truncating and multiplying back are exact (what underflows is
// truncated to 0 like what does not), so that a value on the wrong side of its bin's edge is seen by comparing: the bin
// is the same whatever the reach was when the value came.
template <typename Count>
void find_bins(const float* x, Count n, float inverse, float width, int32_t* bins) {
  for (size_t i = 0; i < n; ++i) {
    auto whole = static_cast<int32_t>(x[i] * inverse);
    bins[i] = whole + kMiddle - (x[i] < static_cast<float>(whole) * width ? 1 : 0);
  }
}

}  // namespace

Histogram::Ends Histogram::ends_of(std::span<const float> values) {
  if (values.empty()) return {};
  EndLanes lanes(values[0]);
  Ends ends;
  size_t i = 0;
  auto take_zeros = [&] {
    for (uint32_t& z : lanes.zeros) {
      ends.zeros += z;
      z = 0;
    }
  };
  for (size_t round = 0; i + kLanes <= values.size(); i += kLanes) {
    lanes.add(values.data() + i);
    if (++round % (size_t{1} << 24) == 0) take_zeros();
  }
  take_zeros();
  for (; i < values.size(); ++i) {
    lanes.low[0] = std::min(lanes.low[0], values[i]);
    lanes.high[0] = std::max(lanes.high[0], values[i]);
    lanes.doubt[0] += values[i] - values[i];
    ends.zeros += values[i] == 0.0f ? 1 : 0;
  }
  for (float d : lanes.doubt) ends.finite &= d == 0.0f;
  ends.low = *std::ranges::min_element(lanes.low);
  ends.high = *std::ranges::max_element(lanes.high);
  return ends;
}

void Histogram::grow(double reach) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    reach_ = reach;
  }
  while (reach_ < reach) {
    std::vector<uint64_t> wider(kBins, 0);
    for (int b = 0; b < kBins; ++b) wider[static_cast<size_t>((b + kMiddle) / 2)] += bins_[static_cast<size_t>(b)];
    bins_ = std::move(wider);
    reach_ *= 2;
  }
}

void Histogram::add(std::span<const float> values, const Ends& ends) {
  if (values.empty()) return;
  OREE_ASSERT(ends.finite);
  min_ = empty() ? ends.low : std::min<double>(min_, ends.low);
  max_ = empty() ? ends.high : std::max<double>(max_, ends.high);
  zeros_ += ends.zeros;
  count_ += values.size();
  grow(reach_for(min_, max_));

  auto w = static_cast<float>(width());
  float inverse = 1 / w;
  std::array<int32_t, kBlock> at;
  // Counters in turn, because counting the same bin twice in a row waits for the first to be stored.
  std::unique_ptr<uint32_t[]> counters;
  if (values.size() >= kCountersFrom) counters = std::make_unique<uint32_t[]>(kBins * kCounters);
  auto collect = [&] {
    for (size_t b = 0; b < kBins; ++b) {
      for (size_t c = 0; c < kCounters; ++c) bins_[b] += std::exchange(counters[b * kCounters + c], 0);
    }
  };
  size_t i = 0;
  for (size_t blocks = 0; i + kBlock <= values.size(); i += kBlock) {
    find_bins(values.data() + i, std::integral_constant<size_t, kBlock>(), inverse, w, at.data());
    if (!counters) {
      for (int32_t b : at) ++bins_[static_cast<size_t>(b)];
      continue;
    }
    for (size_t k = 0; k < kBlock; k += kCounters) {
      for (size_t c = 0; c < kCounters; ++c) ++counters[static_cast<size_t>(at[k + c]) * kCounters + c];
    }
    if (++blocks % (size_t{1} << 25) == 0) collect();
  }
  if (counters) collect();
  size_t rest = values.size() - i;
  find_bins(values.data() + i, rest, inverse, w, at.data());
  for (size_t k = 0; k < rest; ++k) ++bins_[static_cast<size_t>(at[k])];
}

void Histogram::merge(const Histogram& other) {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    return;
  }
  Histogram wide;
  const Histogram* from = &other;
  if (other.reach_ < reach_) {
    wide = other;
    wide.grow(reach_);
    from = &wide;
  }
  grow(from->reach_);
  for (size_t b = 0; b < bins_.size(); ++b) bins_[b] += from->bins_[b];
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  zeros_ += other.zeros_;
  count_ += other.count_;
}

std::vector<uint64_t> Histogram::bars(int count) const {
  std::vector<uint64_t> bars(static_cast<size_t>(count), 0);
  double wide = std::max(max_ - min_, width());
  for (int b = 0; b < (empty() ? 0 : kBins); ++b) {
    double place = (edge(b) + width() / 2 - min_) / wide * count;
    bars[static_cast<size_t>(std::clamp(place, 0.0, count - 1.0))] += bins_[static_cast<size_t>(b)];
  }
  return bars;
}

}  // namespace oree
