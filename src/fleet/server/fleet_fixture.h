// SPDX-License-Identifier: Apache-2.0
// For tests: a fleet server in memory. Every answer it gives is compared with the OpenAPI document: its status must be
// listed for the route, and its JSON must fit the schema.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "core/crypto/crypto.h"
#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "fleet/server/fleet_server.h"
#include "fleet/server/openapi.h"
#include "os/sqlite/sqlite.h"

namespace oree {

// The part of JSON Schema that the document uses. "" when the value fits, else where it does not.
inline std::string schema_misfit(const Json& schema, const Json& value, const Json& schemas, const std::string& at) {
  if (const Json* to = schema.find("$ref")) {
    const std::string& name = to->as_string();
    const Json* found = schemas.find(name.substr(name.rfind('/') + 1));
    return found ? schema_misfit(*found, value, schemas, at) : "no schema " + name;
  }
  for (const Json& part : schema["allOf"].items()) {
    if (auto bad = schema_misfit(part, value, schemas, at); !bad.empty()) return bad;
  }
  if (!schema["anyOf"].is_null()) {
    bool fits = false;
    for (const Json& part : schema["anyOf"].items()) fits = fits || schema_misfit(part, value, schemas, at).empty();
    if (!fits) return at + ": fits no alternative";
  }
  auto is = [&](const std::string& type) {
    return type == "null"      ? value.is_null()
           : type == "string"  ? value.is_string()
           : type == "integer" ? value.is_int()
           : type == "number"  ? value.is_number()
           : type == "boolean" ? value.is_bool()
           : type == "array"   ? value.is_array()
                               : value.is_object();
  };
  const Json& type = schema["type"];
  bool fits = type.is_null() || (type.is_string() && is(type.as_string()));
  for (const Json& one : type.items()) fits = fits || is(one.as_string());
  if (!fits) return at + ": is not of type " + type.dump();
  if (const Json* words = schema.find("enum")) {
    bool known = false;
    for (const Json& word : words->items()) known = known || word == value;
    if (!known) return at + ": " + value.dump() + " is none of " + words->dump();
  }
  for (const Json& key : schema["required"].items()) {
    if (!value.find(key.as_string())) return at + ": has no " + key.as_string();
  }
  for (const auto& [key, part] : schema["properties"].members()) {
    if (const Json* member = value.find(key)) {
      if (auto bad = schema_misfit(part, *member, schemas, at + "." + key); !bad.empty()) return bad;
    }
  }
  if (const Json* items = schema.find("items")) {
    for (const Json& item : value.items()) {
      if (auto bad = schema_misfit(*items, item, schemas, at + "[]"); !bad.empty()) return bad;
    }
  }
  return "";
}

struct FleetFixture {
  explicit FleetFixture(bool private_reads = false) {
    options.data_folder = "data";
    options.operator_token = operator_token;
    options.private_reads = private_reads;
    auto opened = SqliteDatabase::open(":memory:");
    REQUIRE(opened.ok());
    database = std::move(*opened);
    restart();
  }
  // Another process over the same database and folder.
  void restart() {
    server = std::make_unique<FleetServer>(*database, files, clock, random, options);
    REQUIRE(server->open().ok());
    document = openapi_document(server->router());
  }

  ServerResponse call(const std::string& method, const std::string& target, const std::string& body = "",
                      const std::string& token = "", std::map<std::string, std::string> headers = {}) {
    ServerRequest head{method, target, std::move(headers), peer};
    if (!token.empty()) head.headers["authorization"] = "Bearer " + token;
    RequestPlan plan = server->begin(head);
    ServerResponse response;
    if (plan.answer) {
      CHECK(!plan.sink);
      response = std::move(*plan.answer);
    } else if (static_cast<int64_t>(body.size()) > plan.body_bytes_max) {
      response = error_response(413, "exhausted", "the body is too large");
    } else {
      auto refused = body.empty() ? std::nullopt : plan.sink->write(as_bytes(body));
      response = refused ? std::move(*refused) : plan.sink->finish();
    }
    check_documented(method, target, response);
    return response;
  }
  Json json(const std::string& method, const std::string& target, const std::string& body = "",
            const std::string& token = "") {
    auto parsed = Json::parse(call(method, target, body, token).body);
    REQUIRE(parsed.ok());
    return *parsed;
  }
  Json as_operator(const std::string& method, const std::string& target, const std::string& body = "") {
    return json(method, target, body, operator_token);
  }
  int status(const std::string& method, const std::string& target, const std::string& body = "",
             const std::string& token = "") {
    return call(method, target, body, token).status;
  }

