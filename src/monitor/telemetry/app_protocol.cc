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
  OREE_TRY(json.get_ints({{"predictions", &out.predictions},
                          {"frames", &out.frames},
                          {"frames_dropped", &out.frames_dropped},
                          {"events", &out.events}},
                         0, kCountMax));
  OREE_TRY(read_histograms(json, out.confidence, out.latency_ms));
  return out;
}

}  // namespace oree
