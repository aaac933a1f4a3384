// SPDX-License-Identifier: Apache-2.0
// Which candidates there are, before anything runs; and the rule that picks one, after everything ran. Pure functions.
#pragma once

#include "model/runtime/registry.h"
#include "optimize/tune/search.h"

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

// Sets within_bounds, pareto and note of every candidate, and chosen and verdict of the result: the smallest by the
// goal of the final within all bounds. Values of the goal within kTuneTie of each other are a tie, which the p50, then
// the p95, then fewer threads decide.
void choose_candidate(TuneResult& result);

// Milliseconds for people, with as many digits as are worth it: "0.056", "3.41", "27.1".
std::string ms_text(double milliseconds);

// What a candidate is compared by: milliseconds, bytes.
double goal_value(TuneGoal goal, const TuneCandidate& candidate);

// Is its accuracy enough? "" when it is, else why not; `miss`: by what share, for the nearest misses.
std::string accuracy_shortfall(const TuneResult& result, const TuneCandidate& candidate, double* miss);

}  // namespace oree
