// SPDX-License-Identifier: Apache-2.0
// Probation judges a freshly switched model by what its application says on live data. Pure: events and times in, a
// verdict out. Silence is failure.
#pragma once

#include <optional>
#include <string>

#include "device/agent/supervisor.h"
#include "monitor/stats/drift.h"

namespace oree {

inline constexpr int64_t kProbationLatencySamplesMin = 30;

struct ProbationRules {
  int64_t watch_ms = 60'000;    // of healthy running, from the last "ready"
  int64_t silence_ms = 30'000;  // no prediction for so long (and watch_ms) after "ready" fails
  int crashes_max = 0;
  double latency_ms_p95_max = 0;        // 0: not judged
  std::optional<DriftReference> drift;  // absent: not judged
};

struct ProbationVerdict {
  bool passed = false;
  std::string reason, detail;
};

class Probation {
 public:
  explicit Probation(const ProbationRules& rules) : rules_(rules) {}
  // nullopt: go on watching.
  std::optional<ProbationVerdict> on(const AppEvent& event, int64_t now_ms);
  std::optional<ProbationVerdict> on_time(int64_t now_ms);

 private:
  ProbationVerdict judge() const;
  ProbationRules rules_;
  std::optional<int64_t> ready_ms_;
  int crashes_ = 0;
  AppStats seen_;
};

}  // namespace oree
