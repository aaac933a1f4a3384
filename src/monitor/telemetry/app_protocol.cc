// SPDX-License-Identifier: Apache-2.0
#include "monitor/telemetry/app_protocol.h"

namespace oree {

Json app_stats_to_json(const AppStats& stats) {
  return Json()
      .set("type", "stats")
      .set("predictions", stats.predictions)
      .set("frames", stats.frames)
      .set("frames_dropped", stats.frames_dropped)
      .set("events", stats.events)
      .set("confidence", stats.confidence.to_json())
      .set("latency_ms", stats.latency_ms.to_json());
}

Result<AppStats> app_stats_from_json(const Json& json) {
  constexpr int64_t kCountMax = int64_t{1} << 40;
  AppStats out;
  OREE_TRY_ASSIGN(out.predictions, json.get_int("predictions", 0, kCountMax));
  OREE_TRY_ASSIGN(out.frames, json.get_int("frames", 0, kCountMax));
  OREE_TRY_ASSIGN(out.frames_dropped, json.get_int("frames_dropped", 0, kCountMax));
  OREE_TRY_ASSIGN(out.events, json.get_int("events", 0, kCountMax));
  OREE_TRY_ASSIGN(const Json* confidence, json.get_object("confidence"));
  OREE_TRY_ASSIGN(out.confidence, ConfidenceHistogram::from_json(*confidence));
  OREE_TRY_ASSIGN(const Json* latency, json.get_object("latency_ms"));
  OREE_TRY_ASSIGN(out.latency_ms, ExponentialHistogram::from_json(*latency));
  return out;
}

}  // namespace oree
