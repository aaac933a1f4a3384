// SPDX-License-Identifier: Apache-2.0
// Alerts: open -> acknowledged -> resolved. At most one lives (is not resolved) for a device, kind and subject; raising
// it again only counts. And the retrain requests that drift alerts leave behind.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/database.h"

namespace oree {

inline constexpr char kAlertDrift[] = "drift";              // subject: "model@version"
inline constexpr char kAlertUpdate[] = "update";            // subject: ""; an update was rolled back or refused
inline constexpr char kAlertSilent[] = "silent";            // subject: ""
inline constexpr char kAlertTemperature[] = "temperature";  // subject: ""

struct Alert {
  int64_t id = 0;
  std::string device_id, kind, subject, state, detail;
  int64_t count = 0, opened_ms = 0, last_ms = 0;
  std::optional<int64_t> acknowledged_ms, resolved_ms;
};
Json alert_to_json(const Alert& alert);

struct RetrainRequest {
  int64_t id = 0, alert_id = 0;
  std::string device_id, model, version;
  double distance = 0;
  int64_t samples = 0, created_ms = 0;
};
Json retrain_request_to_json(const RetrainRequest& request);

class AlertStore {
 public:
  explicit AlertStore(Database& database) : db_(database) {}
  // The id of an alert that opened just now; nothing when it lived already.
  Result<std::optional<int64_t>> raise(const std::string& device, const std::string& kind, const std::string& subject,
                                       const std::string& detail, int64_t now_ms);
  Status resolve(const std::string& device, const std::string& kind, const std::string& subject, int64_t now_ms);
  Result<Alert> acknowledge(int64_t id, int64_t now_ms);  // kNotFound; kConflict when resolved; again is success
  // Newest first, ids below `before`; state "" is every state, "live" the open and acknowledged.
  Result<std::vector<Alert>> list(const std::string& state, int64_t before, int64_t limit);
  Status request_retrain(const RetrainRequest& request);
  Result<std::vector<RetrainRequest>> retrain_requests(int64_t before, int64_t limit);  // newest first

 private:
  Database& db_;
};

}  // namespace oree
