// SPDX-License-Identifier: Apache-2.0
// Refusals that can be mended: an engine that is not here yet, or not in a version that can run the model.
#include <doctest/doctest.h>

#include "device/agent/show.h"
#include "device/agent/world_test.h"

using namespace oree;

namespace {

struct Waiting : World {
  // 1.0 is committed; 1.1 is offered and refused because of the engine.
  explicit Waiting(const std::string& found) {
    offer(make_bundle("1.0"));
    REQUIRE(settle());
    engine = found;
    if (found != "absent") behaviour["1.1"].proof = Behaviour::kUnfit;
    next = make_bundle("1.1");
    offer(next);
    REQUIRE(settle());
    REQUIRE(last().version == "1.1");
  }
  size_t downloads() const {
    size_t n = 0;
    for (const HttpRequest& r : http.requests) n += r.url.find(next.digest) != std::string::npos;
    return n;
  }
  int looks() const {
    int n = 0;
    for (const ProcessSpec& spec : processes.spawned) n += spec.argv.size() > 2 && spec.argv[2] == "--runtime";
    return n;
  }
  TestBundle next;
};

constexpr int64_t kHourMs = 3'600'000;

}  // namespace

TEST_CASE("an update whose engine is missing is refused once and neither fetched nor told again") {
  Waiting world("absent");
  CHECK(world.last().outcome == "refused");
  CHECK(world.last().reason == "runtime_missing");
  CHECK(world.running() == "1.0");
  int64_t seq = world.agent->state().update_seq;
  size_t fetched = world.downloads();
  world.run_for(2 * kHourMs);
  CHECK(world.agent->state().update_seq == seq);
  CHECK(world.downloads() == fetched);
  CHECK(world.statuses.back().update_reason == "runtime_missing");
  // It looks for the engine all the while, but with pauses that grow to poll_backoff_ms_max, here a minute.
  CHECK(world.looks() > 60);
  CHECK(world.looks() < 140);
  CHECK(world.processes.running() == 1);
}

TEST_CASE("the engine is installed: the update is done without a restart") {
  Waiting world("absent");
  world.run_for(kHourMs);
  size_t fetched = world.downloads();
  world.engine = "1.20";
  world.run_for(kHourMs / 4);
  CHECK(world.running() == "1.1");
  CHECK(world.last().outcome == "committed");
  CHECK(world.downloads() > fetched);
  CHECK(world.agent->state().refused.empty());
  int looks = world.looks();
  world.run_for(kHourMs);
  CHECK(world.looks() == looks);  // nothing is waited for any more
}

TEST_CASE("the engine is installed while the agent is off: its first poll finds it") {
  Waiting world("absent");
  world.run_for(kHourMs);
  world.kill();
  world.engine = "1.20";
  world.boot();
  CHECK(world.agent->state().is_refused(world.next.digest));  // the journal remembers
  world.run_for(60'000);
  CHECK(world.running() == "1.1");
}

TEST_CASE("SIGHUP looks for the engine at once, whatever the pause") {
  Waiting world("absent");
  world.config.poll_backoff_ms_max = 24 * kHourMs;
  world.boot();
  world.run_for(24 * kHourMs);
  world.engine = "1.20";
  world.agent->poll_now();
  world.run_for(60'000);
  CHECK(world.running() == "1.1");
}

TEST_CASE("an engine that cannot run the model is asked again when it is another version") {
  Waiting world("1.20");
  CHECK(world.last().reason == "incompatible");
  size_t fetched = world.downloads();
  world.run_for(kHourMs);
  CHECK(world.downloads() == fetched);
  CHECK(world.running() == "1.0");
  world.engine = "1.21";
  world.behaviour["1.1"].proof = Behaviour::kProves;
  world.run_for(kHourMs / 4);
  CHECK(world.running() == "1.1");
}

TEST_CASE("an engine that comes and still cannot run the model costs one download and one outcome") {
  Waiting world("absent");
  size_t once = world.downloads();
  world.behaviour["1.1"].proof = Behaviour::kUnfit;
  world.engine = "1.20";
  world.run_for(2 * kHourMs);
  CHECK(world.last().reason == "incompatible");
  CHECK(world.agent->state().update_seq == 3);
  CHECK(world.downloads() == 2 * once);
  CHECK(world.running() == "1.0");
}

TEST_CASE("a newer release goes before one that waits for its engine") {
  Waiting world("absent");
  world.run_for(60'000);
  world.engine = "1.20";
  world.offer(world.make_bundle("1.2"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.2");
}

TEST_CASE("a one-shot run waits for the look and for what follows from it") {
  Waiting world("absent");
  world.engine = "1.20";
  world.boot();
  while (!world.agent->settled()) world.run_for(250);
  CHECK(world.agent->settled()->ok());
  CHECK(world.running() == "1.1");
}

TEST_CASE("the status of a data folder says what a refused digest waits for") {
  Waiting world("absent");
  auto described = describe_data(world.disk, "/data");
  REQUIRE(described.ok());
  const Json& refused = (*described)["refused"].items().at(0);
  CHECK(refused["reason"].as_string() == "runtime_missing");
  CHECK(refused["waits_for"].as_string() == "onnxruntime");
  CHECK(refused["found"].as_string() == "absent");
}

TEST_CASE("a bundle of a newer format is tried again by another version of the agent, and only by that") {
  AgentState state;
  std::string newer(64, 'a'), bad(64, 'b');
  state.refused = {{newer, "incompatible", {kOwnProgram, "0.1.0"}}, {bad, "signature", {}}};
  UpdatePolicy policy;
  policy.agent_version = "0.1.0";
  CHECK(step(policy, state, BootEvent{}).state.refused == state.refused);
  policy.agent_version = "0.2.0";
  AgentState after = step(policy, state, BootEvent{}).state;
  CHECK_FALSE(after.is_refused(newer));
  CHECK(after.is_refused(bad));
}
