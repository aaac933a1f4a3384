// SPDX-License-Identifier: Apache-2.0
// What bench measures beside latency: the machine's heat and clock meanwhile, the drift between rounds, and energy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "model/eval/energy.h"
#include "model/eval/measure.h"
#include "model/eval/target.h"
#include "model/eval/thermal.h"

namespace oree::cli {

// Reads the sensors at most five times a second, however short the rounds are.
class ThermalWatch {
 public:
  explicit ThermalWatch(const Ports& ports);  // takes the first reading, before the load
  void look();
  const SystemReading& before() const { return before_; }
  const ThermalLog& log() const { return log_; }

 private:
  Ports ports_;
  SystemReading before_;
  ThermalLog log_;
  int64_t next_ns_ = 0;
};

// Rounds as correct_drift() takes them, in the order of `results`.
DriftCorrection drift_of(const std::vector<Measurement>& results);
// Whether people should be told: two candidates or more, and a tenth of the rounds 5 % slower than the median one.
bool drifted(const std::vector<Measurement>& results, const DriftCorrection& drift);

struct EnergyOptions {
  bool wanted = false;
  std::string power_meter;  // "": the target's own
  double seconds = 2;       // of a window
};
Status check_energy_options(const EnergyOptions& options);
// One estimate a measurement, in their order; a refused one has "not measurable" too.
std::vector<EnergyEstimate> measure_energies(Target& target, const EnergyOptions& options,
                                             const std::vector<Measurement>& results, const MeasurePlan& plan,
                                             ThermalWatch& watch);
// What stands below the table: the method and what it covers, and why some could not be measured.
std::string energy_notes(const std::vector<EnergyEstimate>& energies);

}  // namespace oree::cli
