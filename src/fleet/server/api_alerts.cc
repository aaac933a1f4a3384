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
  Json list = Json::array();
  for (const Alert& alert : alerts) list.push(alert_to_json(alert));
  return json_response(200, Json().set("alerts", std::move(list)));
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
  Json list = Json::array();
  for (const RetrainRequest& request : requests) list.push(retrain_request_to_json(request));
  return json_response(200, Json().set("retrain_requests", std::move(list)));
}

std::vector<RouteParam> paging() {
  return {{"before", "Only ids below this one: the last of the previous page",
           Json().set("type", "integer").set("minimum", 1).set("maximum", kIdMax)},
          {"limit", "At most so many", Json().set("type", "integer").set("minimum", 1).set("maximum", kFleetPageMax)}};
}

}  // namespace

void add_alert_routes(Router& router) {
  Route list;
  list.method = "GET";
  list.pattern = "/api/v1/alerts";
  list.access = Access::kOperator;
  list.handle = list_alerts;
  list.operation = "listAlerts";
  list.summary = "Alerts, newest first";
  list.tag = "alerts";
  list.query = paging();
  Json states = Json::array();
  for (const char* state : {"open", "acknowledged", "resolved", "live"}) states.push(state);
  list.query.push_back(
      {"state", "Only these; live is open or acknowledged", Json().set("type", "string").set("enum", states)});
  list.answers = {{200, "A page of alerts", "AlertList"}, {400, "A query value is wrong", "Error"}};
  router.add(list);

  Route ack;
  ack.method = "POST";
  ack.pattern = "/api/v1/alerts/{id}/ack";
  ack.access = Access::kOperator;
  ack.handle = acknowledge;
  ack.operation = "acknowledgeAlert";
  ack.summary = "Say that somebody looks after it";
  ack.tag = "alerts";
  ack.answers = {{200, "Acknowledged", "Alert"},
                 {400, "Not a number", "Error"},
                 {404, "No such alert", "Error"},
                 {409, "It is resolved", "Error"}};
  router.add(ack);

  Route retrain;
  retrain.method = "GET";
  retrain.pattern = "/api/v1/retrain-requests";
  retrain.access = Access::kOperator;
  retrain.handle = list_retrain;
  retrain.operation = "listRetrainRequests";
  retrain.summary = "Models whose confidences drifted away from their reference, newest first";
  retrain.tag = "alerts";
  retrain.query = paging();
  retrain.answers = {{200, "A page of requests", "RetrainList"}, {400, "A query value is out of range", "Error"}};
  router.add(retrain);
}

}  // namespace oree
