// SPDX-License-Identifier: Apache-2.0
// What devices say: /api/v1/devices/{id}/telemetry and /status; and what they said: /reports.
#include "core/base/limits.h"
#include "core/base/log.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

constexpr int64_t kTimeMax = int64_t{1} << 53;

Json report_key(const Json& report) {
  return Json().set("boot_id", report["boot_id"].as_string()).set("seq", report["seq"].as_int());
}

// A report that can never be accepted is named in "rejected" beside those that were: if it failed the whole batch, the
// device would send it for ever and nothing behind it would get through.
ServerResponse post_telemetry(Fleet& fleet, const Call& call) {
  const std::string& device = call.param("id");
  OREE_ANSWER(Json json, Json::parse(call.body));
  OREE_ANSWER(const Json* reports, json.get_array("reports"));
  if (reports->items().size() > static_cast<size_t>(kTelemetryBatchReportsMax)) {
    return error_response(400, "invalid",
                          "reports: expected at most " + std::to_string(kTelemetryBatchReportsMax) + ", found " +
                              std::to_string(reports->items().size()));
  }
  Json accepted = Json::array(), rejected = Json::array();
  int64_t fresh = 0, now = fleet.clock.wall_ms();
  Status stored = fleet.database.transaction([&]() -> Status {
    for (const Json& item : reports->items()) {
      auto report = report_from_json(item);
      bool large = item.dump().size() > static_cast<size_t>(kTelemetryReportBytesMax);
      if (!report.ok() || large) {
        std::string reason =
            large ? "larger than " + std::to_string(kTelemetryReportBytesMax) + " bytes" : report.error().message();
        rejected.push(report_key(item).set("reason", reason));
        continue;
      }
      OREE_TRY_ASSIGN(bool is_new, accept_report(fleet, device, *report, now));
      fresh += is_new;
      accepted.push(report_key(item));
    }
    return {};
  });
  if (!stored.ok()) {
    fleet.reports.forget(device);
    return error_response(stored.error());
  }
  auto count = [](const Json& list) { return static_cast<int64_t>(list.items().size()); };
  fleet.counters.reports_accepted += fresh;
  fleet.counters.reports_repeated += count(accepted) - fresh;
  fleet.counters.reports_refused += count(rejected);
  if (count(rejected) > 0)
    log_warn("fleet", "device " + device + ": refused reports " + rejected.dump().substr(0, 512));
  return json_response(200, Json().set("accepted", std::move(accepted)).set("rejected", std::move(rejected)));
}

ServerResponse post_status(Fleet& fleet, const Call& call) {
  OREE_ANSWER(DeviceStatus status, call.read(device_status_from_json));
  OREE_CHECK(accept_status(fleet, call.param("id"), status, fleet.clock.wall_ms()));
  return json_response(200, Json::object());
}

ServerResponse get_reports(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t since, call.number("since_ms", 0, 0, kTimeMax));
  OREE_ANSWER(int64_t until, call.number("until_ms", kTimeMax, 0, kTimeMax));
  OREE_ANSWER(int64_t limit, call.number("limit", 100, 1, kFleetPageMax));
  OREE_ANSWER(Device device, fleet.devices.get(call.param("id")));
  OREE_ANSWER(auto reports, fleet.reports.list(device.id, since, until, limit));
  return list_response("reports", reports, [](Json& report) { return std::move(report); });
}

}  // namespace

void add_telemetry_routes(Router& router) {
  const std::string device = std::string(kPathDevices) + "/{id}";
  router
      .add("POST", device + "/telemetry", Access::kDevice, post_telemetry,
           {"postTelemetry", "Reports of a device. Each counts once by (boot_id, seq), however often it is sent.",
            "telemetry"},
           {{200, "Those accepted may be forgotten by the device; those rejected will never be accepted",
             "TelemetryAnswer"},
            {400, "Malformed as a whole", "Error"},
            {507, "The server's disk is full", "Error"}})
      .takes_body("TelemetryBatch", kHttpBodyBytesMax);
  router
      .add("POST", device + "/status", Access::kDevice, post_status,
           {"postStatus", "What the device runs and how its last update ended", "telemetry"},
           {{200, "Noted", "Empty"}, {400, "Malformed", "Error"}, {507, "The server's disk is full", "Error"}})
      .takes_body("DeviceStatus", kTelemetryReportBytesMax);
  router
      .add("GET", device + "/reports", Access::kOperator, get_reports,
           {"getReports", "Reports of a device by the device's time, oldest first", "telemetry"},
           {{200, "The reports", "ReportList"},
            {400, "A query value is out of range", "Error"},
            {404, "No such device", "Error"}})
      .takes_query({{"since_ms", "From this time on (Unix milliseconds)", integer_schema(0, kTimeMax)},
                    {"until_ms", "Before this time", integer_schema(0, kTimeMax)},
                    limit_param()});
}

}  // namespace oree
