// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats/drift.h"

#include <doctest/doctest.h>

#include <cmath>

#include "monitor/stats/test_values.h"

using namespace oree;

namespace {

// Confidences held for `held` samples each, as the frames of one track hold them.
std::vector<double> stream(uint64_t seed, int n, int held, double power) {
  std::vector<double> out;
  double value = 0;
  for (int i = 0; i < n; ++i) {
    if (i % held == 0) value = std::pow(next_unit(seed), power);
    out.push_back(value);
  }
  return out;
}

}  // namespace

TEST_CASE("the verdict keeps silent on few samples and grades the distance") {
  DriftReference reference;
  reference.histogram = confidences(stream(1, 5000, 1, 0.25));
  reference.warn = 0.04;
  CHECK(judge_drift(reference, confidences(stream(2, 99, 1, 0.25))).level == DriftLevel::kUnknown);
  CHECK(judge_drift(reference, confidences(stream(2, 2000, 1, 0.25))).level == DriftLevel::kNone);
  CHECK(judge_drift(reference, confidences(stream(2, 2000, 1, 0.4))).level == DriftLevel::kWarn);
  CHECK(judge_drift(reference, confidences(stream(2, 2000, 1, 1.0))).level == DriftLevel::kSevere);
}

TEST_CASE("the warn threshold of a correlated stream is wider, and keeps its false-alarm rate") {
  auto independent = stream(3, 20000, 1, 0.25);
  auto correlated = stream(3, 20000, 25, 0.25);
  double narrow = calibrate_warn(independent, 500, 100, 0.01, 7).value();
  double wide = calibrate_warn(correlated, 500, 100, 0.01, 7).value();
  CHECK(wide > 2 * narrow);

  auto fresh = stream(99, 200 * 500, 25, 0.25);
  DriftReference reference;
  reference.histogram = confidences(correlated);
  int alarms_wide = 0;
  int alarms_narrow = 0;
  for (int w = 0; w < 200; ++w) {
    auto window = confidences({fresh.begin() + w * 500, fresh.begin() + (w + 1) * 500});
    double distance = wasserstein(reference.histogram, window).value();
    alarms_wide += distance > wide;
    alarms_narrow += distance > narrow;
  }
  CHECK(alarms_wide <= 10);     // 1 % wanted, 5 % bounded: the blocks cut some tracks
  CHECK(alarms_narrow >= 100);  // what ignoring the correlation would have cost
}

TEST_CASE("calibration is the same on every run and refuses what it cannot use") {
  auto values = stream(5, 1000, 3, 0.5);
  CHECK(calibrate_warn(values, 100, 10, 0.01, 1).value() == calibrate_warn(values, 100, 10, 0.01, 1).value());
  CHECK(calibrate_warn({0.5, 0.6}, 100, 10, 0.01, 1).error().code() == Code::kInvalid);
  CHECK(calibrate_warn({0.5, std::nan("")}, 100, 1, 0.01, 1).error().code() == Code::kInvalid);
  CHECK(calibrate_warn(values, 0, 10, 0.01, 1).error().code() == Code::kUsage);
}

TEST_CASE("the recent picture forgets its oldest piece") {
  RecentConfidences recent(2);
  for (int i = 0; i < 5; ++i) {
    ConfidenceHistogram piece;
    piece.add(0.1 * i);
    recent.merge(piece);
    if (i < 4) recent.close();
  }
  CHECK(recent.recent().count() == 3);  // two closed pieces and the open one
  CHECK(recent.recent().bins()[static_cast<size_t>(0.4 * 256)] == 1);
  CHECK(recent.recent().bins()[static_cast<size_t>(0.1 * 256)] == 0);
}

TEST_CASE("a drift reference survives JSON and refuses nonsense") {
  DriftReference reference;
  reference.histogram = confidences(stream(1, 50, 1, 1));
  reference.warn = 0.07;
  auto back = drift_reference_from_json(Json::parse(drift_reference_to_json(reference).dump()).value());
  REQUIRE(back.ok());
  CHECK(back->histogram == reference.histogram);
  CHECK(back->warn == reference.warn);
  CHECK_FALSE(drift_reference_from_json(Json::parse("{}").value()).ok());
  CHECK_FALSE(drift_reference_from_json(drift_reference_to_json(DriftReference())).ok());
}
