// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_state.h"

#include <fmt/format.h>

#include <set>

#include "cli/power_options.h"

namespace oree::cli {
namespace {

constexpr int64_t kLookNs = 200'000'000;
constexpr double kWindowSecondsMax = 600;

}  // namespace

ThermalWatch::ThermalWatch(const Ports& ports) : ports_(ports), before_(ports.sensors->read()) {
  log_.add(before_, ports_.clock->monotonic_ns(), false);
}

void ThermalWatch::look() {
  int64_t now = ports_.clock->monotonic_ns();
  if (now < next_ns_) return;
  next_ns_ = now + kLookNs;
  log_.add(ports_.sensors->read(), now);
}

DriftCorrection drift_of(const std::vector<Measurement>& results) {
  RoundMedians rounds;
  // Rounds are in order from the first, and who is refused takes no further ones.
  for (const Measurement& m : results) rounds.emplace_back(m.round_p50_ms.begin(), m.round_p50_ms.end());
  return correct_drift(rounds);
}

bool drifted(const std::vector<Measurement>& results, const DriftCorrection& drift) {
  int measured = 0;
  for (const Measurement& m : results) measured += m.round_p50_ms.empty() ? 0 : 1;
  return measured > 1 && drift.slow_share >= 0.1;
}

Status check_energy_options(const EnergyOptions& options) {
  if (options.seconds >= 0.2 && options.seconds <= kWindowSecondsMax) return {};
  return Error(Code::kUsage,
               fmt::format("--energy-seconds: expected 0.2 to {}, found {}", kWindowSecondsMax, options.seconds));
}

std::vector<EnergyEstimate> measure_energies(Target& target, const EnergyOptions& options,
                                             const std::vector<Measurement>& results, const MeasurePlan& plan,
                                             ThermalWatch& watch) {
  const std::string& name = options.power_meter;
  const Result<std::string> meter = target.meter(name);
  EnergyPlan windows;
  windows.load_seconds = windows.idle_seconds = options.seconds;
  windows.loaded = [&] { watch.look(); };
  Progress bar("energy", static_cast<int64_t>(results.size()) * windows.pairs);
  int64_t before = 0;
  windows.progress = [&](int done, int) { bar.update(before + done); };
  std::vector<EnergyEstimate> energies;
  for (const Measurement& m : results) {
    if (m.refused) {
      energies.push_back(energy_not_measurable("refused"));
    } else if (!meter.ok()) {
      energies.push_back(energy_not_measurable(meter.error().message() +
                                               (name.empty() ? "; --power-meter names an external meter" : "")));
    } else {
      energies.push_back(target.energy({}, m.candidate, plan.input_npz, plan.seed, name, windows));
    }
    before += windows.pairs;
  }
  return energies;
}

std::string energy_notes(const std::vector<EnergyEstimate>& energies) {
  std::string text;
  std::set<std::string> said{"refused"};
  for (const EnergyEstimate& e : energies) {
    if (!e.method.empty() && said.insert(e.method).second)
      text += fmt::format("Energy: {}; covers: {}; idle power subtracted.\n", e.method, e.covers);
    if (e.not_measurable && said.insert(*e.not_measurable).second)
      text += fmt::format("Energy not measurable: {}\n", *e.not_measurable);
  }
  return text;
}

}  // namespace oree::cli
