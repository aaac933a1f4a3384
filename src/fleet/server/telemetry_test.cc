// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "core/base/limits.h"
#include "fleet/server/fleet_fixture.h"

namespace oree {
namespace {

Json overview_device(FleetFixture& f, const std::string& id) {
  Json overview = f.as_operator("GET", "/api/v1/overview");
  for (const Json& d : overview["devices"].items()) {
    if (d["id"].as_string() == id) return d;
  }
  return Json();
}

double samples(FleetFixture& f) { return overview_device(f, "a")["latency_ms"]["count"].as_double(); }

DeviceStatus status_of(const std::string& outcome, int64_t seq) {
  DeviceStatus s;
  s.device_type = "pi5";
  s.model = "detector";
  s.version = "1.0";
  s.state = "idle";
  s.update_version = "1.1";
  s.update_digest = std::string(64, 'b');
  s.update_outcome = outcome;
  s.update_reason = outcome == "committed" ? "" : "golden_mismatch";
  s.update_seq = seq;
  return s;
}

}  // namespace

TEST_CASE("a report counts once: twice, out of order, after a restart") {
  FleetFixture f;
  std::string token = f.add_device("a");
  Json answer = f.send("a", token, {f.report(2), f.report(1)});
  CHECK(answer["accepted"].items().size() == 2);
  CHECK(samples(f) == 20);
  CHECK(f.send("a", token, {f.report(1), f.report(2), f.report(2)})["accepted"].items().size() == 3);
  CHECK(samples(f) == 20);
  f.restart();
  f.send("a", token, {f.report(2)});
  CHECK(samples(f) == 20);
  f.send("a", token, {f.report(1, "boot-b")});
  CHECK(samples(f) == 30);
  CHECK(f.as_operator("GET", "/api/v1/devices/a/reports")["reports"].items().size() == 3);
}

TEST_CASE("one malformed report does not hold up the others") {
  FleetFixture f;
  std::string token = f.add_device("a");
  Json wrong = report_to_json(f.report(2));
  wrong.set("duration_ms", -1);
  Json large = report_to_json(f.report(3));
  large.set("note", std::string(static_cast<size_t>(kTelemetryReportBytesMax), 'x'));
  Json batch = Json::array()
                   .push(report_to_json(f.report(1)))
                   .push(wrong)
                   .push(large)
                   .push(Json(7))
                   .push(report_to_json(f.report(4)));
  Json answer = f.json("POST", "/api/v1/devices/a/telemetry", Json().set("reports", batch).dump(), token);
  CHECK(answer["accepted"].items().size() == 2);
  REQUIRE(answer["rejected"].items().size() == 3);
  CHECK(answer["rejected"].items()[0]["seq"] == Json(2));
  CHECK(answer["rejected"].items()[0]["reason"].as_string().find("duration_ms") != std::string::npos);
}

TEST_CASE("telemetry is bounded and must be JSON") {
  FleetFixture f;
  std::string token = f.add_device("a"), path = "/api/v1/devices/a/telemetry";
  Json batch = Json::array();
  for (int i = 0; i <= kTelemetryBatchReportsMax; ++i) batch.push(Json());
  CHECK(f.status("POST", path, Json().set("reports", batch).dump(), token) == 400);
  for (const char* body : {"", "{}", "[]", "{\"reports\":1}", "{\"reports\":[}", "\xff"})
    CHECK(f.status("POST", path, body, token) == 400);
  CHECK(f.status("POST", path, std::string(static_cast<size_t>(kHttpBodyBytesMax) + 1, ' '), token) == 413);
  CHECK(f.status("POST", path, std::string(1000, '['), token) == 400);
}

TEST_CASE("a device speaks only for itself, and the operator for none") {
  FleetFixture f;
  std::string a = f.add_device("a"), b = f.add_device("b"), body = "{\"reports\":[]}";
  for (const char* what : {"telemetry", "status"}) {
    std::string path = std::string("/api/v1/devices/a/") + what;
    CHECK(f.status("POST", path, body) == 401);
    CHECK(f.status("POST", path, body, "od_wrong") == 401);
    CHECK(f.status("POST", path, body, b) == 403);
    CHECK(f.status("POST", path, body, f.operator_token) == 403);
  }
  CHECK(f.status("POST", "/api/v1/devices/a/telemetry", body, a) == 200);
  CHECK(f.status("POST", "/api/v1/devices/a/status", device_status_to_json(status_of("", 0)).dump(), a) == 200);
}

TEST_CASE("the last hour is the device's own, whatever its clock says") {
  FleetFixture f;
  std::string token = f.add_device("a");
  std::vector<Report> reports;
  int64_t end = f.clock.wall_ms() - 5 * 3'600'000;  // five hours slow
  for (int i = 1; i <= 24; ++i) {
    Report r = f.report(i);
    r.end_ms = end + i * 300'000;
    reports.push_back(r);
  }
  f.send("a", token, reports);
  CHECK(samples(f) == 120);  // 12 reports of 5 minutes
  CHECK(overview_device(f, "a")["predictions_per_hour"].as_double() == doctest::Approx(120));
  Report broken = f.report(25);
  broken.start_ms = broken.end_ms = 0;  // 1970
  f.send("a", token, {broken});
  CHECK(samples(f) == 10);  // the others are hours older than its arrival
}

TEST_CASE("what was not measured is absent, not zero") {
  FleetFixture f;
  std::string token = f.add_device("a");
  CHECK(overview_device(f, "a")["latency_ms"].is_null());
  CHECK(overview_device(f, "a")["state"] == Json("never"));
  f.send("a", token, {f.report(1)});
  CHECK(overview_device(f, "a")["temperature_celsius"].is_null());
  CHECK(f.call("GET", "/metrics").body.find("oree_device_temperature_celsius") == std::string::npos);
  Report warm = f.report(2);
  warm.temperature_celsius = 61.5;
  f.clock.advance_ms(1000);
  warm.end_ms = f.clock.wall_ms();
  f.send("a", token, {warm});
  CHECK(overview_device(f, "a")["temperature_celsius"] == Json(61.5));
  CHECK(overview_device(f, "a")["latency_ms"]["p95"].as_double() == doctest::Approx(20).epsilon(0.01));
  CHECK(overview_device(f, "a")["confidence_mean"].as_double() == doctest::Approx(0.8).epsilon(0.01));
}

TEST_CASE("severe drift raises one alert and one retrain request, and resolves") {
  FleetFixture f;
  std::string token = f.add_device("a");
  auto send = [&](int64_t seq, DriftLevel level) {
    f.clock.advance_ms(300'000);
    Report r = f.report(seq);
    r.models[0].drift = {level, 0.31, 500};
    f.send("a", token, {r});
  };
  send(1, DriftLevel::kNone);
  send(2, DriftLevel::kWarn);
  CHECK(f.live_alerts().items().empty());
  send(3, DriftLevel::kSevere);
  send(4, DriftLevel::kSevere);
  Json alerts = f.live_alerts();
  REQUIRE(alerts.items().size() == 1);
  CHECK(alerts.items()[0]["kind"] == Json("drift"));
  CHECK(alerts.items()[0]["count"] == Json(2));
  CHECK(alerts.items()[0]["subject"] == Json("detector@1.0"));
  CHECK(f.as_operator("GET", "/api/v1/retrain-requests")["retrain_requests"].items().size() == 1);
  std::string ack = "/api/v1/alerts/" + std::to_string(alerts.items()[0]["id"].as_int()) + "/ack";
  CHECK(f.status("POST", ack, "", token) == 403);
  CHECK(f.as_operator("POST", ack)["state"] == Json("acknowledged"));
  CHECK(f.as_operator("POST", ack, "{}")["state"] == Json("acknowledged"));
  send(5, DriftLevel::kSevere);
  CHECK(f.live_alerts().items()[0]["state"] == Json("acknowledged"));
  send(6, DriftLevel::kNone);
  CHECK(f.live_alerts().items().empty());
  CHECK(f.status("POST", ack, "", f.operator_token) == 409);
  CHECK(f.status("POST", "/api/v1/alerts/99/ack", "", f.operator_token) == 404);
  CHECK(f.status("POST", "/api/v1/alerts/x/ack", "", f.operator_token) == 400);
  send(7, DriftLevel::kSevere);
  CHECK(f.as_operator("GET", "/api/v1/retrain-requests")["retrain_requests"].items().size() == 2);
}

TEST_CASE("an update that failed is an alert, recorded once") {
  FleetFixture f;
  std::string token = f.add_device("a");
  auto tell = [&](const DeviceStatus& s) {
    return f.status("POST", "/api/v1/devices/a/status", device_status_to_json(s).dump(), token);
  };
  CHECK(tell(status_of("rolled_back", 1)) == 200);
  DeviceStatus again = status_of("rolled_back", 1);
  again.telemetry_pending = 5;
  CHECK(tell(again) == 200);
  Json alerts = f.live_alerts();
  REQUIRE(alerts.items().size() == 1);
  CHECK(alerts.items()[0]["count"] == Json(1));
  CHECK(alerts.items()[0]["detail"].as_string().find("golden_mismatch") != std::string::npos);
  CHECK(tell(status_of("refused", 2)) == 200);
  CHECK(f.live_alerts().items()[0]["count"] == Json(2));
  CHECK(tell(status_of("committed", 3)) == 200);
  CHECK(f.live_alerts().items().empty());
  CHECK(f.as_operator("GET", "/api/v1/devices/a")["updates"].items().size() == 3);
  DeviceStatus wrong = status_of("exploded", 4);
  CHECK(tell(wrong) == 400);
}

TEST_CASE("a silent device is an alert until it speaks; a server that slept blames nobody") {
  FleetFixture f;
  std::string token = f.add_device("a");
  f.add_device("never-heard");
  f.send("a", token, {f.report(1)});
  auto wait = [&](int64_t ms) {
    f.clock.advance_ms(ms);
    for (int i = 0; i < 60; ++i) f.server->tick();
  };
  wait(800'000);
  CHECK(f.live_alerts().items().empty());
  wait(200'000);
  REQUIRE(f.live_alerts().items().size() == 1);
  CHECK(f.live_alerts().items()[0]["kind"] == Json("silent"));
  CHECK(overview_device(f, "a")["state"] == Json("offline"));
  CHECK(f.status("GET", "/model/x/latest?device_type=pi5", "", token) == 404);  // a poll is a sign of life
  CHECK(f.live_alerts().items().empty());
  CHECK(f.server->close().ok());
  f.clock.advance_ms(86'400'000);
  f.restart();
  for (int i = 0; i < 60; ++i) f.server->tick();
  CHECK(f.live_alerts().items().empty());
  wait(1'000'000);
  CHECK(f.live_alerts().items().size() == 1);
}

TEST_CASE("heat is an alert with hysteresis") {
  FleetFixture f;
  std::string token = f.add_device("a");
  int64_t seq = 0;
  auto send = [&](double celsius) {
    f.clock.advance_ms(300'000);
    Report r = f.report(++seq);
    r.temperature_celsius = celsius;
    f.send("a", token, {r});
    return f.live_alerts().items().size();
  };
  CHECK(send(79.9) == 0);
  CHECK(send(80.0) == 1);
  CHECK(send(76.0) == 1);
  CHECK(send(74.9) == 0);
}

TEST_CASE("many threads at once lose and repeat nothing") {
  FleetFixture f;
  std::vector<std::string> tokens;
  for (int d = 0; d < 4; ++d) tokens.push_back(f.add_device("d" + std::to_string(d)));
  auto post = [&](int d, int64_t seq) {
    std::string body = Json().set("reports", Json::array().push(report_to_json(f.report(seq)))).dump();
    ServerRequest head{"POST",
                       "/api/v1/devices/d" + std::to_string(d) + "/telemetry",
                       {{"authorization", "Bearer " + tokens[static_cast<size_t>(d)]}},
                       "x"};
    RequestPlan plan = f.server->begin(head);
    return plan.sink && !plan.sink->write(as_bytes(body)) && plan.sink->finish().status == 200;
  };
  auto get = [&](const char* path) {
    RequestPlan plan = f.server->begin({"GET", path, {{"authorization", "Bearer " + f.operator_token}}, "x"});
    return plan.sink && plan.sink->finish().status == 200;
  };
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int d = 0; d < 8; ++d) {  // two threads a device send the same reports
    threads.emplace_back([&, d] {
      for (int64_t seq = 1; seq <= 12; ++seq) wrong += !post(d % 4, seq);
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < 20; ++i) {
      wrong += !get("/api/v1/overview") + !get("/metrics");
      f.server->tick();
    }
  });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(f.server->fleet().counters.reports_accepted == 48);
  CHECK(f.server->fleet().counters.reports_repeated == 48);
}

TEST_CASE("old reports go") {
  FleetFixture f;
  std::string token = f.add_device("a");
  f.send("a", token, {f.report(1)});
  f.clock.advance_ms((kFleetReportDaysMax + 1) * int64_t{86'400'000});
  f.send("a", token, {f.report(2)});
  for (int i = 0; i < 60; ++i) f.server->tick();
  Json reports = f.as_operator("GET", "/api/v1/devices/a/reports")["reports"];
  REQUIRE(reports.items().size() == 1);
  CHECK(reports.items()[0]["seq"] == Json(2));
}

}  // namespace oree
