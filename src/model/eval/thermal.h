// SPDX-License-Identifier: Apache-2.0
// A machine that gets hot gets slower: what was seen of that during a measurement, and figures corrected for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/sensors.h"

namespace oree {

struct ThermalReading {
  int64_t time_ns = 0;  // monotonic
  std::optional<double> temperature_celsius;
  std::optional<double> mhz;  // of the fastest policy: the one that computes
  std::optional<bool> throttled;
  std::optional<double> load_1min;
};

// Readings of one measurement. Memory is bounded: at kThermalReadingsMax every other one is dropped, and only each
// second, fourth … kept from then on; the summary still knows all.
class ThermalLog {
 public:
  // computing: the measured load runs, or ran a moment ago. An idle CPU clocks down for another reason, so the
  // frequency of a reading without is not counted.
  void add(const SystemReading& reading, int64_t time_ns, bool computing = true);
  const std::vector<ThermalReading>& readings() const { return readings_; }

  struct Summary {
    int64_t count = 0;
    double seconds = 0;  // from the first to the last
    std::optional<double> celsius_start, celsius_max, celsius_end;
    std::optional<double> mhz_max, mhz_min;
    std::optional<bool> throttled;         // whether any reading said so; absent when none could tell
    double throttled_share = 0;            // of those that could
    std::optional<double> frequency_drop;  // 1 - mhz_min / mhz_max
    std::string governors;                 // "performance"; several with commas
  };
  Summary summary() const { return summary_; }
  Json to_json() const;      // summary and readings
  std::string text() const;  // one line, "" when nothing could be read

 private:
  std::vector<ThermalReading> readings_;
  Summary summary_;
  int64_t first_ns_ = 0;
  int64_t stride_ = 1;
  int64_t could_tell_ = 0, throttled_ = 0;
};
inline constexpr size_t kThermalReadingsMax = 1024;

// Rounds in which several candidates took their turns one after the other, by their medians: candidate c, round r.
// nullopt: the candidate was not in that round (dropped, or it came later).
using RoundMedians = std::vector<std::vector<std::optional<double>>>;

struct DriftCorrection {
  // How many times as slow as in the median round (the lower of the two middle ones, and those within 2 % of it)
  // everybody was in round r; nullopt where the rounds are not tied to the others by any candidate.
  std::vector<std::optional<double>> round_factor;
  std::vector<std::optional<double>>
      corrected;          // by candidate: its median as it were in that round; nullopt: no values
  double slowest = 1;     // the largest factor
  double slow_share = 0;  // of the rounds, those more than 5 % slower than the median one
};

// Estimates each candidate's own time t[c] and each round's factor f[r] in value[c][r] = t[c] * f[r] * noise, so that a
// candidate which ran only while the machine was slow is not blamed for it. Two-way fit in logarithms: least squares
// for the start, which joins candidates that share only some rounds, then medians in turn (Tukey's median polish),
// which a disturbed turn does not move. Values must be above 0. With one candidate alone its own noise is all there is:
// two or more make sense.
DriftCorrection correct_drift(const RoundMedians& medians);

}  // namespace oree
