// SPDX-License-Identifier: Apache-2.0
// /api/v1/alerts and /api/v1/retrain-requests.
#include "core/base/limits.h"
#include "core/base/log.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

constexpr int64_t kIdMax = int64_t{1} << 53;

ServerResponse list_alerts(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t limit, call.number("limit", 100, 1, kFleetPageMax));
  OREE_ANSWER(int64_t before, call.number("before", kIdMax, 1, kIdMax));
  auto found = call.query.find("state");
  std::string state = found == call.query.end() ? "" : found->second;
  if (found != call.query.end() && state != "open" && state != "acknowledged" && state != "resolved" &&
      state != "live") {
    return error_response(400, "invalid", "query state: expected open, acknowledged, resolved or live");
  }
  OREE_ANSWER(auto alerts, fleet.alerts.list(state, before, limit));
  return list_response("alerts", alerts, alert_to_json);
}

ServerResponse acknowledge(Fleet& fleet, const Call& call) {
  const std::string& text = call.param("id");
  if (text.size() > 15 || text.find_first_not_of("0123456789") != std::string::npos) {
    return error_response(400, "invalid", "alert id: expected a number");
  }
  OREE_ANSWER(Alert alert, fleet.alerts.acknowledge(std::stoll(text), fleet.clock.wall_ms()));
  log_info("fleet", "alert " + text + " acknowledged");
  return json_response(200, alert_to_json(alert));
}

ServerResponse list_retrain(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t limit, call.number("limit", 100, 1, kFleetPageMax));
  OREE_ANSWER(int64_t before, call.number("before", kIdMax, 1, kIdMax));
  OREE_ANSWER(auto requests, fleet.alerts.retrain_requests(before, limit));
  return list_response("retrain_requests", requests, retrain_request_to_json);
}

RouteParam before_param() {
  return {"before", "Only ids below this one: the last of the previous page", integer_schema(1, kIdMax)};
}

RouteParam state_param() {
  Json states = Json::array();
  for (const char* state : {"open", "acknowledged", "resolved", "live"}) states.push(state);
  return {"state", "Only these; live is open or acknowledged", Json().set("type", "string").set("enum", states)};
}

}  // namespace

void add_alert_routes(Router& router) {
  router
      .add("GET", "/api/v1/alerts", Access::kOperator, list_alerts, {"listAlerts", "Alerts, newest first", "alerts"},
           {{200, "A page of alerts", "AlertList"}, {400, "A query value is wrong", "Error"}})
      .takes_query({before_param(), limit_param(), state_param()});
  router.add("POST", "/api/v1/alerts/{id}/ack", Access::kOperator, acknowledge,
             {"acknowledgeAlert", "Say that somebody looks after it", "alerts"},
             {{200, "Acknowledged", "Alert"},
              {400, "Not a number", "Error"},
              {404, "No such alert", "Error"},
              {409, "It is resolved", "Error"}});
  router
      .add(
          "GET", "/api/v1/retrain-requests", Access::kOperator, list_retrain,
          {"listRetrainRequests", "Models whose confidences drifted away from their reference, newest first", "alerts"},
          {{200, "A page of requests", "RetrainList"}, {400, "A query value is out of range", "Error"}})
      .takes_query({before_param(), limit_param()});
}

}  // namespace oree
