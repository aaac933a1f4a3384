// SPDX-License-Identifier: Apache-2.0
#include "model/eval/thermal.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "model/eval/noise.h"

namespace oree {
namespace {

constexpr int kRounds = 30;

// 30 % slower from round 10 to 19.
double machine(int round) { return round >= 10 && round < 20 ? 1 / 0.7 : 1; }

// The medians of a candidate of `ms`, from round `from` to before `to`; noise of `percent` at most each way.
std::vector<std::optional<double>> rounds_of(double ms, int from, int to, SeededRandom& random, double percent,
                                             const std::function<double(int)>& drift = machine) {
  std::vector<std::optional<double>> row(kRounds);
  for (int r = from; r < to; ++r)
    row[static_cast<size_t>(r)] = ms * drift(r) * (1 + percent / 100 * (2 * random.unit() - 1));
  return row;
}

SystemReading state(double celsius, double mhz, bool throttled) {
  SystemReading reading;
  reading.temperature_celsius = celsius;
  reading.throttled = throttled;
  reading.load_1min = 1;
  reading.frequencies = {{"policy0", mhz / 2, 600, 2400, "schedutil"}, {"policy4", mhz, 600, 2400, "schedutil"}};
  return reading;
}

}  // namespace

TEST_CASE("a candidate that ran only while the machine was throttled is not blamed for it") {
  SeededRandom random(7);
  DriftCorrection d = correct_drift({rounds_of(10, 0, 30, random, 0), rounds_of(25, 0, 30, random, 0),
                                     rounds_of(8, 10, 20, random, 0), rounds_of(40, 0, 4, random, 0)});
  CHECK(d.corrected[0].value() == doctest::Approx(10).epsilon(1e-6));
  CHECK(d.corrected[1].value() == doctest::Approx(25).epsilon(1e-6));
  CHECK(d.corrected[2].value() == doctest::Approx(8).epsilon(1e-6));
  CHECK(d.corrected[3].value() == doctest::Approx(40).epsilon(1e-6));
  CHECK(d.slowest == doctest::Approx(1 / 0.7));
  CHECK(d.slow_share == doctest::Approx(1.0 / 3));
  for (int r = 0; r < kRounds; ++r)
    CHECK(d.round_factor[static_cast<size_t>(r)].value() == doctest::Approx(machine(r)).epsilon(1e-6));
}

TEST_CASE("with noise and disturbed turns the corrected medians stay within 1 %") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    RoundMedians medians{rounds_of(10, 0, 30, random, 1), rounds_of(25, 0, 30, random, 1),
                         rounds_of(12, 0, 30, random, 1), rounds_of(8, 10, 20, random, 1),
                         rounds_of(40, 0, 6, random, 1)};
    // Other work met single turns: three times as slow.
    for (int i = 0; i < 6; ++i) medians[random.below(3)][random.below(kRounds)].value() *= 3;
    DriftCorrection d = correct_drift(medians);
    CAPTURE(seed);
    double truth[] = {10, 25, 12, 8, 40};
    for (size_t c = 0; c < 5; ++c) CHECK(d.corrected[c].value() == doctest::Approx(truth[c]).epsilon(0.01));
  }
}

TEST_CASE("a slow, steady drift is followed, too") {
  SeededRandom random(5);
  auto creeping = [](int round) { return 1 + 0.02 * round; };
  DriftCorrection d =
      correct_drift({rounds_of(10, 0, 30, random, 0, creeping), rounds_of(5, 0, 30, random, 0, creeping),
                     rounds_of(7, 24, 30, random, 0, creeping)});
  // As it were in the median round, the 15th of 30.
  double there = creeping(14);
  CHECK(d.corrected[0].value() == doctest::Approx(10 * there).epsilon(0.002));
  CHECK(d.corrected[1].value() == doctest::Approx(5 * there).epsilon(0.002));
  CHECK(d.corrected[2].value() == doctest::Approx(7 * there).epsilon(0.002));
  CHECK(*d.corrected[2] / *d.corrected[0] == doctest::Approx(0.7).epsilon(1e-6));
}

TEST_CASE("candidates that share only some rounds are joined by those") {
  SeededRandom random(9);
  DriftCorrection d = correct_drift(
      {rounds_of(10, 0, 12, random, 0), rounds_of(20, 11, 21, random, 0), rounds_of(5, 20, 30, random, 0)});
  CHECK(d.corrected[0].value() == doctest::Approx(10).epsilon(0.01));
  CHECK(d.corrected[1].value() == doctest::Approx(20).epsilon(0.01));
  CHECK(d.corrected[2].value() == doctest::Approx(5).epsilon(0.01));
}

