// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace oree {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

double times_log(double c) { return c > 0 ? c * std::log(c) : 0; }

}  // namespace

Divergence::Divergence(const Histogram& histogram, const IntegerGrid& grid)
    : symmetric_(grid.symmetric), width_(histogram.empty() ? 1 : histogram.width()) {
  constexpr size_t kMiddle = Histogram::kBins / 2;
  levels_ = static_cast<double>(grid.high - grid.low + 1);
  zero_ = kMiddle;
  if (histogram.empty()) return;
  counts_.assign(histogram.bins().begin(), histogram.bins().end());
  counts_[kMiddle] -= static_cast<double>(histogram.zeros());
  if (symmetric_) {
    levels_ = static_cast<double>(grid.high - affine_for({-1, 1}, grid).zero_point + 1);
    for (size_t i = 0; i < kMiddle; ++i) counts_[kMiddle + i] += counts_[kMiddle - 1 - i];
    counts_.erase(counts_.begin(), counts_.begin() + kMiddle);
    zero_ = 0;
  }
  for (double c : counts_) {
    count_.push_back(count_.back() + c);
    log_.push_back(log_.back() + times_log(c));
    filled_.push_back(filled_.back() + (c > 0 ? 1 : 0));
  }
}

// A sum up to a place between two bins.
double Divergence::at(const std::vector<double>& sums, double bin) const {
  auto whole = std::min(static_cast<size_t>(bin), sums.size() - 2);
  return sums[whole] + (bin - static_cast<double>(whole)) * (sums[whole + 1] - sums[whole]);
}

double Divergence::of(Range range) const {
  if (count_.back() == 0) return kNever;
  if (symmetric_) range = {0, std::max(-range.low, range.high)};
  auto bin = [&](double x) {
    double place = static_cast<double>(zero_) + std::round(x / width_);
    return static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(counts_.size())));
  };
  size_t first = bin(std::min(range.low, 0.0)), last = bin(std::max(range.high, 0.0));
  double bins = static_cast<double>(last - first);
  if (bins < levels_) return kNever;
  double all = count_.back(), kept = count_[last] - count_[first];
  double below = count_[first], above = all - count_[last];
  if (kept == 0 || (below > 0 && counts_[first] == 0) || (above > 0 && counts_[last - 1] == 0)) return kNever;
  // Sum of p log p and of p log q, with p's counts and q's over their own sums. Within a level q is the same for all
  // bins that hold values, so that sums up to its ends are enough.
  double p_log_p = log_[last] - log_[first];
  if (below > 0) p_log_p += times_log(counts_[first] + below) - times_log(counts_[first]);
  if (above > 0) p_log_p += times_log(counts_[last - 1] + above) - times_log(counts_[last - 1]);
  double p_log_q = 0, before = count_[first], filled_before = filled_[first];
  for (double k = 1; k <= levels_; ++k) {
    double end = k == levels_ ? static_cast<double>(last) : static_cast<double>(first) + bins * k / levels_;
    double upto = at(count_, end), filled = at(filled_, end), q = upto - before;
    if (q > 0) {
      double p = q + (k == 1 ? below : 0) + (k == levels_ ? above : 0);
      p_log_q += p * std::log(q / (filled - filled_before));
    }
    before = upto;
    filled_before = filled;
  }
  return (p_log_p - p_log_q) / all - std::log(all / kept);
}

}  // namespace oree
