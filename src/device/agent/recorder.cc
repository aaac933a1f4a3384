// SPDX-License-Identifier: Apache-2.0
#include "device/agent/recorder.h"

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"

namespace oree {

Result<TelemetryRecorder> TelemetryRecorder::open(Files& files, RecorderOptions options, int64_t monotonic_ms,
                                                  int64_t wall_ms) {
  OREE_TRY_ASSIGN(TelemetrySpool spool,
                  TelemetrySpool::open(files, path_join(options.data, "telemetry"), options.spool_bytes_max));
  TelemetryRecorder recorder(files, std::move(options), std::move(spool));
  // A full disk must not keep the agent from starting: the checkpoint stays and is taken over next time.
  if (auto s = recorder.adopt_checkpoint(); !s.ok()) log_warn("telemetry", s.error().message());
  recorder.begin(monotonic_ms, wall_ms);
  return recorder;
}

Status TelemetryRecorder::adopt_checkpoint() {
  auto bytes = files_->read(checkpoint_path(), kTelemetryReportBytesMax);
  if (!bytes.ok() && bytes.error().code() == Code::kNotFound) return {};
  auto json = bytes.ok() ? Json::parse(as_text(*bytes)) : Result<Json>(bytes.error());
  auto report = json.ok() ? report_from_json(*json) : Result<Report>(json.error());
  if (report.ok()) {
    // Killed between the spool's write and the removal of the checkpoint: the closed report may still be waiting. If it
    // has been sent meanwhile, the server knows the identity and counts nothing twice.
    if (!spool_.holds(report->boot_id, report->seq)) OREE_TRY(spool_.put(*report));
  } else {
    log_warn("telemetry", "the open interval of the last run is unreadable and dropped: " + report.error().message());
  }
  return files_->remove(checkpoint_path());
}

void TelemetryRecorder::begin(int64_t monotonic_ms, int64_t wall_ms) {
  open_ = Report{};
  open_.boot_id = options_.boot_id;
  open_.seq = ++seq_;
  open_.start_ms = wall_ms;
  opened_ms_ = checkpoint_ms_ = monotonic_ms;
}

void TelemetryRecorder::add(const std::string& model, const std::string& version, const std::string& digest,
                            const AppStats& stats) {
  auto at = std::find_if(open_.models.begin(), open_.models.end(),
                         [&](const ModelReport& m) { return m.bundle_digest == digest; });
  if (at == open_.models.end()) {
    if (open_.models.size() >= 2 * kReportModelsMax) {
      // So many models within one interval, and the disk too full to close it.
      log_warn("telemetry", "statistics of version " + version + " are dropped: the open interval is full");
      return;
    }
    open_.models.push_back({});
    at = open_.models.end() - 1;
    at->model = model;
    at->version = version;
    at->bundle_digest = digest;
  }
  at->predictions += stats.predictions;
  at->frames_dropped += stats.frames_dropped;
  at->events += stats.events;
  at->confidence.merge(stats.confidence);
  at->latency_ms.merge(stats.latency_ms);
}

void TelemetryRecorder::set_drift(const std::string& digest, const DriftVerdict& drift) {
  for (ModelReport& model : open_.models) {
    if (model.bundle_digest == digest) model.drift = drift;
  }
}

bool TelemetryRecorder::checkpoint_due(int64_t monotonic_ms) const {
  return options_.checkpoint_ms > 0 && monotonic_ms - checkpoint_ms_ >= options_.checkpoint_ms;
}

Report TelemetryRecorder::snapshot(const RecorderMoment& moment) const {
  Report report = open_;
  // A clock that was set back meanwhile must not give an interval that ends before it began.
  report.end_ms = std::max(moment.wall_ms, report.start_ms);
  report.duration_ms = moment.monotonic_ms - opened_ms_;
  report.cpu_percent = moment.system.cpu_percent;
  report.memory_used_bytes = moment.system.memory_used_bytes;
  report.memory_total_bytes = moment.system.memory_total_bytes;
  report.temperature_celsius = moment.system.temperature_celsius;
  report.agent_rss_bytes = moment.agent_rss_bytes;
  report.app_rss_bytes = moment.app_rss_bytes;
  // The application's counter starts anew with each process.
  report.app_cpu_ms = moment.app_cpu_ms >= cpu_ms_before_ ? moment.app_cpu_ms - cpu_ms_before_ : moment.app_cpu_ms;
  return report;
}

Status TelemetryRecorder::close(const RecorderMoment& moment) {
  OREE_TRY(spool_.put(snapshot(moment)));
  if (checkpointed_) (void)files_->remove(checkpoint_path());  // if it stays, the server sees the same identity twice
  checkpointed_ = false;
  cpu_ms_before_ = moment.app_cpu_ms;
  begin(moment.monotonic_ms, moment.wall_ms);
  return {};
}

Status TelemetryRecorder::checkpoint(const RecorderMoment& moment) {
  checkpoint_ms_ = moment.monotonic_ms;
  if (open_.models.empty()) return {};  // nothing that could not be told again
  OREE_TRY(files_->write_atomic(checkpoint_path(), as_bytes(report_to_json(snapshot(moment)).dump())));
  checkpointed_ = true;
  return {};
}

}  // namespace oree
