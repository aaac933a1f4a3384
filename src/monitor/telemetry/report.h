// SPDX-License-Identifier: Apache-2.0
// Report: what a device tells about one stretch of time. Sent by the agent, stored by the server. Idempotent by
// (device, boot_id, seq): a report that arrives twice counts once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "monitor/stats/drift.h"
#include "monitor/stats/histogram.h"

namespace oree {

struct ModelReport {
  std::string model;  // name in the manifest
  std::string version;
  std::string bundle_digest;  // sha256 hex: every number is attributable to the exact bytes
  int64_t predictions = 0;    // results given (frames inferred) in the stretch
  int64_t frames_dropped = 0;
  int64_t events = 0;               // alarms raised
  ConfidenceHistogram confidence;   // one sample per track
  ExponentialHistogram latency_ms;  // frame to decision
  DriftVerdict drift;               // on the device, over its recent windows
};

struct Report {
  std::string boot_id;               // of the agent process: random at each start, so seq may begin at 1
  int64_t seq = 0;                   // 1, 2, 3 … per boot_id
  int64_t start_ms = 0, end_ms = 0;  // device wall clock (may be wrong)
  int64_t duration_ms = 0;           // by the monotonic clock
  int64_t merged_reports = 1;  // >1: this many were merged when the spool was full; counts are kept, resolution is lost
  std::optional<double> cpu_percent;  // of the whole machine
  std::optional<int64_t> memory_used_bytes, memory_total_bytes;
  std::optional<double> temperature_celsius;  // absent is said as absent, never as 0
  int64_t agent_rss_bytes = 0, app_rss_bytes = 0, app_cpu_ms = 0;
  int64_t app_restarts = 0;
  std::vector<ModelReport> models;
};

Json report_to_json(const Report& report);
Result<Report> report_from_json(const Json& json);  // kInvalid; bounded by kTelemetryReportBytesMax at the caller
// Two neighbouring reports as one: counts and histograms add, gauges are weighted by duration, seq is the later.
Report merge_reports(const Report& earlier, const Report& later);

}  // namespace oree
