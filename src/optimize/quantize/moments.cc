// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/moments.h"

#include <algorithm>
#include <cmath>

namespace oree {

Moments::Moments(const Histogram& histogram) {
  sums_.emplace_back();
  if (histogram.empty()) return;
  min_ = histogram.min();
  max_ = histogram.max();
  lowest_ = histogram.edge(0);
  width_ = histogram.width();
  counts_.assign(histogram.bins().begin(), histogram.bins().end());
  counts_[Histogram::kBins / 2] -= static_cast<double>(histogram.zeros());
  for (int b = 0; b < Histogram::kBins; ++b) {
    Sums s = part(b, histogram.edge(b), histogram.edge(b + 1)), before = sums_.back();
    sums_.push_back({before.count + s.count, before.first + s.first, before.second + s.second});
  }
}

Moments::Sums Moments::part(int bin, double low, double high) const {
  double count = counts_[static_cast<size_t>(bin)];
  if (count == 0) return {};
  double first = std::max(lowest_ + bin * width_, min_), last = std::min(lowest_ + (bin + 1) * width_, max_);
  // All values of the bin are the same, or so close that it does not matter.
  if (last - first < width_ * 1e-9) {
    bool within = low <= first && first < high;
    return within ? Sums{count, count * first, count * first * first} : Sums{};
  }
  low = std::clamp(low, first, last);
  high = std::clamp(high, first, last);
  double n = count * ((high - low) / (last - first));
  return {n, n * (low + high) / 2, n * (low * low + low * high + high * high) / 3};
}

Moments::Sums Moments::below(double x) const {
  if (counts_.empty()) return {};
  double place = std::floor((x - lowest_) / width_);
  if (place < 0) return {};
  if (place >= Histogram::kBins) return all();
  int bin = static_cast<int>(place);
  double edge = lowest_ + bin * width_;
  Sums s = part(bin, edge, x), before = sums_[static_cast<size_t>(bin)];
  return {before.count + s.count, before.first + s.first, before.second + s.second};
}

double Moments::error(const Affine& affine, const IntegerGrid& grid, double most) const {
  if (counts_.empty()) return 0;
  double scale = affine.scale;
  if (scale < width_ / 2) {
    // Many levels a bin: what is not clipped errs by half a step at most, evenly. As large a step as that asks of the
    // levels is what the loop below would find, too.
    Range ends = covered(affine, grid);
    Sums left = below(ends.low), to_right = below(ends.high), right = all() - to_right;
    double inside = (to_right - left).count;
    return left.around(ends.low) + right.around(ends.high) + inside * scale * scale / 12;
  }
  int64_t first = to_integer(min_, affine, grid), last = to_integer(max_, affine, grid);
  auto upto = [&](int64_t q) { return q == last ? all() : below(to_real(q, affine) + scale / 2); };
  auto error_of = [&](int64_t q, const Sums& values) { return std::max(0.0, values.around(to_real(q, affine))); };
  // What is clipped costs most, and the upper end would come last.
  if (first < last && std::isfinite(most)) {
    const double clipped = error_of(last, all() - upto(last - 1));
    if (clipped >= most) return clipped;
  }
  double sum = 0;
  Sums before;
  for (int64_t q = first; q <= last && sum < most; ++q) {
    const Sums so_far = upto(q);
    sum += error_of(q, so_far - before);
    before = so_far;
  }
  return sum;
}

}  // namespace oree
