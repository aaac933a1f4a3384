// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/openapi.h"

#include <algorithm>

#include "core/base/text.h"
#include "fleet/server/openapi_schemas.h"

namespace oree {
namespace {

Json ref(const std::string& schema) { return Json().set("$ref", "#/components/schemas/" + schema); }

Json content(const std::string& type, Json schema) { return Json().set(type, Json().set("schema", std::move(schema))); }

Json path_params(const Route& route) {
  Json list = Json::array();
  for (const std::string& part : split(route.pattern, '/')) {
    if (part.empty() || part.front() != '{') continue;
    std::string name = part.substr(1, part.size() - 2);
    Json schema = name == "hex" ? ref("Digest")
                  : route.text.tag == "alerts"
                      ? Json().set("type", "integer").set("minimum", 0).set("maximum", int64_t{1} << 49)
                  : name == "name" || route.text.tag == "devices" || route.text.tag == "telemetry"
                      ? ref("Name")
                      : Json().set("type", "string").set("minLength", 1);
    list.push(Json().set("name", name).set("in", "path").set("required", true).set("schema", std::move(schema)));
  }
  for (const RouteParam& p : route.query) {
    list.push(Json()
                  .set("name", p.name)
                  .set("in", "query")
                  .set("description", p.description)
                  .set("required", p.required)
                  .set("schema", p.schema));
  }
  return list;
}

Json answers(const Route& route) {
  std::vector<RouteAnswer> all = route.answers;
  if (route.access != Access::kOpen) {
    all.push_back(
        {401, route.access == Access::kRead ? "Without a token, on a server with --private" : "Without a valid token",
         "Error"});
    all.push_back({429, "Too many wrong tokens from this address", "Error"});
  }
  if (route.access == Access::kOperator || route.access == Access::kDevice)
    all.push_back({403, "The token may not do this", "Error"});
  all.push_back({413, "The body is too large", "Error"});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.status < b.status; });
  Json out = Json::object();
  for (const RouteAnswer& a : all) {
    Json one = Json().set("description", a.description);
    if (!a.schema.empty())
      one.set("content", content("application/json", ref(a.schema)));
    else if (!a.content_type.empty())
      one.set("content", content(a.content_type, Json().set("type", "string")));
    out.set(std::to_string(a.status), std::move(one));
  }
  return out;
}

Json operation(const Route& route) {
  Json op;
  op.set("operationId", route.text.operation)
      .set("summary", route.text.summary)
      .set("tags", Json::array().push(route.text.tag));
  Json params = path_params(route);
  if (!params.items().empty()) op.set("parameters", std::move(params));
  if (!route.body_schema.empty()) {
    op.set("requestBody",
           Json().set("required", true).set("content", content("application/json", ref(route.body_schema))));
  } else if (route.stream) {
    op.set(
        "requestBody",
        Json().set("required", true).set("content", content("application/octet-stream", Json().set("type", "string"))));
  }
  op.set("responses", answers(route));
  Json none = Json::object(), operator_token = Json().set("operator", Json::array()),
       device_token = Json().set("device", Json::array());
  Json security = Json::array();
  if (route.access == Access::kRead) security.push(none).push(device_token).push(operator_token);
  if (route.access == Access::kOperator) security.push(operator_token);
  if (route.access == Access::kDevice) security.push(device_token);
  op.set("security", std::move(security));
  return op;
}

}  // namespace

Json openapi_document(const Router& router) {
  Json paths = Json::object();
  for (const Route& route : router.routes()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    Json item = paths[route.pattern].is_null() ? Json::object() : paths[route.pattern];
    paths.set(route.pattern, item.set(method, operation(route)));
    if (route.method == "GET") {
      Json head = operation(route);
      head.set("operationId", route.text.operation + "_head");
      Json bare = Json::object();
      for (const auto& [status, answer] : head["responses"].members())
        bare.set(status, Json().set("description", answer["description"]));
      paths.set(route.pattern, item.set("head", head.set("responses", std::move(bare))));
    }
  }
  Json bearer = Json().set("type", "http").set("scheme", "bearer");
  Json schemes;
  schemes.set("operator", Json(bearer).set("description", "The operator's token"));
  schemes.set("device", Json(bearer).set("description", "The token of the device that the path names"));
  Json document;
  document.set("openapi", "3.1.0");
  document.set("info", Json()
                           .set("title", "Orée fleet server")
                           .set("version", OREE_VERSION)
                           .set("license", Json().set("name", "Apache-2.0").set("identifier", "Apache-2.0"))
                           .set("description", "Releases, devices, telemetry and alerts of a fleet of edge devices."));
  document.set("paths", std::move(paths));
  document.set("components", Json().set("securitySchemes", std::move(schemes)).set("schemas", openapi_schemas()));
  return document;
}

}  // namespace oree
