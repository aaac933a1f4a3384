// SPDX-License-Identifier: Apache-2.0
// Drift of a model's confidences from the bundle's reference, with two levels: `warn`, calibrated on the reference
// stream itself by block bootstrap so that a correlated stream does not cry wolf, and `severe`, the fixed 0.15.
#pragma once

#include <cstdint>
#include <vector>

#include "core/codec/json.h"
#include "monitor/stats/histogram.h"

namespace oree {

inline constexpr double kDriftSevere = 0.15;

struct DriftReference {
  ConfidenceHistogram histogram;
  double warn = 0.05;  // Wasserstein distance; from calibrate_warn
  double severe = kDriftSevere;
  int64_t samples_min = 100;  // fewer recent samples than this give no verdict
};
Json drift_reference_to_json(const DriftReference& reference);
Result<DriftReference> drift_reference_from_json(const Json& json);

enum class DriftLevel { kUnknown, kNone, kWarn, kSevere };
const char* drift_level_name(DriftLevel level);  // "unknown", "none", "warn", "severe"

struct DriftVerdict {
  DriftLevel level = DriftLevel::kUnknown;
  double distance = 0;  // Wasserstein-1, 0 when unknown
  int64_t samples = 0;
};
Json drift_verdict_to_json(const DriftVerdict& verdict);
DriftVerdict judge_drift(const DriftReference& reference, const ConfidenceHistogram& recent);

// The threshold that a window of `window` consecutive samples of the reference stream passes with probability
// `false_alarm` (e.g. 0.001): block bootstrap over the sequence (blocks of `block` consecutive samples keep the
// correlation), deterministic by seed. kInvalid with fewer than 2*block samples.
Result<double> calibrate_warn(const std::vector<double>& sequence, int64_t window, int64_t block, double false_alarm,
                              uint64_t seed);

// A sliding picture of the recent stream made of mergeable pieces: the last `windows` closed pieces and the open one.
class RecentConfidences {
 public:
  explicit RecentConfidences(int windows) : windows_(windows) {}
  void merge(const ConfidenceHistogram& piece);  // into the open piece
  void close();                                  // starts a new piece; forgets the oldest over `windows`
  ConfidenceHistogram recent() const;

 private:
  int windows_;
  std::vector<ConfidenceHistogram> pieces_{1};
};

}  // namespace oree
