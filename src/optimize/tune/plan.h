// SPDX-License-Identifier: Apache-2.0
// Which candidates there are, before anything runs; and the rule that picks one, after everything ran. Pure functions.
#pragma once

#include "model/runtime/registry.h"
#include "optimize/tune/tune.h"

namespace oree {

struct TuneMachine {
  std::vector<RuntimeInfo> runtimes;  // every backend, available or not
  std::vector<ModelFormat> formats;   // of request.models, in their order
  int cores = 1;
};

// 1, 2, 4 … and the number of cores itself.
std::vector<int> default_threads(int cores);

// Ordered by model, runtime, provider, precision, threads. What cannot run is there once, with its reason, not once for
// every thread count. kUsage on a runtime or precision that does not exist.
Result<std::vector<TuneCandidate>> plan_candidates(const TuneRequest& request, const TuneMachine& machine);

// Sets within_bounds and note of every candidate, and chosen and verdict of the result: the smallest p50 of the final
// within all bounds; medians within kTuneTie of each other are a tie, which the p95, then fewer threads decide.
void choose_candidate(TuneResult& result);
inline constexpr double kTuneTie = 0.01;

// For MeasurePlan::drop: candidates that were at least kTuneSlower slower than the leader in every one of at least
// kTuneRoundsMin paired rounds (by chance: under 2 %). `keep` are never dropped; the leader is among `eligible`.
std::vector<std::pair<size_t, Error>> clearly_slower(const std::vector<Measurement>& so_far,
                                                     const std::vector<bool>& eligible, const std::vector<bool>& keep);
inline constexpr double kTuneSlower = 1.05;
inline constexpr size_t kTuneRoundsMin = 6;

}  // namespace oree
