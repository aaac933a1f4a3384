// SPDX-License-Identifier: Apache-2.0
// The table of routes: one place says what a request may be, who may make it, what answers it, and how the OpenAPI
// document describes it. The document is made from this table, so it cannot name a route that is not there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/http_server.h"
#include "fleet/server/fleet.h"

namespace oree {

enum class Access {
  kOpen,      // anyone
  kRead,      // anyone, or with private_reads a device or the operator
  kOperator,  // the operator
  kDevice,    // the device that the path's {id} names, with its own token
};

struct Principal {
  enum class Kind { kNobody, kDevice, kOperator } kind = Kind::kNobody;
  std::string device;
};

struct Call {
  ServerRequest request;
  std::map<std::string, std::string> params;  // of the path: decoded, not checked
  std::map<std::string, std::string> query;
  Principal who;
  std::string body;

  const std::string& param(const std::string& name) const { return params.at(name); }
  // The query's value as a number; kInvalid outside [min, max].
  Result<int64_t> number(const std::string& name, int64_t otherwise, int64_t min, int64_t max) const;
  std::string text(const std::string& name) const;    // of the query, "" when absent
  std::string header(const std::string& name) const;  // "" when absent
  // The body as `parse` understands its JSON: call.read(release_from_json).
  template <typename T>
  Result<T> read(Result<T> (*parse)(const Json&)) const {
    OREE_TRY_ASSIGN(Json json, Json::parse(body));
    return parse(json);
  }
};

struct RouteParam {
  std::string name, description;
  Json schema;
  bool required = false;
};
struct RouteAnswer {
  int status = 200;
  std::string description;
  std::string schema;                             // name under components/schemas; "" with the type below
  std::string content_type = "application/json";  // "" for no body
};

using RouteHandler = std::function<ServerResponse(Fleet&, const Call&)>;

// How the document calls a route.
struct RouteText {
  std::string operation, summary, tag;
};

struct Route {
  std::string method, pattern;  // "GET", "/api/v1/devices/{id}"
  Access access = Access::kOpen;
  RouteHandler handle;
  // For bodies that stream: takes the place of `handle`.
  std::function<RequestPlan(Fleet&, const Call&)> stream;
  int64_t body_bytes_max = 0;
  // Documentation.
  RouteText text;
  std::string body_schema;  // of a JSON body
  std::vector<RouteParam> query;
  std::vector<RouteAnswer> answers;  // besides those that follow from access and body

  Route& takes_body(std::string schema, int64_t bytes_max) {
    body_schema = std::move(schema);
    body_bytes_max = bytes_max;
    return *this;
  }
  Route& takes_query(std::vector<RouteParam> params) {
    query = std::move(params);
    return *this;
  }
};

Json integer_schema(int64_t min, int64_t max);
// For answers that are a page of a list.
RouteParam limit_param();  // "limit", up to kFleetPageMax
RouteParam after_param();  // "after", for lists by id

class Router {
 public:
  // What is returned can be told of the body and the query that it takes, until the next is added.
  Route& add(std::string method, std::string pattern, Access access, RouteHandler handle, RouteText text,
             std::vector<RouteAnswer> answers);
  void set_handler(const std::string& operation, const RouteHandler& handle);
  const std::vector<Route>& routes() const { return routes_; }
  // The route for a method and target; fills call.params and call.query. When only the method is wrong, `allowed`
  // names the right ones. HEAD finds GET.
  const Route* find(const std::string& method, const std::string& target, Call& call, std::string& allowed) const;

 private:
  std::vector<Route> routes_;
};

ServerResponse json_response(int status, const Json& json);
// 200 with {"<name>": [to_json(item), …]}.
template <typename Items, typename ToJson>
ServerResponse list_response(const std::string& name, Items&& items, ToJson to_json) {
  Json list = Json::array();
  for (auto& item : items) list.push(to_json(item));
  return json_response(200, Json().set(name, std::move(list)));
}
ServerResponse error_response(int status, const std::string& error, const std::string& reason);
ServerResponse error_response(const Error& error);  // its code decides the status

// A Result's value, or its error as the handler's response.
#define OREE_ANSWER(decl, expr) OREE_ANSWER_IMPL(OREE_CONCAT(oree_answer_, __LINE__), decl, expr)
#define OREE_ANSWER_IMPL(tmp, decl, expr)            \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return error_response(tmp.error()); \
  decl = std::move(tmp).value()
#define OREE_CHECK(expr)                                               \
  do {                                                                 \
    auto&& oree_check_ = (expr);                                       \
    if (!oree_check_.ok()) return error_response(oree_check_.error()); \
  } while (false)

// Each part of the API adds its routes.
void add_blob_routes(Router& router);
void add_release_routes(Router& router);
void add_device_routes(Router& router);
void add_telemetry_routes(Router& router);
void add_alert_routes(Router& router);
void add_overview_routes(Router& router);
void add_page_routes(Router& router);  // the dashboard, /healthz, /metrics, /openapi.json

}  // namespace oree
