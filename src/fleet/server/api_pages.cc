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

void add_page(Router& router, const std::string& pattern, const Asset& asset, const std::string& operation) {
  std::string type = type_of(asset.name);
  router.add("GET", pattern, Access::kOpen,
             [asset](Fleet&, const Call& call) { return tagged(call, type_of(asset.name), asset.bytes); },
             {operation, "The dashboard: " + std::string(asset.name), "pages"},
             {{200, "The file", "", type.substr(0, type.find(';'))}, {304, "If-None-Match names it", "", ""}});
}

}  // namespace

void add_page_routes(Router& router) {
  for (const Asset& asset : web_assets()) {
    std::string stem(asset.name.substr(0, asset.name.find('.')));
    if (asset.name == "index.html")
      add_page(router, "/", asset, "getDashboard");
    else
      add_page(router, "/" + std::string(asset.name), asset, "getDashboard_" + stem);
  }
  router.add("GET", "/healthz", Access::kOpen, get_health,
             {"getHealth", "200 while the server and its database work", "operation"},
             {{200, "Well", "Health"}, {503, "The database does not answer", "Error"}});
  router.add("GET", "/metrics", Access::kRead, get_metrics,
             {"getMetrics", "Metrics for Prometheus, text format 0.0.4", "operation"},
             {{200, "Metrics", "", "text/plain"}});
  router.add("GET", "/openapi.json", Access::kOpen, nullptr, {"getOpenapi", "This document", "operation"},
             {{200, "OpenAPI 3.1", "Document"}});
  // It describes itself too, so it is made once the last route is in; the routes do not change after that.
  auto text = std::make_shared<std::string>(openapi_document(router).dump(2) + "\n");
  router.set_handler("getOpenapi",
                     [text](Fleet&, const Call& call) { return tagged(call, "application/json", *text); });
}

}  // namespace oree
