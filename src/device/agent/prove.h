// SPDX-License-Identifier: Apache-2.0
// The proof of an unpacked bundle on this device. prove_bundle() is the child's side (`oree-agent prove`): it alone
// loads an inference engine. Prover is the agent's side: it starts that child and outlives whatever the engine does to
// it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/codec/json.h"
#include "core/io/clock.h"
#include "core/io/files.h"
#include "core/io/process.h"
#include "device/agent/journal.h"
#include "model/runtime/backend.h"

namespace oree {

struct Proof {
  bool passed = false;
  // "" when passed; else "golden_mismatch", "latency", "memory", "runtime_missing", "incompatible", "invalid_bundle",
  // "prove_crashed", "prove_timeout", "prove_failed"
  std::string reason, detail;
  double latency_ms_p95 = 0;
  int64_t rss_bytes_peak = 0;
  double relative_error = 0, cosine = 1;  // of the worst tensor
  bool transient = false;                 // the child could not be started: try again later
  Remedy remedy;                          // of a verdict on the engine; else empty
};
Json proof_to_json(const Proof& proof);
Result<Proof> proof_from_json(const Json& json);

// Gives the engine of that name; kUnsupported when there is none of it. A function, so that tests bring their own.
using FindBackend = std::function<Result<Backend*>(const std::string& name)>;

// Runs every golden sample, then measures. Never an Error: whatever goes wrong is the verdict.
Proof prove_bundle(Clock& clock, Files& files, Processes& processes, const FindBackend& find,
                   const std::string& folder);

// Only looks which engine is here: passed, or "runtime_missing". `remedy` is what was found, in both cases.
Proof look_at_runtime(const FindBackend& find, const std::string& name);

class Prover {
 public:
  Prover(Clock& clock, Processes& processes, int64_t timeout_ms)
      : clock_(clock), processes_(processes), timeout_ms_(timeout_ms) {}
  void start(const std::string& folder, int64_t memory_bytes_max, int nice);  // ends a proof that runs
  void start_look(const std::string& runtime);                                // look_at_runtime() in a child
  bool running() const { return child_ != nullptr || early_.has_value(); }
  void cancel();
  // A verdict once, when there is one. Never waits.
  std::optional<Proof> poll();

 private:
  void spawn(const std::string& option, const std::string& value, int64_t memory_bytes_max, int nice);
  Clock& clock_;
  Processes& processes_;
  int64_t timeout_ms_;
  std::unique_ptr<Process> child_;
  std::optional<Proof> early_;  // the child did not even start
  int64_t started_ns_ = 0, memory_bytes_max_ = 0;
  std::string output_;
};

}  // namespace oree
