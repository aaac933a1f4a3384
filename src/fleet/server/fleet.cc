// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "fleet/server/schema.h"

namespace oree {
namespace {

constexpr int64_t kIntervalDefaultMs = 300'000;
constexpr int64_t kSilentIntervals = 3;
constexpr int64_t kSilentFloorMs = 15'000;
constexpr double kTemperatureHysteresis = 5;

std::string subject_of(const ModelReport& model) { return model.model + "@" + model.version; }

// The device's own verdict; where it has none, ours over its last hour against the release's reference.
Result<DriftVerdict> verdict_of(Fleet& fleet, const std::string& device, const ModelReport& model) {
  if (model.drift.level != DriftLevel::kUnknown) return model.drift;
  OREE_TRY_ASSIGN(auto reference, fleet.releases.reference(model.model, model.version));
  if (!reference) return model.drift;
  OREE_TRY_ASSIGN(auto window, fleet.reports.window(device));
  const ModelWindow* recent = window->find(model.model, model.version);
  return recent ? judge_drift(*reference, recent->confidence) : model.drift;
}

Status judge_drift_of(Fleet& fleet, const std::string& device, const ModelReport& model, int64_t now_ms) {
  OREE_TRY_ASSIGN(DriftVerdict verdict, verdict_of(fleet, device, model));
  if (verdict.level == DriftLevel::kNone) return fleet.alerts.resolve(device, kAlertDrift, subject_of(model), now_ms);
  if (verdict.level != DriftLevel::kSevere) return {};
  std::string detail = fmt::format("confidences of {} {} are {:.3f} away from the reference (limit {:.2f}, {} samples)",
                                   model.model, model.version, verdict.distance, kDriftSevere, verdict.samples);
  OREE_TRY_ASSIGN(auto opened, fleet.alerts.raise(device, kAlertDrift, subject_of(model), detail, now_ms));
  if (!opened) return {};
  log_warn("fleet", "device " + device + ": " + detail);
  RetrainRequest request;
  request.alert_id = *opened;
  request.device_id = device;
  request.model = model.model;
  request.version = model.version;
  request.distance = verdict.distance;
  request.samples = verdict.samples;
  request.created_ms = now_ms;
  return fleet.alerts.request_retrain(request);
}

Status judge_temperature(Fleet& fleet, const std::string& device, const Report& report, int64_t now_ms) {
  if (!report.temperature_celsius) return {};
  double limit = fleet.options.temperature_alert_celsius;
  if (*report.temperature_celsius < limit - kTemperatureHysteresis) {
    return fleet.alerts.resolve(device, kAlertTemperature, "", now_ms);
  }
  if (*report.temperature_celsius < limit) return {};
  OREE_TRY(fleet.alerts.raise(device, kAlertTemperature, "",
                              fmt::format("{:.1f} °C, the limit is {:.1f} °C", *report.temperature_celsius, limit),
                              now_ms));
  return {};
}

}  // namespace

Fleet::Fleet(Database& db, Files& f, Clock& c, Random& random, const FleetOptions& o)
    : database(db),
      files(f),
      clock(c),
      options(o),
      operator_hash(token_hash(o.operator_token)),
      blobs(f, random, o.data_folder),
      collector(db, blobs, c, o.blob_grace_ms),
      releases(db),
      devices(db, random),
      alerts(db),
      reports(db),
      limiter(c) {
  options.operator_token.clear();
}

Status Fleet::open() {
  started_ms = clock.wall_ms();
  OREE_TRY(migrate_fleet(database));
  OREE_TRY(blobs.open());
  return devices.open();
}

int64_t Fleet::silent_after_ms(const Device& device) const {
  if (options.silent_after_ms > 0) return options.silent_after_ms;
  int64_t interval = device.interval_ms > 0 ? device.interval_ms : kIntervalDefaultMs;
  return std::max(kSilentFloorMs, kSilentIntervals * interval);
}

bool Fleet::is_silent(const Device& device, int64_t now_ms) const {
  if (!device.last_seen_ms) return false;
  return now_ms - std::max(*device.last_seen_ms, started_ms) > silent_after_ms(device);
}

Result<bool> accept_report(Fleet& fleet, const std::string& device, const Report& report, int64_t now_ms) {
  bool fresh = false;
  Status done = fleet.database.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(fresh, fleet.reports.add(device, report, now_ms));
    if (!fresh) return {};
    // A backlog tells of the past; only what is current may speak for the device now.
    OREE_TRY_ASSIGN(int64_t newest_ms, fleet.reports.newest_ms(device));
    int64_t interval = std::clamp<int64_t>(report.duration_ms / report.merged_reports, 1000, 86'400'000);
    OREE_TRY(fleet.devices.set_interval(device, interval));
    if (newest_ms > report.end_ms && newest_ms - report.end_ms < 86'400'000) return {};
    for (const ModelReport& model : report.models) OREE_TRY(judge_drift_of(fleet, device, model, now_ms));
    return judge_temperature(fleet, device, report, now_ms);
  });
  if (!done.ok()) {
    fleet.reports.forget(device);  // a window merged from rows that were rolled back
    return done.error();
  }
  return fresh;
}

Status accept_status(Fleet& fleet, const std::string& device, const DeviceStatus& status, int64_t now_ms) {
  return fleet.database.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(bool news, fleet.devices.set_status(device, status, now_ms));
    if (!news) return {};
    std::string text = fmt::format("update to {} {}", status.update_version, status.update_outcome);
    if (!status.update_reason.empty()) text += " (" + status.update_reason + ")";
    if (!status.update_detail.empty()) text += ": " + status.update_detail;
    log_info("fleet", "device " + device + ": " + text);
    if (status.update_outcome == "committed") return fleet.alerts.resolve(device, kAlertUpdate, "", now_ms);
    OREE_TRY(fleet.alerts.raise(device, kAlertUpdate, "", text, now_ms));
    return {};
  });
}

Status heard(Fleet& fleet, const std::string& device, int64_t now_ms) {
  fleet.devices.touch(device, now_ms);
  return fleet.alerts.resolve(device, kAlertSilent, "", now_ms);
}

Status watch_silence(Fleet& fleet, int64_t now_ms) {
  OREE_TRY_ASSIGN(auto devices, fleet.devices.list("", kFleetDevicesMax));
  OREE_TRY_ASSIGN(auto rows, fleet.database.query("SELECT device_id FROM alerts WHERE kind = ? AND state <> 'resolved'",
                                                  {std::string(kAlertSilent)}));
  std::vector<std::string> known = from_rows(rows, [](const DbRow& row) { return row.text(0); });
  std::sort(known.begin(), known.end());
  for (const Device& device : devices) {
    if (!fleet.is_silent(device, now_ms) || std::binary_search(known.begin(), known.end(), device.id)) continue;
    std::string detail = fmt::format("nothing heard for {} s (limit {} s)", (now_ms - *device.last_seen_ms) / 1000,
                                     fleet.silent_after_ms(device) / 1000);
    OREE_TRY(fleet.alerts.raise(device.id, kAlertSilent, "", detail, now_ms));
    log_warn("fleet", "device " + device.id + ": " + detail);
  }
  return {};
}

}  // namespace oree
