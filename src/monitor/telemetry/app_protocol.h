// SPDX-License-Identifier: Apache-2.0
// What the supervised application tells its agent: one JSON object a line on the file descriptor that the environment
// variable OREE_AGENT_FD names (no variable: nothing is told, the application runs by itself).
// The application finds its bundle, already verified and unpacked, in the folder OREE_BUNDLE_DIR.
//
//   {"type":"ready","model":…,"version":…}       the model is loaded, results will follow
//   {"type":"stats", …AppStats}                  every few seconds; counts since the previous one. It is the heartbeat.
//   {"type":"event","event":{…}}                 an alarm, as the application stored it
//   {"type":"done"}                              a finite input (a file) came to its end; exit status 0 follows
#pragma once

#include "core/codec/json.h"
#include "monitor/stats/histogram.h"

namespace oree {

inline constexpr int64_t kAppStatsIntervalMs = 1000;

struct AppStats {
  int64_t predictions = 0, frames = 0, frames_dropped = 0, events = 0;
  ConfidenceHistogram confidence;   // one sample per track
  ExponentialHistogram latency_ms;  // frame to decision
};
Json app_stats_to_json(const AppStats& stats);
Result<AppStats> app_stats_from_json(const Json& json);

}  // namespace oree
