// SPDX-License-Identifier: Apache-2.0
// AgentConfig: everything that agent.toml says (docs/agent.md, examples/agent.toml), with defaults and bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/codec/json.h"
#include "device/agent/host.h"
#include "device/measure/measure_options.h"

namespace oree {

// The device lends itself for measuring.
struct MeasureConfig {
  MeasureOptions options;
  bool pause_app = true;  // while a job runs
};

struct AgentConfig {
  std::string data;  // folder of journal, slots, downloads and spool

  std::string server_url;             // http(s)://host[:port], no trailing slash
  std::string token_file, token_env;  // where the device's token is; neither: none is sent
  std::string ca_file;                // "" is the system's authorities
  int64_t poll_ms = 60'000;
  int64_t poll_backoff_ms_max = 3'600'000;

  std::string device_id, device_type;
  std::string model;
  std::vector<std::string> trusted_keys;  // PEM files
  int threshold = 1;                      // this many distinct trusted keys must have signed
  bool allow_downgrade = false;

  std::vector<std::string> app_command;   // empty: models are proven and committed, nothing is supervised
  bool app_restart_always = false;        // else only after a failure
  int64_t app_start_timeout_ms = 60'000;  // from start to "ready"
  int64_t app_heartbeat_timeout_ms = 30'000;
  int64_t app_stop_timeout_ms = 5'000;  // from SIGTERM to SIGKILL
  int64_t app_backoff_ms = 1'000, app_backoff_ms_max = 60'000;

  int64_t prove_timeout_ms = 300'000;
  int probation_crashes_max = 0;        // this many are forgiven
  int probation_starts_max = 5;         // starts of the application without a commit, over reboots
  double probation_latency_factor = 5;  // live p95 may be this many times the bundle's bound; 0: not judged

  int64_t telemetry_ms = 300'000;
  int64_t checkpoint_ms = 30'000;  // the open interval is put on disk this often; 0: never
  int64_t spool_bytes_max = 16 << 20;
  int64_t drift_window_ms = 300'000;
  int drift_windows = 12;

  int64_t download_bytes_max = 512 << 20;
  int64_t reserve_bytes = 32 << 20;   // of free disk that an update never touches
  int64_t bandwidth_bytes_per_s = 0;  // 0: no limit

  HostLimits host;

  std::optional<MeasureConfig> measure;  // without the table nothing listens
};

// `folder` is the configuration file's own: relative paths in it start there (a program's bare name does not).
// kUsage names the table and key that is missing, unknown, of another type or out of bounds.
Result<AgentConfig> agent_config_from_json(const Json& json, const std::string& folder);

}  // namespace oree
