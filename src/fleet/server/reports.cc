// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/reports.h"

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

constexpr int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr int64_t kRemovedAtOnce = 2000;

// When a report was made. A device's clock may be wrong by years: then the time of arrival has to do.
int64_t plausible_time(const Report& report, int64_t now_ms) {
  bool plausible = report.end_ms > now_ms - kFleetReportDaysMax * kDayMs && report.end_ms < now_ms + kDayMs;
  return plausible ? report.end_ms : now_ms;
}

void add_model(DeviceWindow& window, const ModelReport& piece, int64_t duration_ms) {
  auto same = [&](const ModelWindow& m) { return m.model == piece.model && m.version == piece.version; };
  auto found = std::find_if(window.models.begin(), window.models.end(), same);
  if (found == window.models.end()) {
    ModelWindow fresh;
    fresh.model = piece.model;
    fresh.version = piece.version;
    fresh.drift = piece.drift;
    window.models.push_back(std::move(fresh));
    found = std::prev(window.models.end());
  }
  found->predictions += piece.predictions;
  found->frames_dropped += piece.frames_dropped;
  found->events += piece.events;
  found->duration_ms += duration_ms;
  found->confidence.merge(piece.confidence);
  found->latency_ms.merge(piece.latency_ms);
}

void add_report(DeviceWindow& window, const Report& report, int64_t at_ms) {
  if (window.reports == 0) {
    window.newest_ms = at_ms;
    window.cpu_percent = report.cpu_percent;
    window.temperature_celsius = report.temperature_celsius;
    window.memory_used_bytes = report.memory_used_bytes;
    window.memory_total_bytes = report.memory_total_bytes;
    window.agent_rss_bytes = report.agent_rss_bytes;
    window.app_rss_bytes = report.app_rss_bytes;
  }
  ++window.reports;
  window.duration_ms += report.duration_ms;
  window.app_restarts += report.app_restarts;
  for (const ModelReport& piece : report.models) add_model(window, piece, report.duration_ms);
}

}  // namespace

const ModelWindow* DeviceWindow::find(const std::string& model, const std::string& version) const {
  for (const ModelWindow& m : models) {
    if (m.model == model && m.version == version) return &m;
  }
  return nullptr;
}

Result<bool> ReportStore::add(const std::string& device, const Report& report, int64_t now_ms) {
  OREE_TRY_ASSIGN(DbChange change, db_.exec("INSERT OR IGNORE INTO reports VALUES(?, ?, ?, ?, ?, ?, ?)",
                                            {device, report.boot_id, report.seq, plausible_time(report, now_ms), now_ms,
                                             report.duration_ms, report_to_json(report).dump()}));
  if (change.rows == 0) return false;
  forget(device);
  return true;
}

void ReportStore::forget(const std::string& device) {
  std::lock_guard lock(mutex_);
  Cached& cached = windows_[device];
  ++cached.generation;
  cached.window.reset();
}

Result<std::shared_ptr<const DeviceWindow>> ReportStore::window(const std::string& device) {
  int64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    Cached& cached = windows_[device];
    if (cached.window) return cached.window;
    generation = cached.generation;
  }
  OREE_TRY_ASSIGN(DeviceWindow merged, merge(device));
  auto made = std::make_shared<const DeviceWindow>(std::move(merged));
  std::lock_guard lock(mutex_);
  Cached& cached = windows_[device];
  if (cached.generation == generation) cached.window = made;
  return made;
}

Result<int64_t> ReportStore::newest_ms(const std::string& device) {
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT max(at_ms) FROM reports WHERE device_id = ?", {device}));
  return rows[0].integer(0);
}

Result<DeviceWindow> ReportStore::merge(const std::string& device) {
  OREE_TRY_ASSIGN(auto rows,
                  db_.query("SELECT at_ms, body FROM reports WHERE device_id = ? AND at_ms > (SELECT max(at_ms) FROM"
                            " reports WHERE device_id = ?) - ? ORDER BY at_ms DESC, received_ms DESC, seq DESC LIMIT ?",
                            {device, device, kHourMs, kFleetReportsPerHourMax}));
  DeviceWindow window;
  for (const DbRow& row : rows) {
    auto json = Json::parse(row.text(1));
    if (!json.ok()) continue;
    auto report = report_from_json(*json);
    if (!report.ok()) continue;
    if (window.reports > 0 && window.duration_ms + report->duration_ms > kHourMs) break;
    add_report(window, *report, row.integer(0));
  }
  return window;
}

Result<std::vector<Json>> ReportStore::list(const std::string& device, int64_t since_ms, int64_t until_ms,
                                            int64_t limit) {
  OREE_TRY_ASSIGN(auto rows,
                  db_.query("SELECT body, received_ms FROM reports WHERE device_id = ? AND at_ms >= ? AND at_ms < ?"
                            " ORDER BY at_ms, seq LIMIT ?",
                            {device, since_ms, until_ms, limit}));
  std::vector<Json> out;
  for (const DbRow& row : rows) {
    OREE_TRY_ASSIGN(Json json, Json::parse(row.text(0)));
    json.set("received_ms", row.integer(1));
    out.push_back(std::move(json));
  }
  return out;
}

Result<int64_t> ReportStore::remove_older(int64_t received_ms) {
  OREE_TRY_ASSIGN(DbChange change,
                  db_.exec("DELETE FROM reports WHERE rowid IN (SELECT rowid FROM reports WHERE received_ms < ?"
                           " LIMIT ?)",
                           {received_ms, kRemovedAtOnce}));
  return change.rows;
}

}  // namespace oree
