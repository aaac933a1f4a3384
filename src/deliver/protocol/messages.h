// SPDX-License-Identifier: Apache-2.0
// The messages that device and fleet exchange, protocol version 1, and the paths they travel on (docs/formats/fleet.md;
// the server's /openapi.json is their full description). All bodies are JSON. Unknown members are ignored, so that
// either side may be newer.
//
//   GET  /model/{name}/latest?device_type=T     Latest, or 404 {"error": code, "reason": text}
//   GET  /blobs/sha256/{hex}                    bytes; HEAD and one Range supported; ETag is the digest
//   POST /api/v1/devices/{id}/telemetry         {"reports": [Report…]} -> {"accepted": [{"boot_id","seq"}…]}
//   POST /api/v1/devices/{id}/status            DeviceStatus -> {}
// The device shows its token as `Authorization: Bearer TOKEN`; so does an operator on the other paths.
#pragma once

#include <string>
#include <vector>

#include "core/codec/json.h"

namespace oree {

inline constexpr char kPathBlobs[] = "/blobs/sha256/";
inline constexpr char kPathDevices[] = "/api/v1/devices";
inline constexpr char kPathReleases[] = "/api/v1/releases";

// The newest release of a model for a device type.
struct Latest {
  std::string model, version;
  std::string url;       // absolute, or a path on the same server
  std::string checksum;  // "sha256:…" of the bundle
  int64_t size = 0;      // bytes
  std::vector<std::string> compatible_devices;
  std::string release_id;
};
Json latest_to_json(const Latest& latest);
Result<Latest> latest_from_json(const Json& json);

// What an operator publishes: the blob must be on the server already (PUT /blobs/sha256/{hex}).
struct Release {
  std::string model, version, digest;  // digest: 64 hex digits
  int64_t size = 0;
  std::vector<std::string> device_types;
  std::string notes;
};
Json release_to_json(const Release& release);
Result<Release> release_from_json(const Json& json);

// The device's own truth, sent at every change and at every poll: what is installed, and how the last update ended.
struct DeviceStatus {
  std::string device_type;
  std::string agent_version;
  std::string architecture, cpu_model, os;
  std::string model, version, bundle_digest;  // running now; "" when none
  std::string state;                          // "idle", "downloading", "installing", "proving", "probation", "failed",
                                              // "measuring": lent to whoever measures, the application may be paused
  // The last finished update: "" when none yet.
  std::string update_version, update_digest;
  std::string update_outcome;  // "committed", "rolled_back", "refused"
  std::string update_reason;   // for machines: "golden_mismatch", "latency", "memory", "signature", "digest",
                               // "app_crashed", "app_hung", "drift", "disk_full", "runtime_missing", …
  std::string update_detail;   // for people
  int64_t update_seq = 0;      // grows with each finished update: the server records each once
  int64_t telemetry_pending = 0;
};
Json device_status_to_json(const DeviceStatus& status);
Result<DeviceStatus> device_status_from_json(const Json& json);

}  // namespace oree
