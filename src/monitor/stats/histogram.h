// SPDX-License-Identifier: Apache-2.0
// The two mergeable histograms: confidences in 256 fixed bins, latencies in the OpenTelemetry exponential layout.
// Both merge exactly across reports, devices and days; percentiles come from the merged counts.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "core/codec/json.h"

namespace oree {

// Confidences in [0, 1]: bin i holds [i/256, (i+1)/256), 1.0 falls in the last.
class ConfidenceHistogram {
 public:
  void add(double confidence, int64_t count = 1);  // clamps to [0, 1]; NaN is not counted
  void merge(const ConfidenceHistogram& other);
  int64_t count() const { return count_; }
  double mean() const;  // by bin centres; 0 when empty
  const std::array<int64_t, 256>& bins() const { return bins_; }
  Json to_json() const;  // sparse: {"n": total, "bins": {"17": 3, …}}
  static Result<ConfidenceHistogram> from_json(const Json& json);
  bool operator==(const ConfidenceHistogram&) const = default;

 private:
  std::array<int64_t, 256> bins_{};
  int64_t count_ = 0;
};

// Wasserstein-1 distance of the two as distributions on [0, 1] (SciPy's wasserstein_distance of the bin centres).
// kInvalid when either is empty.
Result<double> wasserstein(const ConfidenceHistogram& a, const ConfidenceHistogram& b);

// Positive values in the OpenTelemetry exponential-histogram layout (data model, "ExponentialHistogram"): bucket
// index i covers (base^i, base^(i+1)], base = 2^(2^-scale). At most 160 buckets: the scale falls as the range grows,
// from 20 downwards; merging brings both to the lower scale, so it is exact. Values <= 0 count as zero_count.
class ExponentialHistogram {
 public:
  static constexpr int kBucketsMax = 160;
  void add(double value, int64_t count = 1);  // NaN and infinities are not counted
  void merge(const ExponentialHistogram& other);
  int64_t count() const { return count_; }
  double sum() const { return sum_; }
  double min() const { return min_; }  // 0 when empty
  double max() const { return max_; }
  double mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }
  int scale() const { return scale_; }
  int64_t zero_count() const { return zero_count_; }
  const std::map<int32_t, int64_t>& buckets() const { return buckets_; }
  // q in [0, 1]: linear within the bucket that holds the rank, clamped to [min, max]; 0 when empty.
  double quantile(double q) const;
  Json to_json() const;
  static Result<ExponentialHistogram> from_json(const Json& json);
  bool operator==(const ExponentialHistogram&) const = default;

 private:
  void downscale(int by);
  int scale_ = 20;
  int64_t count_ = 0, zero_count_ = 0;
  double sum_ = 0, min_ = 0, max_ = 0;
  std::map<int32_t, int64_t> buckets_;
};

// The members "confidence" and "latency_ms", as applications and reports write them.
Status read_histograms(const Json& json, ConfidenceHistogram& confidence, ExponentialHistogram& latency_ms);

}  // namespace oree
