// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/router.h"

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/io/http.h"

namespace oree {
namespace {

// The path's segments against the pattern's; a segment that cannot be decoded matches nothing.
bool match(const std::vector<std::string>& pattern, const std::vector<std::string>& path, Call& call) {
  if (pattern.size() != path.size()) return false;
  std::map<std::string, std::string> params;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string& p = pattern[i];
    if (p.size() > 2 && p.front() == '{' && p.back() == '}') {
      auto value = url_decode(path[i]);
      if (!value.ok() || value->empty()) return false;
      params[p.substr(1, p.size() - 2)] = std::move(*value);
    } else if (p != path[i]) {
      return false;
    }
  }
  call.params = std::move(params);
  return true;
}

}  // namespace

Result<int64_t> Call::number(const std::string& name, int64_t otherwise, int64_t min, int64_t max) const {
  auto found = query.find(name);
  if (found == query.end()) return otherwise;
  const std::string& text = found->second;
  Error wrong(Code::kInvalid, "query " + name + ": expected a whole number from " + std::to_string(min) + " to " +
                                  std::to_string(max) + ", found \"" + text.substr(0, 32) + "\"");
  bool negative = !text.empty() && text[0] == '-';
  std::string_view digits = std::string_view(text).substr(negative ? 1 : 0);
  if (digits.empty() || digits.size() > 18) return wrong;
  int64_t value = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return wrong;
    value = value * 10 + (c - '0');
  }
  if (negative) value = -value;
  if (value < min || value > max) return wrong;
  return value;
}

std::string Call::text(const std::string& name) const {
  auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

std::string Call::header(const std::string& name) const {
  auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

Json integer_schema(int64_t min, int64_t max) {
  return Json().set("type", "integer").set("minimum", min).set("maximum", max);
}

RouteParam limit_param() { return {"limit", "At most so many", integer_schema(1, kFleetPageMax)}; }

RouteParam after_param() {
  return {"after", "Only ids after this one: the last of the previous page", Json().set("type", "string")};
}

Route& Router::add(std::string method, std::string pattern, Access access, RouteHandler handle, RouteText text,
                   std::vector<RouteAnswer> answers) {
  Route& route = routes_.emplace_back();
  route.method = std::move(method);
  route.pattern = std::move(pattern);
  route.access = access;
  route.handle = std::move(handle);
  route.text = std::move(text);
  route.answers = std::move(answers);
  return route;
}

void Router::set_handler(const std::string& operation, const RouteHandler& handle) {
  for (Route& route : routes_) {
    if (route.text.operation == operation) route.handle = handle;
  }
}

const Route* Router::find(const std::string& method, const std::string& target, Call& call,
                          std::string& allowed) const {
  size_t mark = target.find('?');
  std::vector<std::string> path = split(target.substr(0, mark), '/');
  if (mark != std::string::npos) call.query = parse_query(target.substr(mark + 1));
  for (const Route& route : routes_) {
    if (!match(split(route.pattern, '/'), path, call)) continue;
    if (route.method == method || (method == "HEAD" && route.method == "GET")) return &route;
    allowed += (allowed.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
  }
  return nullptr;
}

ServerResponse json_response(int status, const Json& json) {
  ServerResponse r;
  r.status = status;
  r.headers["content-type"] = "application/json";
  r.headers["cache-control"] = "no-store";
  r.body = json.dump() + "\n";
  return r;
}

ServerResponse error_response(int status, const std::string& error, const std::string& reason) {
  return json_response(status, Json().set("error", error).set("reason", reason));
}

ServerResponse error_response(const Error& error) {
  return error_response(http_status(error.code()), code_name(error.code()), error.message());
}

}  // namespace oree
