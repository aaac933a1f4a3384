// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/codec/tar.h"
#include "fleet/server/auth.h"
#include "fleet/server/fleet_fixture.h"
#include "fleet/server/schema.h"

namespace oree {

TEST_CASE("the document names every route of the router and no other") {
  FleetFixture f;
  auto served = Json::parse(f.call("GET", "/openapi.json").body);
  REQUIRE(served.ok());
  CHECK(*served == f.document);
  std::set<std::string> documented, routed, operations;
  for (const auto& [path, item] : served->find("paths")->members()) {
    for (const auto& [method, operation] : item.members()) {
      if (method != "head") documented.insert(method + " " + path);
      CHECK(operations.insert(operation["operationId"].as_string()).second);
      CHECK(!operation["summary"].as_string().empty());
    }
  }
  for (const Route& route : f.server->router().routes()) {
    std::string verb = route.method;
    for (char& c : verb) c = static_cast<char>(c - 'A' + 'a');
    routed.insert(verb + " " + route.pattern);
    CHECK((route.handle || route.stream));
  }
  CHECK(documented == routed);
}

TEST_CASE("the published document is the one that is served") {
  FleetFixture f;
  std::ifstream file(std::string(OREE_SOURCE_DIR) + "/docs/formats/openapi.json");
  std::string published((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  INFO("make it anew: curl URL/openapi.json > docs/formats/openapi.json");
  CHECK((published == f.call("GET", "/openapi.json").body));
}

TEST_CASE("every route keeps to its access") {
  FleetFixture f;
  std::string device = f.add_device("a");
  for (const Route& route : f.server->router().routes()) {
    std::string path = route.pattern;
    for (auto [from, to] : {std::pair{"{id}", "b"}, std::pair{"{name}", "m"}, std::pair{"{hex}", "00"}}) {
      if (size_t at = path.find(from); at != std::string::npos) path.replace(at, std::string(from).size(), to);
    }
    INFO(route.method << " " << path);
    int nobody = f.status(route.method, path), wrong = f.status(route.method, path, "", "nonsense");
    bool closed = route.access == Access::kOperator || route.access == Access::kDevice;
    CHECK((nobody == 401) == closed);
    CHECK((wrong == 401) == closed);
    CHECK((f.status(route.method, path, "", device) == 403) == closed);  // device a is not b
    CHECK((f.status(route.method, path, "", f.operator_token) == 403) == (route.access == Access::kDevice));
    f.clock.advance_ms(61'000);
  }
}

TEST_CASE("a private server shows models, blobs and metrics to its own only") {
  FleetFixture f(true);
  std::string device = f.add_device("a"), digest = f.put_blob("x");
  f.publish("m", "1", "x");
  for (const std::string& path :
       {std::string("/model/m/latest?device_type=pi5"), "/blobs/sha256/" + digest, std::string("/metrics")}) {
    CHECK(f.status("GET", path) == 401);
    CHECK(f.status("GET", path, "", "nonsense") == 401);
    CHECK(f.status("GET", path, "", device) == 200);
    CHECK(f.status("GET", path, "", f.operator_token) == 200);
  }
  CHECK(f.status("GET", "/healthz") == 200);
  CHECK(f.status("GET", "/") == 200);
}

TEST_CASE("paths and methods that are not there") {
  FleetFixture f;
  for (const char* path : {"/nothing", "", "//", "/api/v1/devices/", "/api/v1/devices/%zz/token",
                           "/model//latest?device_type=a", "/index.html", "*"}) {
    INFO(path);
    CHECK(f.status("GET", path, "", f.operator_token) == 404);
  }
  ServerResponse wrong = f.call("PATCH", "/api/v1/devices");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers.at("allow") == "POST, GET, HEAD");
  CHECK(f.call("HEAD", "/healthz").status == 200);
}

TEST_CASE("devices are registered once, their tokens can be changed, and removing them voids all") {
  FleetFixture f;
  std::string token = f.add_device("a"), body = "{\"id\":\"a\",\"device_type\":\"pi5\"}", path = "/api/v1/devices/a";
  CHECK(f.status("POST", "/api/v1/devices", body, f.operator_token) == 409);
  for (const char* wrong : {"{}", "{\"id\":\"a b\",\"device_type\":\"x\"}", "{\"id\":\"../a\",\"device_type\":\"x\"}",
                            "{\"id\":5}", "{\"id\":\"c\",\"device_type\":\"\"}"}) {
    CHECK(f.status("POST", "/api/v1/devices", wrong, f.operator_token) == 400);
  }
  auto stored = f.database->query("SELECT count(*) FROM devices WHERE token_hash LIKE '%' || ? || '%'", {token});
  CHECK((*stored)[0].integer(0) == 0);
  f.send("a", token, {f.report(1)});
  std::string fresh = f.as_operator("POST", path + "/token")["token"].as_string();
  CHECK(f.status("POST", path + "/telemetry", "{\"reports\":[]}", token) == 401);
  CHECK(f.status("POST", path + "/telemetry", "{\"reports\":[]}", fresh) == 200);
  CHECK(f.status("DELETE", path, "", f.operator_token) == 200);
  CHECK(f.status("DELETE", path, "", f.operator_token) == 404);
  CHECK(f.status("POST", path + "/token", "", f.operator_token) == 404);
  CHECK(f.status("GET", path, "", f.operator_token) == 404);
  CHECK(f.status("GET", path + "/reports", "", f.operator_token) == 404);
  CHECK(f.status("POST", path + "/telemetry", "{\"reports\":[]}", fresh) == 401);
  std::string reborn = f.add_device("a");
  CHECK(f.as_operator("GET", path + "/reports")["reports"].items().empty());
  CHECK(f.send("a", reborn, {f.report(1)})["accepted"].items().size() == 1);
}

TEST_CASE("wrong tokens are told to wait, right ones never") {
  FleetFixture f;
  for (int i = 0; i < kServerAuthFailuresMax; ++i) CHECK(f.status("GET", "/api/v1/overview", "", "nonsense") == 401);
  ServerResponse limited = f.call("GET", "/api/v1/overview", "", "nonsense");
  CHECK(limited.status == 429);
  CHECK(limited.headers.at("retry-after") == "60");
  CHECK(f.status("GET", "/api/v1/overview", "", f.operator_token) == 200);
  f.peer = "192.0.2.2";
  CHECK(f.status("GET", "/api/v1/overview") == 401);
  f.peer = "192.0.2.1";
  f.clock.advance_ms(61'000);
  CHECK(f.status("GET", "/api/v1/overview") == 401);
}

TEST_CASE("the operator's token is made once, kept, and can be given") {
  FakeFiles files;
  FakeRandom random;
  auto made = load_operator_token(files, random, "operator.token", "");
  REQUIRE(made.ok());
  CHECK(made->created);
  CHECK(made->token.size() >= kOperatorTokenCharsMin);
  auto again = load_operator_token(files, random, "operator.token", "");
  CHECK(again->token == made->token);
  CHECK(!again->created);
  CHECK(load_operator_token(files, random, "operator.token", std::string(32, 'x'))->token == std::string(32, 'x'));
  CHECK(load_operator_token(files, random, "operator.token", "short").error().code() == Code::kUsage);
  files.put("operator.token", "\n");
  CHECK(load_operator_token(files, random, "operator.token", "").error().code() == Code::kInvalid);
  CHECK(make_token(random, "od_") != make_token(random, "od_"));
}

TEST_CASE("a database of a newer server is refused") {
  auto database = SqliteDatabase::open(":memory:");
  REQUIRE((*database)->script("PRAGMA user_version = 999").ok());
  CHECK(migrate_fleet(**database).error().code() == Code::kUnsupported);
}

TEST_CASE("the bundle's reference is kept for drift, and its manifest must agree") {
  FleetFixture f;
  DriftReference reference;
  for (int i = 0; i < 1000; ++i) reference.histogram.add(0.9);
  auto bundle = [&](const std::string& version) {
    std::string out;
    auto add = [&](const std::string& path, const std::string& text) {
      out += as_text(tar_header(path, static_cast<int64_t>(text.size())));
      out += text + std::string(as_text(tar_padding(static_cast<int64_t>(text.size()))));
    };
    add("manifest.json", Json().set("model", "detector").set("version", version).dump());
    add("reference.json", drift_reference_to_json(reference).dump());
    return out + std::string(as_text(tar_end()));
  };
  CHECK(f.publish("detector", "1.0", bundle("1.1")) == 422);
  CHECK(f.publish("detector", "1.0", bundle("1.0")) == 201);
  std::string token = f.add_device("a");
  Report r = f.report(1);
  for (int i = 0; i < 200; ++i) r.models[0].confidence.add(0.3);
  f.send("a", token, {r});  // the device gave no verdict: the server judges
  Json alerts = f.live_alerts();
  REQUIRE(alerts.items().size() == 1);
  CHECK(alerts.items()[0]["kind"] == Json("drift"));
  Json model = f.as_operator("GET", "/api/v1/overview")["models"].items()[0];
  CHECK(model["reference_shares"].items().size() == 32);
  CHECK(model["reference_distance"].as_double() > 0.5);
}

TEST_CASE("metrics are in Prometheus' text format, whatever a model is called") {
  FleetFixture f;
  std::string token = f.add_device("a");
  Report r = f.report(1);
  r.models[0].model = "quote\" back\\slash\nline";
  r.models[0].drift = {DriftLevel::kNone, 0.01, 200};
  f.send("a", token, {r});
  ServerResponse metrics = f.call("GET", "/metrics");
  CHECK(metrics.headers.at("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(metrics.body.find("model=\"quote\\\" back\\\\slash\\nline\"") != std::string::npos);
  CHECK(metrics.body.find("oree_devices{state=\"online\"} 1\n") != std::string::npos);
  std::set<std::string> families;
  std::string current;
  for (const std::string& line : split(metrics.body, '\n')) {
    if (line.starts_with("# TYPE ")) {
      current = split(line, ' ')[2];
      CHECK(families.insert(current).second);
    } else if (!line.empty() && line[0] != '#') {
      CHECK(line.substr(0, line.find_first_of("{ ")) == current);
    }
  }
}

TEST_CASE("the page loads nothing from elsewhere and is sent again only when it changed") {
  FleetFixture f;
  for (const char* path : {"/", "/app.js", "/style.css"}) {
    ServerResponse page = f.call("GET", path);
    CHECK(page.status == 200);
    CHECK(page.headers.at("content-security-policy").find("default-src 'none'") == 0);
    CHECK(page.body.find("https://") == std::string::npos);
    CHECK(f.call("GET", path, "", "", {{"if-none-match", page.headers.at("etag")}}).status == 304);
  }
  std::string html = f.call("GET", "/").body;
  CHECK(html.find("onclick=") == std::string::npos);
  CHECK(html.find("style=\"") == std::string::npos);
}

}  // namespace oree
