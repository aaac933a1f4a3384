// SPDX-License-Identifier: Apache-2.0
// tune.lock: what a tune rests on and what it chose, so that it can be done again and told whether it still holds
// (docs/formats/tune.md). Written by tune(); read by `oree tune --lock`.
#pragma once

#include "optimize/tune/tune.h"

namespace oree {

Json tune_lock_to_json(const TuneResult& result);

struct TuneLock {
  TuneRequest request;                        // all but out_dir, cache_dir and worker
  std::map<std::string, std::string> models;  // path -> digest
  std::string data_digest;
  std::string target;
  SystemIdentity machine;
  std::map<std::string, std::string> engines;  // name -> version
  std::optional<Candidate> chosen;
  double latency_ms_p50 = 0;
};
// kInvalid names the member that is wrong; kUnsupported: of another format.
Result<TuneLock> tune_lock_from_json(const Json& json);

// What is not as it was: another file under a model's name, other data, another engine, another machine; "" of nothing.
std::string lock_differences(const TuneLock& lock, const TuneResult& now);
// Did the same tune choose the same again, or what its measured rounds cannot tell from it? One sentence either way.
struct LockVerdict {
  bool holds = false;
  std::string text;
};
LockVerdict lock_verdict(const TuneLock& lock, const TuneResult& now);

}  // namespace oree
