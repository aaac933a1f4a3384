// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/histogram.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <memory>
#include <utility>

#include "optimize/quantize/loops.h"

namespace oree {
namespace {

constexpr int kMiddle = Histogram::kBins / 2;
// The smallest reach: a bin's width and its inverse are then normal floats.
constexpr double kReachMin = 0x1p-114;
constexpr size_t kBlock = 256;
constexpr size_t kSomeFrom = 1 << 16;  // values of one sample: a quarter says enough of so many
constexpr size_t kOneOf = 4;
constexpr size_t kCounters = 4;
// Below, clearing and summing up the counters costs more than they save.
constexpr size_t kCountersFrom = 1 << 14;

// The least power of two whose [-reach, reach) holds both.
double reach_for(double low, double high) {
  double reach = kReachMin;
  double size = std::max(-low, high);
  if (size > reach) reach = std::ldexp(1.0, std::ilogb(size));
  while (low < -reach || high >= reach) reach *= 2;
  return reach;
}

}  // namespace

Histogram::Ends Histogram::ends_of(std::span<const float> values) {
  if (values.empty()) return {};
  Ends ends{values[0], values[0]};
  for (size_t i = 0; i < values.size(); i += kEndsBlock) {
    const BlockEnds block = find_ends(values.data() + i, std::min(kEndsBlock, values.size() - i));
    ends = ends.joined({block.low, block.high, block.zeros, block.finite});
  }
  return ends;
}

Histogram::Ends Histogram::Ends::joined(const Ends& other) const {
  return {std::min(low, other.low), std::max(high, other.high), zeros + other.zeros, finite && other.finite};
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

void Histogram::take_ends(const Ends& ends) {
  OREE_ASSERT(ends.finite);
  min_ = empty() ? ends.low : std::min<double>(min_, ends.low);
  max_ = empty() ? ends.high : std::max<double>(max_, ends.high);
  grow(reach_for(min_, max_));
}

void Histogram::add_some(std::span<const float> values, const Ends& ends, uint64_t turn) {
  if (values.size() < kSomeFrom) return add(values, ends);
  take_ends(ends);
  std::vector<float> chosen;
  chosen.reserve(values.size() / kOneOf + kBlock);
  for (size_t four = 0; four * kOneOf * kBlock < values.size(); ++four) {
    // Which of them is mixed, or it would fall into step with a picture's rows and channels.
    const uint64_t mixed = (four + 1) * 0x9E3779B97F4A7C15ULL;
    const size_t begin = (four * kOneOf + ((mixed >> 40) + turn) % kOneOf) * kBlock;
    const size_t end = std::min(begin + kBlock, values.size());
    if (begin < end)
      chosen.insert(chosen.end(), values.begin() + static_cast<ptrdiff_t>(begin),
                    values.begin() + static_cast<ptrdiff_t>(end));
  }
  count_values(chosen, ends_of(chosen).zeros, kOneOf);
}

void Histogram::add(std::span<const float> values, const Ends& ends) {
  if (values.empty()) return;
  take_ends(ends);
  count_values(values, ends.zeros, 1);
}

void Histogram::count_values(std::span<const float> values, uint64_t zeros, uint64_t times) {
  zeros_ += zeros * times;
  count_ += values.size() * times;

  auto w = static_cast<float>(width());
  float inverse = 1 / w;
  std::array<int32_t, kBlock> at;
  // Counters in turn, because counting the same bin twice in a row waits for the first to be stored.
  std::unique_ptr<uint32_t[]> counters;
  if (values.size() >= kCountersFrom) counters = std::make_unique<uint32_t[]>(kBins * kCounters);
  auto collect = [&] {
    for (size_t b = 0; b < kBins; ++b) {
      for (size_t c = 0; c < kCounters; ++c) bins_[b] += times * std::exchange(counters[b * kCounters + c], 0);
    }
  };
  size_t i = 0;
  for (size_t blocks = 0; i + kBlock <= values.size(); i += kBlock) {
    find_bins(values.data() + i, kBlock, inverse, w, kMiddle, at.data());
    if (!counters) {
      for (int32_t b : at) bins_[static_cast<size_t>(b)] += times;
      continue;
    }
    for (size_t k = 0; k < kBlock; k += kCounters) {
      for (size_t c = 0; c < kCounters; ++c) ++counters[static_cast<size_t>(at[k + c]) * kCounters + c];
    }
    if (++blocks % (size_t{1} << 25) == 0) collect();
  }
  if (counters) collect();
  size_t rest = values.size() - i;
  find_bins(values.data() + i, rest, inverse, w, kMiddle, at.data());
  for (size_t k = 0; k < rest; ++k) bins_[static_cast<size_t>(at[k])] += times;
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
