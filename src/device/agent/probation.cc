// SPDX-License-Identifier: Apache-2.0
#include "device/agent/probation.h"

#include <fmt/format.h>

#include <algorithm>

namespace oree {
namespace {

ProbationVerdict fail(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

}  // namespace

std::optional<ProbationVerdict> Probation::on(const AppEvent& event, int64_t now_ms) {
  switch (event.kind) {
    case AppEvent::kReady: ready_ms_ = now_ms; return std::nullopt;
    case AppEvent::kStats:
      seen_.predictions += event.stats.predictions;
      seen_.confidence.merge(event.stats.confidence);
      seen_.latency_ms.merge(event.stats.latency_ms);
      return std::nullopt;
    case AppEvent::kAlarm: return std::nullopt;
    case AppEvent::kCrashed:
      ready_ms_.reset();
      if (++crashes_ <= rules_.crashes_max) return std::nullopt;
      return fail("app_crashed", event.detail);
    case AppEvent::kHung: return fail("app_hung", event.detail);
    case AppEvent::kNotReady: return fail("app_not_ready", event.detail);
    case AppEvent::kStartFailed: return fail("app_start_failed", event.detail);
    case AppEvent::kFinished:
      // The end of a finite input: all that there was to watch has been seen.
      return judge();
  }
  return std::nullopt;
}

std::optional<ProbationVerdict> Probation::on_time(int64_t now_ms) {
  if (!ready_ms_) return std::nullopt;  // the supervisor's deadline for "ready" runs
  int64_t healthy_ms = now_ms - *ready_ms_;
  if (healthy_ms < rules_.watch_ms) return std::nullopt;
  if (seen_.predictions == 0 && healthy_ms < rules_.silence_ms) return std::nullopt;
  return judge();
}

ProbationVerdict Probation::judge() const {
  if (seen_.predictions == 0) return fail("app_silent", "the application gave no prediction");
  double p95 = seen_.latency_ms.quantile(0.95);
  if (rules_.latency_ms_p95_max > 0 && seen_.latency_ms.count() >= kProbationLatencySamplesMin &&
      p95 > rules_.latency_ms_p95_max) {
    return fail("app_latency",
                fmt::format("p95 of {:.1f} ms live, at most {:.1f} ms are allowed", p95, rules_.latency_ms_p95_max));
  }
  if (rules_.drift) {
    DriftVerdict drift = judge_drift(*rules_.drift, seen_.confidence);
    if (drift.level == DriftLevel::kSevere) {
      return fail("drift", fmt::format("confidences are {:.3f} from the reference over {} samples", drift.distance,
                                       drift.samples));
    }
  }
  return {true, "", ""};
}

}  // namespace oree
