// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): enough for a bootstrap, and the same numbers on every machine.
uint64_t next_random(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

const char* drift_level_name(DriftLevel level) {
  switch (level) {
    case DriftLevel::kUnknown: return "unknown";
    case DriftLevel::kNone: return "none";
    case DriftLevel::kWarn: return "warn";
    case DriftLevel::kSevere: return "severe";
  }
  return "unknown";
}

Json drift_reference_to_json(const DriftReference& reference) {
  return Json()
      .set("confidence", reference.histogram.to_json())
      .set("warn", reference.warn)
      .set("severe", reference.severe)
      .set("samples_min", reference.samples_min);
}

Result<DriftReference> drift_reference_from_json(const Json& json) {
  DriftReference out;
  OREE_TRY_ASSIGN(const Json* histogram, json.get_object("confidence"));
  OREE_TRY_ASSIGN(out.histogram, ConfidenceHistogram::from_json(*histogram));
  OREE_TRY_ASSIGN(out.warn, json.get_double("warn"));
  OREE_TRY_ASSIGN(out.severe, json.get_double("severe"));
  OREE_TRY_ASSIGN(out.samples_min, json.get_int("samples_min", 1, int64_t{1} << 40));
  if (out.warn < 0 || out.warn > 1 || out.severe < 0 || out.severe > 1) {
    return Error(Code::kInvalid, fmt::format("warn {} and severe {} must lie in 0..1", out.warn, out.severe));
  }
  if (out.histogram.count() == 0) return Error(Code::kInvalid, "the reference holds no confidences");
  return out;
}

Json drift_verdict_to_json(const DriftVerdict& verdict) {
  return Json()
      .set("level", drift_level_name(verdict.level))
      .set("distance", verdict.distance)
      .set("samples", verdict.samples);
}

DriftVerdict judge_drift(const DriftReference& reference, const ConfidenceHistogram& recent) {
  DriftVerdict verdict;
  verdict.samples = recent.count();
  if (recent.count() < reference.samples_min) return verdict;
  auto distance = wasserstein(reference.histogram, recent);
  if (!distance.ok()) return verdict;
  verdict.distance = *distance;
  verdict.level = *distance > reference.severe ? DriftLevel::kSevere
                  : *distance > reference.warn ? DriftLevel::kWarn
                                               : DriftLevel::kNone;
  return verdict;
}

Result<double> calibrate_warn(const std::vector<double>& sequence, int64_t window, int64_t block, double false_alarm,
                              uint64_t seed) {
  auto size = static_cast<int64_t>(sequence.size());
  if (window < 1 || block < 1 || !(false_alarm > 0 && false_alarm < 1)) {
    return Error(Code::kUsage, "window and block must be at least 1 and the false-alarm rate between 0 and 1");
  }
  if (size < 2 * block) {
    return Error(Code::kInvalid,
                 fmt::format("{} reference samples are too few for blocks of {}: at least {} are needed", size, block,
                             2 * block));
  }
  ConfidenceHistogram all;
  for (double confidence : sequence) {
    if (!std::isfinite(confidence))
      return Error(Code::kInvalid, "the reference confidences hold a value that is not finite");
    all.add(confidence);
  }
  // Enough windows that the wanted quantile has at least ten of them above it.
  auto windows = static_cast<int64_t>(std::clamp(std::ceil(10 / false_alarm), 1000.0, 100000.0));
  std::vector<double> distances;
  distances.reserve(static_cast<size_t>(windows));
  uint64_t state = seed;
  for (int64_t w = 0; w < windows; ++w) {
    ConfidenceHistogram drawn;
    while (drawn.count() < window) {
      auto start = static_cast<int64_t>(next_random(state) % static_cast<uint64_t>(size - block + 1));
      int64_t take = std::min(block, window - drawn.count());
      for (int64_t i = 0; i < take; ++i) drawn.add(sequence[static_cast<size_t>(start + i)]);
    }
    OREE_TRY_ASSIGN(double distance, wasserstein(all, drawn));
    distances.push_back(distance);
  }
  std::sort(distances.begin(), distances.end());
  auto rank = static_cast<int64_t>(std::ceil((1 - false_alarm) * static_cast<double>(windows))) - 1;
  return distances[static_cast<size_t>(std::clamp<int64_t>(rank, 0, windows - 1))];
}

void RecentConfidences::merge(const ConfidenceHistogram& piece) { pieces_.back().merge(piece); }

void RecentConfidences::close() {
  pieces_.emplace_back();
  if (pieces_.size() > static_cast<size_t>(windows_) + 1) pieces_.erase(pieces_.begin());
}

ConfidenceHistogram RecentConfidences::recent() const {
  ConfidenceHistogram all;
  for (const auto& piece : pieces_) all.merge(piece);
  return all;
}

}  // namespace oree
