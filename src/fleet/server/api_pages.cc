// SPDX-License-Identifier: Apache-2.0
// The dashboard, /healthz, /metrics and /openapi.json.
#include "core/base/limits.h"
#include "core/crypto/crypto.h"
#include "fleet/server/assets.h"
#include "fleet/server/openapi.h"
#include "fleet/server/overview.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

// The page loads nothing from elsewhere and runs no inline script or style.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const char* type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

ServerResponse tagged(const Call& call, const char* type, std::string_view body) {
  std::string tag = "\"" + digest_text(sha256(as_bytes(body))).substr(0, 32) + "\"";
  ServerResponse r;
  r.headers = {{"content-type", type},
               {"etag", tag},
               {"cache-control", "no-cache"},
               {"content-security-policy", kPolicy},
               {"x-content-type-options", "nosniff"},
               {"referrer-policy", "no-referrer"}};
  if (call.header("if-none-match").find(tag) != std::string::npos) {
    r.status = 304;
    return r;
  }
  r.body = std::string(body);
  return r;
}

ServerResponse get_health(Fleet& fleet, const Call&) {
  // A look into the database: a server that cannot read it is not well.
  OREE_CHECK(fleet.database.query("SELECT count(*) FROM devices"));
  return json_response(200, Json().set("status", "ok").set("version", OREE_VERSION));
}

ServerResponse get_metrics(Fleet& fleet, const Call&) {
  OREE_ANSWER(FleetView view, fleet_view(fleet, kFleetDevicesMax));
  ServerResponse r;
  r.headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}, {"cache-control", "no-store"}};
  r.body = prometheus_text(fleet, view);
  return r;
}

Route page(const std::string& pattern, const Asset& asset, const char* operation) {
  Route route;
  route.method = "GET";
  route.pattern = pattern;
  route.handle = [asset](Fleet&, const Call& call) { return tagged(call, type_of(asset.name), asset.bytes); };
  route.operation = operation;
  route.summary = "The dashboard: " + std::string(asset.name);
  route.tag = "pages";
  std::string type = type_of(asset.name);
  route.answers = {{200, "The file", "", type.substr(0, type.find(';'))}, {304, "If-None-Match names it", "", ""}};
  return route;
}

}  // namespace

void add_page_routes(Router& router) {
  for (const Asset& asset : web_assets()) {
    std::string stem(asset.name.substr(0, asset.name.find('.')));
    if (asset.name == "index.html")
      router.add(page("/", asset, "getDashboard"));
    else
      router.add(page("/" + std::string(asset.name), asset, ("getDashboard_" + stem).c_str()));
  }

  Route health;
  health.method = "GET";
  health.pattern = "/healthz";
  health.handle = get_health;
  health.operation = "getHealth";
  health.summary = "200 while the server and its database work";
  health.tag = "operation";
  health.answers = {{200, "Well", "Health"}, {503, "The database does not answer", "Error"}};
  router.add(health);

  Route metrics;
  metrics.method = "GET";
  metrics.pattern = "/metrics";
  metrics.access = Access::kRead;
  metrics.handle = get_metrics;
  metrics.operation = "getMetrics";
  metrics.summary = "Metrics for Prometheus, text format 0.0.4";
  metrics.tag = "operation";
  metrics.answers = {{200, "Metrics", "", "text/plain"}};
  router.add(metrics);

  Route document;
  document.method = "GET";
  document.pattern = "/openapi.json";
  document.operation = "getOpenapi";
  document.summary = "This document";
  document.tag = "operation";
  document.answers = {{200, "OpenAPI 3.1", "Document"}};
  router.add(document);
  // It describes itself too, so it is made once the last route is in; the routes do not change after that.
  auto text = std::make_shared<std::string>(openapi_document(router).dump(2) + "\n");
  router.set_handler("getOpenapi",
                     [text](Fleet&, const Call& call) { return tagged(call, "application/json", *text); });
}

}  // namespace oree
