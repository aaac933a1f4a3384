// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace oree {
namespace {

// Of one histogram from outside: so large that nobody reaches it, so small that no sum of many overflows.
constexpr int64_t kCountMax = int64_t{1} << 40;

// The members of a sparse {"index": count} object, each checked.
template <typename Each>
Status read_sparse(const Json& json, std::string_view key, int64_t index_min, int64_t index_max, const Each& each) {
  OREE_TRY_ASSIGN(const Json* object, json.get_object(key));
  for (const auto& [name, value] : object->members()) {
    int64_t index = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc() || end != name.data() + name.size() || index < index_min || index > index_max) {
      return Error(Code::kInvalid,
                   fmt::format("{}: \"{}\" is not a bin index in {}..{}", key, name, index_min, index_max));
    }
    if (!value.is_int() || value.as_int() < 1 || value.as_int() > kCountMax) {
      return Error(Code::kInvalid, fmt::format("{}: the count of bin {} is not an integer from 1 to 2^40", key, index));
    }
    each(index, value.as_int());
  }
  return {};
}

// OpenTelemetry: the index i with base^i < value <= base^(i+1), by logarithm and then corrected, because the
// logarithm of a value next to a boundary may round to the wrong side.
int32_t bucket_index(double value, int scale) {
  if (scale <= 0) {
    int exponent = 0;
    double fraction = std::frexp(value, &exponent);  // value = fraction * 2^exponent, fraction in [0.5, 1)
    int floor_log2 =
        fraction == 0.5 ? exponent - 2 : exponent - 1;  // an exact power of two belongs to the bucket below
    return static_cast<int32_t>(floor_log2 >> -scale);
  }
  double factor = std::ldexp(1.0, scale);
  double index = std::ceil(std::log2(value) * factor) - 1;
  if (value <= std::exp2(index / factor)) index -= 1;
  if (value > std::exp2((index + 1) / factor)) index += 1;
  return static_cast<int32_t>(index);
}

// JSON has no infinity, so a sum that leaves the range of doubles stays at its end.
double saturated(double sum) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  return std::clamp(sum, -kLargest, kLargest);
}

double lower_bound_of(int32_t index, int scale) { return std::exp2(std::ldexp(static_cast<double>(index), -scale)); }

}  // namespace

void ConfidenceHistogram::add(double confidence, int64_t count) {
  if (std::isnan(confidence) || count <= 0) return;
  double clamped = std::clamp(confidence, 0.0, 1.0);
  bins_[std::min<size_t>(255, static_cast<size_t>(clamped * 256))] += count;
  count_ += count;
}

void ConfidenceHistogram::merge(const ConfidenceHistogram& other) {
  for (size_t i = 0; i < bins_.size(); ++i) bins_[i] += other.bins_[i];
  count_ += other.count_;
}

double ConfidenceHistogram::mean() const {
  if (count_ == 0) return 0;
  double sum = 0;
  for (size_t i = 0; i < bins_.size(); ++i) sum += static_cast<double>(bins_[i]) * (static_cast<double>(i) + 0.5) / 256;
  return sum / static_cast<double>(count_);
}

Json ConfidenceHistogram::to_json() const {
  Json bins = Json::object();
  for (size_t i = 0; i < bins_.size(); ++i) {
    if (bins_[i] > 0) bins.set(fmt::format("{}", i), bins_[i]);
  }
  return Json().set("n", count_).set("bins", std::move(bins));
}

Result<ConfidenceHistogram> ConfidenceHistogram::from_json(const Json& json) {
  ConfidenceHistogram out;
  OREE_TRY(read_sparse(json, "bins", 0, 255, [&](int64_t index, int64_t count) {
    out.bins_[static_cast<size_t>(index)] += count;
    out.count_ += count;
  }));
  OREE_TRY_ASSIGN(int64_t n, json.get_int("n", 0, kCountMax));
  if (n != out.count_) return Error(Code::kInvalid, fmt::format("n is {}, but the bins hold {}", n, out.count_));
  return out;
}

Result<double> wasserstein(const ConfidenceHistogram& a, const ConfidenceHistogram& b) {
  if (a.count() == 0 || b.count() == 0) return Error(Code::kInvalid, "a histogram without samples has no distance");
  // W1 in one dimension is the area between the two cumulative distributions.
  double area = 0;
  int64_t below_a = 0;
  int64_t below_b = 0;
  for (size_t i = 0; i < 255; ++i) {
    below_a += a.bins()[i];
    below_b += b.bins()[i];
    area += std::abs(static_cast<double>(below_a) / static_cast<double>(a.count()) -
                     static_cast<double>(below_b) / static_cast<double>(b.count())) /
            256;
  }
  return area;
}

