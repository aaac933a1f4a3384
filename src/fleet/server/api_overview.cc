// SPDX-License-Identifier: Apache-2.0
// /api/v1/overview: all that the dashboard shows, in one answer.
#include "core/base/limits.h"
#include "fleet/server/overview.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

constexpr int64_t kShownReleases = 50, kShownAlerts = 100;
constexpr size_t kShownBins = 32;

Json latency_json(const ExponentialHistogram& h) {
  if (h.count() == 0) return Json();
  return Json()
      .set("p50", h.quantile(0.5))
      .set("p95", h.quantile(0.95))
      .set("p99", h.quantile(0.99))
      .set("mean", h.mean())
      .set("count", h.count());
}

// 256 bins as 32 shares of the whole: what fits on a screen.
Json shares_json(const ConfidenceHistogram& h) {
  if (h.count() == 0) return Json();
  Json out = Json::array();
  size_t step = h.bins().size() / kShownBins;
  for (size_t i = 0; i < kShownBins; ++i) {
    int64_t sum = 0;
    for (size_t k = 0; k < step; ++k) sum += h.bins()[i * step + k];
    out.push(static_cast<double>(sum) / static_cast<double>(h.count()));
  }
  return out;
}

Json device_json(const DeviceView& view, int64_t now_ms) {
  const Device& d = view.device;
  const DeviceWindow& w = *view.window;
  const ModelWindow* m = view.model;
  Json json;
  json.set("id", d.id).set("device_type", d.device_type).set("state", view.state);
  json.set("last_seen_ms", d.last_seen_ms);
  json.set("age_ms", d.last_seen_ms ? Json(std::max<int64_t>(0, now_ms - *d.last_seen_ms)) : Json());
  json.set("status", d.status ? device_status_to_json(*d.status) : Json());
  json.set("model", d.status && !d.status->model.empty() ? Json(d.status->model) : m ? Json(m->model) : Json());
  json.set("version", d.status && !d.status->version.empty() ? Json(d.status->version) : m ? Json(m->version) : Json());
  json.set("reports", w.reports);
  json.set("latency_ms", m ? latency_json(m->latency_ms) : Json());
  json.set("predictions_per_hour", m ? Json(predictions_per_hour(*m)) : Json());
  json.set("events", m ? Json(m->events) : Json());
  json.set("confidence_mean", m && m->confidence.count() > 0 ? Json(m->confidence.mean()) : Json());
  json.set("drift", m ? drift_verdict_to_json(m->drift) : Json());
  json.set("temperature_celsius", w.temperature_celsius);
  json.set("cpu_percent", w.cpu_percent);
  json.set("memory_used_bytes", w.memory_used_bytes);
  json.set("memory_total_bytes", w.memory_total_bytes);
  json.set("agent_rss_bytes", w.reports ? Json(w.agent_rss_bytes) : Json());
  json.set("app_rss_bytes", w.reports ? Json(w.app_rss_bytes) : Json());
  json.set("alerts_live", view.alerts_live);
  return json;
}

Json model_json(const ModelView& m) {
  Json json;
  json.set("model", m.model)
      .set("version", m.version)
      .set("devices", m.devices)
      .set("latency_ms", latency_json(m.latency_ms));
  json.set("confidence_mean", m.confidence.count() ? Json(m.confidence.mean()) : Json());
  json.set("confidence_count", m.confidence.count()).set("confidence_shares", shares_json(m.confidence));
  json.set("reference_shares", m.reference ? shares_json(m.reference->histogram) : Json());
  Json distance;
  if (m.reference) {
    if (auto d = wasserstein(m.reference->histogram, m.confidence); d.ok()) distance = *d;
  }
  json.set("reference_distance", distance);
  return json;
}

ServerResponse get_overview(Fleet& fleet, const Call&) {
  OREE_ANSWER(FleetView view, fleet_view(fleet, kFleetPageMax));
  OREE_ANSWER(auto alerts, fleet.alerts.list("live", int64_t{1} << 53, kShownAlerts));
  OREE_ANSWER(auto releases, fleet.releases.newest(kShownReleases));
  OREE_ANSWER(auto retrain, fleet.alerts.retrain_requests(int64_t{1} << 53, kShownAlerts));
  Json json;
  json.set("server",
           Json().set("version", OREE_VERSION).set("started_ms", fleet.started_ms).set("now_ms", view.now_ms));
  json.set("truncated", view.truncated);
  Json list = Json::array();
  for (const DeviceView& device : view.devices) list.push(device_json(device, view.now_ms));
  json.set("devices", std::move(list));
  list = Json::array();
  for (const ModelView& model : view.models) list.push(model_json(model));
  json.set("models", std::move(list));
  list = Json::array();
  for (const Alert& alert : alerts) list.push(alert_to_json(alert));
  json.set("alerts", std::move(list));
  list = Json::array();
  for (const StoredRelease& release : releases) list.push(stored_release_to_json(release));
  json.set("releases", std::move(list));
  list = Json::array();
  for (const RetrainRequest& r : retrain) list.push(retrain_request_to_json(r));
  json.set("retrain_requests", std::move(list));
  return json_response(200, json);
}

}  // namespace

void add_overview_routes(Router& router) {
  router.add("GET", "/api/v1/overview", Access::kOperator, get_overview,
             {"getOverview", "The whole fleet at a glance: devices over their last hour, models, releases, live alerts",
              "overview"},
             {{200, "What the dashboard shows", "Overview"}});
}

}  // namespace oree
