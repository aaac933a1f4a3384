// SPDX-License-Identifier: Apache-2.0
// What the agent tells the server, and what it makes of the answer.
#include <doctest/doctest.h>

#include <set>

#include "device/agent/agent.h"
#include "device/agent/world_test.h"

using namespace oree;

TEST_CASE("drift against the reference is reported at once") {
  World world;
  world.config.telemetry_ms = 3'000'000;
  world.config.drift_windows = 1;
  TestBundle bundle = world.make_bundle("1.0");
  world.offer(bundle);
  REQUIRE(world.settle());
  world.behaviour["1.0"].app = Behaviour::kDrifts;
  bool severe = false;
  world.http.on("https://fleet/api/v1/devices/cam-1/telemetry", [&](const HttpRequest& r) -> Result<HttpResponse> {
    Json json = *Json::parse(r.body);
    for (const Json& item : json["reports"].items()) {
      Report report = *report_from_json(item);
      for (const ModelReport& m : report.models) severe = severe || m.drift.level == DriftLevel::kSevere;
    }
    return HttpResponse{200, {}, R"({"accepted":[]})"};
  });
  world.boot();
  world.run_for(60'000);
  CHECK(severe);
}

TEST_CASE("a report that the server names as rejected is given up, and the others of its batch are counted") {
  World world;
  TestBundle bundle = world.make_bundle("1.0");
  world.offer(bundle);
  REQUIRE(world.settle());
  std::set<int64_t> taken;
  int offered = 0;
  world.http.on("https://fleet/api/v1/devices/cam-1/telemetry", [&](const HttpRequest& r) -> Result<HttpResponse> {
    Json json = *Json::parse(r.body);
    Json accepted = Json::array();
    Json rejected = Json::array();
    for (const Json& item : json["reports"].items()) {
      bool poison = item["seq"].as_int() == 3;
      offered += poison;
      Json identity = Json::object().set("boot_id", item["boot_id"]).set("seq", item["seq"]);
      if (!poison) taken.insert(item["seq"].as_int());
      (poison ? rejected : accepted).push(identity);
    }
    Json answer = Json::object().set("accepted", accepted).set("rejected", rejected);
    return HttpResponse{200, {}, answer.dump()};
  });
  world.boot();
  world.run_for(150'000);
  CHECK(offered == 1);
  CHECK(taken.count(3) == 0);
  CHECK(taken.count(4) == 1);
}