  void check_documented(const std::string& method, const std::string& target, const ServerResponse& response) {
    Call parsed;
    std::string allowed;
    const Route* route = server->router().find(method, target, parsed, allowed);
    if (!route) {
      CHECK((response.status == 404 || response.status == 405));
      return;
    }
    std::string verb = route->method;
    for (char& c : verb) c = static_cast<char>(c - 'A' + 'a');
    const Json& answer = document["paths"][route->pattern][verb]["responses"][std::to_string(response.status)];
    INFO(method << " " << target << " -> " << response.status << " " << response.body);
    CHECK(!answer.is_null());
    const Json& schema = answer["content"]["application/json"]["schema"];
    if (schema.is_null()) return;
    auto body = Json::parse(response.body);
    REQUIRE(body.ok());
    CHECK(schema_misfit(schema, *body, document["components"]["schemas"], "body") == "");
  }

  std::string add_device(const std::string& id, const std::string& type = "pi5") {
    Json made = as_operator("POST", "/api/v1/devices", Json().set("id", id).set("device_type", type).dump());
    return made["token"].as_string();
  }
  std::string put_blob(const std::string& bytes) {
    std::string digest = digest_text(sha256(as_bytes(bytes)));
    CHECK(call("PUT", "/blobs/sha256/" + digest, bytes, operator_token).status < 300);
    return digest;
  }
  std::string release_body(const std::string& model, const std::string& version, const std::string& bytes,
                           const std::vector<std::string>& types = {"pi5"}) {
    Release release{model, version, put_blob(bytes), static_cast<int64_t>(bytes.size()), types, ""};
    return release_to_json(release).dump();
  }
  int publish(const std::string& model, const std::string& version, const std::string& bytes,
              const std::vector<std::string>& types = {"pi5"}) {
    return status("POST", "/api/v1/releases", release_body(model, version, bytes, types), operator_token);
  }
  // A five-minute report with 10 predictions of 20 ms and confidence 0.8.
  Report report(int64_t seq, const std::string& boot = "boot-a") {
    Report r;
    r.boot_id = boot;
    r.seq = seq;
    r.end_ms = clock.wall_ms();
    r.start_ms = r.end_ms - 300'000;
    r.duration_ms = 300'000;
    ModelReport m;
    m.model = "detector";
    m.version = "1.0";
    m.bundle_digest = std::string(64, 'a');
    m.predictions = 10;
    for (int i = 0; i < 10; ++i) {
      m.confidence.add(0.8);
      m.latency_ms.add(20);
    }
    r.models.push_back(m);
    return r;
  }
  Json send(const std::string& device, const std::string& token, const std::vector<Report>& reports) {
    Json list = Json::array();
    for (const Report& r : reports) list.push(report_to_json(r));
    return json("POST", "/api/v1/devices/" + device + "/telemetry", Json().set("reports", list).dump(), token);
  }
  Json live_alerts() { return as_operator("GET", "/api/v1/alerts?state=live")["alerts"]; }

  std::string operator_token = "op_0123456789abcdef0123456789abcdef", peer = "192.0.2.1";
  FakeClock clock;
  FakeRandom random;
  FakeFiles files;
  FleetOptions options;
  std::unique_ptr<SqliteDatabase> database;
  std::unique_ptr<FleetServer> server;
  Json document;
};

}  // namespace oree
