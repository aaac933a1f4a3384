// SPDX-License-Identifier: Apache-2.0
// Which candidates there are, before anything runs. Pure functions.
#pragma once

#include "model/runtime/registry.h"
#include "optimize/tune/tune.h"

namespace oree {

struct TuneMachine {
  std::vector<RuntimeInfo> runtimes;  // every backend, available or not
  std::vector<ModelFormat> formats;   // of request.models, in their order
  int cores = 1;
  std::vector<CoreGroup> core_groups;  // the fastest first
};

// 1, 2, 4 … and the number of cores itself.
std::vector<int> default_threads(int cores);

// Ordered by model, runtime, provider, precision, threads. What cannot run is there once, with its reason, not once for
// every thread count. kUsage on a runtime or precision that does not exist.
Result<std::vector<TuneCandidate>> plan_candidates(const TuneRequest& request, const TuneMachine& machine);

}  // namespace oree