void ExponentialHistogram::add(double value, int64_t count) {
  if (!std::isfinite(value) || count <= 0) return;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  sum_ = saturated(sum_ + value * static_cast<double>(count));
  count_ += count;
  if (value <= 0) {
    zero_count_ += count;
    return;
  }
  for (;;) {
    int32_t index = bucket_index(value, scale_);
    int64_t low = buckets_.empty() ? index : std::min(buckets_.begin()->first, index);
    int64_t high = buckets_.empty() ? index : std::max(buckets_.rbegin()->first, index);
    if (high - low < kBucketsMax) {
      buckets_[index] += count;
      return;
    }
    downscale(1);
  }
}

// Each step of the scale joins two neighbouring buckets into one: index i becomes floor(i / 2).
void ExponentialHistogram::downscale(int by) {
  if (by <= 0) return;
  std::map<int32_t, int64_t> joined;
  for (auto [index, count] : buckets_) joined[by >= 31 ? (index < 0 ? -1 : 0) : index >> by] += count;
  buckets_ = std::move(joined);
  scale_ -= by;
}

void ExponentialHistogram::merge(const ExponentialHistogram& other) {
  if (other.count_ == 0) return;
  ExponentialHistogram theirs = other;
  if (buckets_.empty()) scale_ = std::min(scale_, theirs.scale_);
  int common = std::min(scale_, theirs.scale_);
  downscale(scale_ - common);
  theirs.downscale(theirs.scale_ - common);
  for (auto [index, count] : theirs.buckets_) buckets_[index] += count;
  while (!buckets_.empty() && int64_t{buckets_.rbegin()->first} - buckets_.begin()->first >= kBucketsMax) downscale(1);
  min_ = count_ == 0 ? theirs.min_ : std::min(min_, theirs.min_);
  max_ = count_ == 0 ? theirs.max_ : std::max(max_, theirs.max_);
  sum_ = saturated(sum_ + theirs.sum_);
  count_ += theirs.count_;
  zero_count_ += theirs.zero_count_;
}

double ExponentialHistogram::quantile(double q) const {
  if (count_ == 0) return 0;
  double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  double below = static_cast<double>(zero_count_);
  if (rank <= below && zero_count_ > 0) return std::min(min_, 0.0);
  for (auto [index, count] : buckets_) {
    double here = static_cast<double>(count);
    if (below + here >= rank) {
      double low = lower_bound_of(index, scale_);
      double high = lower_bound_of(index + 1, scale_);
      return std::clamp(low + (high - low) * (rank - below) / here, min_, max_);
    }
    below += here;
  }
  return max_;
}

Json ExponentialHistogram::to_json() const {
  Json buckets = Json::object();
  for (auto [index, count] : buckets_) buckets.set(fmt::format("{}", index), count);
  return Json()
      .set("n", count_)
      .set("zero", zero_count_)
      .set("sum", sum_)
      .set("min", min_)
      .set("max", max_)
      .set("scale", scale_)
      .set("buckets", std::move(buckets));
}

Result<ExponentialHistogram> ExponentialHistogram::from_json(const Json& json) {
  ExponentialHistogram out;
  OREE_TRY_ASSIGN(out.scale_, json.get_int32("scale", -10, 20));
  OREE_TRY(read_sparse(json, "buckets", INT32_MIN, INT32_MAX, [&](int64_t index, int64_t count) {
    out.buckets_[static_cast<int32_t>(index)] += count;
    out.count_ += count;
  }));
  if (out.buckets_.size() > kBucketsMax) {
    return Error(Code::kInvalid, fmt::format("{} buckets, at most {} are allowed", out.buckets_.size(), kBucketsMax));
  }
  OREE_TRY_ASSIGN(out.zero_count_, json.get_int("zero", 0, kCountMax));
  OREE_TRY_ASSIGN(int64_t n, json.get_int("n", 0, kCountMax));
  out.count_ += out.zero_count_;
  if (n != out.count_) return Error(Code::kInvalid, fmt::format("n is {}, but the buckets hold {}", n, out.count_));
  OREE_TRY_ASSIGN(out.sum_, json.get_double("sum"));
  OREE_TRY_ASSIGN(out.min_, json.get_double("min"));
  OREE_TRY_ASSIGN(out.max_, json.get_double("max"));
  if (out.min_ > out.max_) return Error(Code::kInvalid, "min is greater than max");
  return out;
}

Status read_histograms(const Json& json, ConfidenceHistogram& confidence, ExponentialHistogram& latency_ms) {
  OREE_TRY_ASSIGN(const Json* confidences, json.get_object("confidence"));
  OREE_TRY_ASSIGN(confidence, ConfidenceHistogram::from_json(*confidences));
  OREE_TRY_ASSIGN(const Json* latencies, json.get_object("latency_ms"));
  OREE_TRY_ASSIGN(latency_ms, ExponentialHistogram::from_json(*latencies));
  return {};
}

}  // namespace oree
