// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/ranges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "optimize/quantize/entropy.h"
#include "optimize/quantize/moments.h"

namespace oree {
namespace {

constexpr std::array<std::pair<RangeMethod, const char*>, 5> kNames{{
    {RangeMethod::kMinMax, "min-max"},
    {RangeMethod::kPercentile, "percentile"},
    {RangeMethod::kMse, "mse"},
    {RangeMethod::kEntropy, "entropy"},
    {RangeMethod::kMovingAverage, "moving-average"},
}};
constexpr int kRatios = 100;           // clippings of a side that are tried first
constexpr int kRoundsMax = 8;          // of searching one end and then the other
constexpr double kGainMin = 1e-6;      // of the error: less is the arithmetic's last bits, and the wider range stays
constexpr double kErrorGrowthMax = 2;  // of the squared error, that the least divergence may cost

// The next edges outwards.
double edge_below(const Histogram& h, double x) { return std::floor(x / h.width()) * h.width(); }
double edge_above(const Histogram& h, double x) { return std::ceil(x / h.width()) * h.width(); }
Range outwards(const Histogram& h, Range r) { return {edge_below(h, r.low), edge_above(h, r.high)}; }
Range seen(const Histogram& h) { return outwards(h, {h.min(), h.max()}); }
Range reaching_to_0(Range r) { return {std::min(r.low, 0.0), std::max(r.high, 0.0)}; }
// Of an end beyond which nothing was seen up to 0, what was seen.
Range within(Range r, Range all) {
  return {std::clamp(r.low, all.low, all.high), std::clamp(r.high, all.low, all.high)};
}
double size_of(Range r) { return std::max(-r.low, r.high); }
// The part of a range whose reals are at most that large.
Range clipped(Range r, double size) { return {std::clamp(r.low, -size, size), std::clamp(r.high, -size, size)}; }

// What is left when the rarest are cut off: of a symmetric grid by size, else as many on each side.
Range percentile_range(const Histogram& h, bool symmetric, double percentile) {
  Range all = seen(h);
  double outside = static_cast<double>(h.count()) * std::clamp(1 - percentile / 100, 0.0, 1.0);
  auto count = [&](int bin) { return static_cast<double>(h.bins()[static_cast<size_t>(bin)]); };
  int low = 0, high = Histogram::kBins - 1;
  if (symmetric) {
    double cut = 0;
    while (low < high && cut + count(low) + count(high) <= outside) cut += count(low++) + count(high--);
    return clipped(all, h.edge(high + 1));
  }
  for (double cut = 0; low < high && cut + count(low) <= outside / 2; ++low) cut += count(low);
  for (double cut = 0; low < high && cut + count(high) <= outside / 2; --high) cut += count(high);
  return {std::max(all.low, h.edge(low)), std::min(all.high, h.edge(high + 1))};
}

// The clipping of least cost, by any measure of ranges that reach to 0. An end alone is searched at a time, so the
// search may stop where moving both would still gain: it starts from several ranges, and the best result wins.
class EndSearch {
 public:
  using Cost = std::function<double(Range, double most)>;  // exact only where it is less than `most`
  EndSearch(const Histogram& h, bool symmetric, Cost cost)
      : width_(h.width()), symmetric_(symmetric), cost_(std::move(cost)), all_(reaching_to_0(seen(h))) {}

  struct Found {
    Range range;
    double cost = std::numeric_limits<double>::infinity();  // stays so when there is no range of finite cost
  };
  Found find() {
    // Both ends together; from the best of these, and from all that was seen, one after the other.
    Found both = from(all_);
    along(both, size_of(all_), size_of(all_), [&](double size) { return clipped(all_, size); });
    if (symmetric_) return both;
    Found a = end_by_end(both), b = end_by_end(from(all_));
    return b.cost < a.cost * (1 - kGainMin) ? b : a;
  }

