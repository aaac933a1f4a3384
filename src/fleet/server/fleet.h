// SPDX-License-Identifier: Apache-2.0
// Everything the request handlers share: the stores, the ports, the options. And the rules that turn what devices say
// into alerts.
#pragma once

#include <atomic>
#include <string>

#include "core/base/limits.h"
#include "core/io/clock.h"
#include "core/io/database.h"
#include "core/io/files.h"
#include "fleet/server/alerts.h"
#include "fleet/server/auth.h"
#include "fleet/server/blob_collector.h"
#include "fleet/server/blobs.h"
#include "fleet/server/devices.h"
#include "fleet/server/releases.h"
#include "fleet/server/reports.h"

namespace oree {

struct FleetOptions {
  std::string data_folder;
  std::string operator_token;             // plain; only its hash is kept
  bool private_reads = false;             // models, blobs and metrics need a token too
  int64_t silent_after_ms = 0;            // 0: three reporting intervals of the device
  double temperature_alert_celsius = 80;  // a Raspberry Pi slows down from here on
  int64_t blob_grace_ms = kServerBlobGraceMs;
};

struct FleetCounters {
  std::atomic<int64_t> requests{0}, reports_accepted{0}, reports_repeated{0}, reports_refused{0}, auth_failures{0};
};

struct Fleet {
  Fleet(Database& database, Files& files, Clock& clock, Random& random, const FleetOptions& options);
  Status open();

  Database& database;
  Files& files;
  Clock& clock;
  FleetOptions options;
  std::string operator_hash;
  BlobStore blobs;
  BlobCollector collector;
  ReleaseStore releases;
  DeviceStore devices;
  AlertStore alerts;
  ReportStore reports;
  FailureLimiter limiter;
  FleetCounters counters;
  int64_t started_ms = 0;

  // How long a device may be quiet before it counts as silent.
  int64_t silent_after_ms(const Device& device) const;
  // When it was last heard, or when this server started if that is later: a server that slept blames nobody.
  bool is_silent(const Device& device, int64_t now_ms) const;
};

// Stores a report and judges it: drift, temperature. false when it was here already. One transaction.
Result<bool> accept_report(Fleet& fleet, const std::string& device, const Report& report, int64_t now_ms);
// Stores a status and judges it: updates that were rolled back or refused.
Status accept_status(Fleet& fleet, const std::string& device, const DeviceStatus& status, int64_t now_ms);
// The device was heard: it is not silent.
Status heard(Fleet& fleet, const std::string& device, int64_t now_ms);
// Raises an alert for each device that has been silent for too long. Called every few seconds.
Status watch_silence(Fleet& fleet, int64_t now_ms);

}  // namespace oree
