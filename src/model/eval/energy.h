// SPDX-License-Identifier: Apache-2.0
// Joules of one inference. Windows of load alternate with idle windows; what the machine takes when idle is subtracted:
//
//   idle half | settle | load | settle | idle half     idle half | settle | load | settle | idle half     …
//             ^        ^ read ^        ^               \_ a pair: its idle watts are the mean of its own two halves
//
// A pair is symmetric in time, so a slow, steady drift of the idle power (a machine that warms up) cancels within it,
// and no two pairs share a reading, so that their spread says how sure the mean is. In the settling times the load
// begins or ends, and a sensor's own averaging catches up: they are in no window.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/power.h"
#include "model/eval/worker_client.h"

namespace oree {

struct EnergyPair {
  double load_watts = 0;  // all that the meter sees
  double idle_watts = 0;
  double inferences_per_s = 0;
  double load_joules = 0;  // of the whole load window: whether the counter moved
  int64_t inferences = 0;  // in it
};

struct EnergyEstimate {
  std::string method, covers;                 // of the meter
  std::optional<std::string> not_measurable;  // why there are no figures; what follows is then without meaning
  double joules_per_inference = 0;            // load less idle
  double low = 0, high = 0;                   // 95 % interval of that
  double load_watts = 0, idle_watts = 0;
  int64_t inferences = 0;  // in all load windows
  std::vector<EnergyPair> pairs;
  Json to_json() const;
  static Result<EnergyEstimate> from_json(const Json& json);  // kInvalid names the key
};
EnergyEstimate energy_not_measurable(std::string why);

inline constexpr int kEnergyPairsMin = 3;
inline constexpr int kEnergyPairsMax = 1000;

// The statistics alone. The interval is Student's t over the pairs, widened by what the counter's step can hide. There
// is no figure when the counter did not move under load, or when the interval is wider than the figure.
EnergyEstimate estimate_energy(const PowerMeterInfo& meter, std::span<const EnergyPair> pairs);

struct EnergyPlan {
  int pairs = 5;                // kEnergyPairsMin..kEnergyPairsMax
  double load_seconds = 2;      // of one window
  double idle_seconds = 2;      // both halves together
  double settle_seconds = 0.3;  // at least; twice a sampled meter's interval where that is longer
  std::function<void(int done, int total)> progress;
  std::function<void()> loaded;  // called when a load window has ended, before anything cools
};

// Runs the candidate back to back for about so long; how many inferences that were.
using EnergyLoad = std::function<Result<int64_t>(double seconds)>;

// Never an error: a meter or a load that fails makes it "not measurable", with the reason.
EnergyEstimate measure_energy(Clock& clock, PowerMeter& meter, const EnergyLoad& load, const EnergyPlan& plan);

// The same for a candidate in a worker of its own (measure.h), warmed up before. `input_npz` and `seed` as in
// MeasurePlan.
EnergyEstimate measure_candidate_energy(const Ports& ports, const WorkerSettings& settings, const Candidate& candidate,
                                        const std::string& input_npz, uint64_t seed, PowerMeter& meter,
                                        const EnergyPlan& plan);

// As one command, for a device that measures itself (worker.h): the load then runs in the worker's own process.
// `progress` and `loaded` do not travel.
Json energy_plan_to_json(const EnergyPlan& plan);
Result<EnergyPlan> energy_plan_from_json(const Json& json);
double energy_plan_seconds(const EnergyPlan& plan);  // about so long it takes, with a sensor of half a second

std::string energy_text(double joules);  // "12.3 mJ"

}  // namespace oree
