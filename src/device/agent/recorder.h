// SPDX-License-Identifier: Apache-2.0
// TelemetryRecorder: gathers what application and machine say over an interval, puts each closed interval on disk, and
// gives out batches to send. The open interval is put on disk from time to time too, so that a kill loses little.
// Counts are neither lost nor doubled: a checkpoint carries the very identity that its interval will be closed under.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "core/io/process.h"
#include "core/io/sensors.h"
#include "monitor/telemetry/app_protocol.h"
#include "monitor/telemetry/spool.h"

namespace oree {

inline constexpr int kTelemetryBatchReports = 32;  // sent in one request; the rest follows at once
inline constexpr size_t kReportModelsMax = 8;      // models in one interval; then it is closed early

struct RecorderOptions {
  std::string data;
  std::string boot_id;
  int64_t interval_ms = 300'000;
  int64_t checkpoint_ms = 30'000;
  int64_t spool_bytes_max = 16 << 20;
};

struct RecorderMoment {  // read by the caller, now
  int64_t monotonic_ms = 0, wall_ms = 0;
  SystemReading system;
  int64_t agent_rss_bytes = 0, app_rss_bytes = 0, app_cpu_ms = 0;
};

class TelemetryRecorder {
 public:
  // Takes over what an earlier process left open.
  static Result<TelemetryRecorder> open(Files& files, RecorderOptions options, int64_t monotonic_ms, int64_t wall_ms);

  void add(const std::string& model, const std::string& version, const std::string& digest, const AppStats& stats);
  void set_drift(const std::string& digest, const DriftVerdict& drift);
  void count_restart() { ++open_.app_restarts; }

  bool close_due(int64_t monotonic_ms) const {
    return monotonic_ms - opened_ms_ >= options_.interval_ms || open_.models.size() >= kReportModelsMax;
  }
  bool checkpoint_due(int64_t monotonic_ms) const;
  // On an error (full disk) the interval stays open and goes on counting.
  Status close(const RecorderMoment& moment);
  Status checkpoint(const RecorderMoment& moment);

  Result<std::vector<Report>> batch() { return spool_.peek(kTelemetryBatchReports); }
  Status acknowledge(const std::string& boot_id, int64_t seq) { return spool_.acknowledge(boot_id, seq); }
  int64_t pending() const { return spool_.pending(); }

 private:
  TelemetryRecorder(Files& files, RecorderOptions options, TelemetrySpool spool)
      : files_(&files), options_(std::move(options)), spool_(std::move(spool)) {}
  std::string checkpoint_path() const { return path_join(options_.data, "telemetry-open.json"); }
  Status adopt_checkpoint();
  void begin(int64_t monotonic_ms, int64_t wall_ms);
  Report snapshot(const RecorderMoment& moment) const;

  Files* files_;
  RecorderOptions options_;
  TelemetrySpool spool_;
  Report open_;
  int64_t seq_ = 0;
  int64_t opened_ms_ = 0, checkpoint_ms_ = 0, cpu_ms_before_ = 0;
  bool checkpointed_ = false;
};

}  // namespace oree