TEST_CASE("without drift nothing is corrected, and rounds that nothing ties to the rest are left out") {
  SeededRandom random(2);
  auto steady = [](int) { return 1.0; };
  DriftCorrection d = correct_drift({rounds_of(10, 0, 20, random, 0, steady), rounds_of(5, 25, 30, random, 0, steady)});
  CHECK(d.corrected[0].value() == doctest::Approx(10));
  CHECK_FALSE(d.corrected[1]);
  CHECK(d.round_factor[0].value() == doctest::Approx(1));
  CHECK_FALSE(d.round_factor[27]);
  CHECK(d.slowest == doctest::Approx(1));
  CHECK(d.slow_share == 0);
}

TEST_CASE("nothing, empty rows, zeros and one candidate are no trouble") {
  CHECK(correct_drift({}).corrected.empty());
  DriftCorrection d = correct_drift({{}, {std::nullopt, 0.0, -1.0}});
  CHECK_FALSE(d.corrected[0]);
  CHECK_FALSE(d.corrected[1]);
  d = correct_drift({{3.0, 1.0, 2.0}, {}});
  CHECK(d.corrected[0].value() == doctest::Approx(2));
  CHECK_FALSE(d.corrected[1]);
}

TEST_CASE("a log knows its start, its maximum, its end and how far the clock fell") {
  ThermalLog log;
  CHECK(log.text().empty());
  log.add(state(45, 600, false), 1'000'000'000, false);
  log.add(state(60, 2400, false), 2'000'000'000);
  log.add(state(85, 1500, true), 3'000'000'000);
  log.add(state(80, 1800, false), 5'000'000'000);
  ThermalLog::Summary s = log.summary();
  CHECK(s.count == 4);
  CHECK(s.seconds == 4);
  CHECK(s.celsius_start == 45.0);
  CHECK(s.celsius_max == 85.0);
  CHECK(s.celsius_end == 80.0);
  CHECK(s.mhz_max == 2400.0);
  CHECK(s.mhz_min == 1500.0);  // the idle reading's 600 do not count
  CHECK(s.frequency_drop.value() == doctest::Approx(0.375));
  CHECK(s.throttled == true);
  CHECK(s.throttled_share == 0.25);
  CHECK(s.governors == "schedutil");
  CHECK(log.text() ==
        "45 °C at the start, 85 at most, 80 at the end, 1500 to 2400 MHz, governor schedutil, throttled in 25 % of the "
        "readings");
  Json json = log.to_json();
  CHECK(json["celsius_max"].as_double() == 85);
  REQUIRE(json["readings"].items().size() == 4);
  CHECK(json["readings"].items()[3]["seconds"].as_double() == 4);
  CHECK(json["readings"].items()[0]["mhz"].is_null());
}

TEST_CASE("a machine that tells nothing has nulls, not zeros") {
  ThermalLog log;
  log.add({}, 1);
  log.add({}, 2);
  CHECK(log.text().empty());
  Json json = log.to_json();
  CHECK(json["count"].as_int() == 2);
  for (const char* key :
       {"celsius_start", "celsius_max", "celsius_end", "mhz_max", "mhz_min", "frequency_drop", "throttled"})
    CHECK(json[key].is_null());
}

TEST_CASE("a long log is thinned evenly, and its summary still knows all") {
  ThermalLog log;
  constexpr int kReadings = 10'000;
  for (int i = 0; i < kReadings; ++i) log.add(state(i == 7777 ? 99 : 50, 2400, i == 7777), int64_t{i} * 1'000'000'000);
  CHECK(log.readings().size() < kThermalReadingsMax);
  CHECK(log.readings().size() >= kThermalReadingsMax / 2);
  CHECK(log.summary().count == kReadings);
  CHECK(log.summary().celsius_max == 99.0);
  CHECK(log.summary().throttled == true);
  int64_t step = log.readings()[1].time_ns - log.readings()[0].time_ns;
  for (size_t i = 1; i < log.readings().size(); ++i)
    CHECK(log.readings()[i].time_ns - log.readings()[i - 1].time_ns == step);
}

}  // namespace oree
