// SPDX-License-Identifier: Apache-2.0
// Telemetry as it arrived, each report once, and the last hour of each device merged from it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/io/database.h"
#include "monitor/telemetry/report.h"

namespace oree {

// One model of a device over its last hour of reports.
struct ModelWindow {
  std::string model, version;
  int64_t predictions = 0, frames_dropped = 0, events = 0, duration_ms = 0;
  ConfidenceHistogram confidence;
  ExponentialHistogram latency_ms;
  DriftVerdict drift;  // of the newest report
};

// The newest reports of a device, back to an hour of its own time: a device that is offline shows its last hour.
struct DeviceWindow {
  int64_t reports = 0, newest_ms = 0, duration_ms = 0;
  std::optional<double> cpu_percent, temperature_celsius;  // of the newest report; absent is absent
  std::optional<int64_t> memory_used_bytes, memory_total_bytes;
  int64_t agent_rss_bytes = 0, app_rss_bytes = 0, app_restarts = 0;
  std::vector<ModelWindow> models;  // newest first
  const ModelWindow* find(const std::string& model, const std::string& version) const;
};

class ReportStore {
 public:
  explicit ReportStore(Database& database) : db_(database) {}
  // false when this (boot_id, seq) is here already.
  Result<bool> add(const std::string& device, const Report& report, int64_t now_ms);
  Result<std::shared_ptr<const DeviceWindow>> window(const std::string& device);  // cached until the next add()
  Result<int64_t> newest_ms(const std::string& device);  // by the device's time; 0 without reports
  // By the device's time, oldest first. The JSON that the device sent, with "received_ms".
  Result<std::vector<Json>> list(const std::string& device, int64_t since_ms, int64_t until_ms, int64_t limit);
  void forget(const std::string& device);             // of the cache
  Result<int64_t> remove_older(int64_t received_ms);  // at most a few thousand a call, so that no caller waits long

 private:
  Result<DeviceWindow> merge(const std::string& device);
  Database& db_;
  std::mutex mutex_;
  struct Cached {
    int64_t generation = 0;  // of add(): a window merged from older rows is not kept
    std::shared_ptr<const DeviceWindow> window;
  };
  std::map<std::string, Cached> windows_;  // under mutex_
};

}  // namespace oree