 private:
  Found from(Range r, double most = std::numeric_limits<double>::infinity()) const { return {r, cost_(r, most)}; }

  Found end_by_end(Found best) const {
    for (int round = 0; round < kRoundsMax; ++round) {
      Range before = best.range;
      along(best, -all_.low, -before.low, [&](double size) { return Range{-size, best.range.high}; });
      along(best, all_.high, best.range.high, [&](double size) { return Range{best.range.low, size}; });
      if (best.range == before) break;
    }
    return best;
  }

  // Over sizes up to `whole`: coarsely, then every bin around the best one (`now`, if none was better).
  template <typename RangeOf>
  void along(Found& best, double whole, double now, RangeOf range_of) const {
    int64_t bins = std::llround(whole / width_), middle = std::llround(now / width_);
    auto attempt = [&](int64_t n) {
      const double most = best.cost * (1 - kGainMin);
      Found tried = from(range_of(static_cast<double>(n) * width_), most);
      if (!(tried.cost < most)) return;
      best = tried;
      middle = n;
    };
    for (int64_t i = kRatios; i > 0 && bins > 0; --i) attempt((bins * i + kRatios - 1) / kRatios);
    int64_t step = bins / kRatios, around = middle;
    for (int64_t n = std::min(bins, around + step); n >= std::max<int64_t>(1, around - step); --n) attempt(n);
  }

  double width_;
  bool symmetric_;
  Cost cost_;
  Range all_;
};

EndSearch::Found least_error(const Histogram& h, const IntegerGrid& grid, const Moments& moments) {
  return EndSearch(h, grid.symmetric,
                   [&](Range r, double most) { return moments.error(affine_for(r, grid), grid, most); })
      .find();
}

// Divergence alone would clip far values away, however far. So it chooses among clippings that are not much worse
// than the best; where it has nothing to say, that one is taken.
Range entropy_range(const Histogram& h, const IntegerGrid& grid, const Moments& moments) {
  Divergence divergence(h, grid);
  EndSearch::Found least = least_error(h, grid, moments);
  EndSearch search(h, grid.symmetric, [&](Range r, double) {
    double error = moments.error(affine_for(r, grid), grid);
    return error <= least.cost * kErrorGrowthMax ? divergence.of(r) : std::numeric_limits<double>::infinity();
  });
  EndSearch::Found found = search.find();
  return std::isfinite(found.cost) ? found.range : least.range;
}

}  // namespace

const char* range_method_name(RangeMethod method) {
  for (const auto& [m, name] : kNames) {
    if (m == method) return name;
  }
  OREE_ASSERT(false);
  return "";
}

std::optional<RangeMethod> parse_range_method(std::string_view name) {
  for (const auto& [m, n] : kNames) {
    if (n == name) return m;
  }
  return std::nullopt;
}

Range choose_range(const TensorStatistics& statistics, const IntegerGrid& grid, const RangeOptions& options) {
  const Histogram& h = statistics.histogram;
  if (h.empty()) return {};
  Range all = seen(h);
  switch (options.method) {
    case RangeMethod::kMinMax: return all;
    case RangeMethod::kPercentile: return percentile_range(h, grid.symmetric, options.percentile);
    case RangeMethod::kMse: return within(least_error(h, grid, Moments(h)).range, all);
    case RangeMethod::kEntropy: return within(entropy_range(h, grid, Moments(h)), all);
    case RangeMethod::kMovingAverage: return within(outwards(h, statistics.average), all);
  }
  return all;
}

double expected_error(const Histogram& histogram, const Affine& affine, const IntegerGrid& grid) {
  if (histogram.empty()) return 0;
  return Moments(histogram).error(affine, grid) / static_cast<double>(histogram.count());
}

double mean_square(const Histogram& histogram) {
  if (histogram.empty()) return 0;
  return Moments(histogram).all().second / static_cast<double>(histogram.count());
}

}  // namespace oree
