// SPDX-License-Identifier: Apache-2.0
// What bundles set on the device, over whole updates. HostTuner alone: host_test.cc.
#include <doctest/doctest.h>

#include "device/agent/world_test.h"

namespace oree {

TEST_CASE("a bundle's niceness and governor hold for its proof and its application, and end with it") {
  World world;
  world.config.host = {true, 0};
  world.boot();
  world.offer(world.make_bundle("1.0"));
  REQUIRE(world.settle());
  for (const ProcessSpec& spec : world.processes.spawned) CHECK(spec.nice == 0);
  CHECK(world.governor.was_set.empty());

  const size_t before = world.processes.spawned.size();
  world.host["1.1"] = {7, "performance"};
  world.offer(world.make_bundle("1.1"));
  REQUIRE(world.settle());
  REQUIRE(world.running() == "1.1");
  REQUIRE(world.processes.spawned.size() >= before + 2);  // its proof, its application
  for (size_t i = before; i < world.processes.spawned.size(); ++i) {
    CAPTURE(world.processes.spawned[i].argv[0]);
    CHECK(world.processes.spawned[i].nice == 7);
  }
  CHECK(world.governor.now == "performance");

  // One that fails its proof takes nothing along; its niceness is not allowed.
  world.host["1.2"] = {-5, "powersave"};
  world.behaviour["1.2"].proof = Behaviour::kMismatch;
  world.offer(world.make_bundle("1.2"));
  REQUIRE(world.settle());
  CHECK(world.last().outcome == "refused");
  CHECK(world.processes.spawned.back().nice == 0);
  CHECK(world.governor.was_set == std::vector<std::string>{"performance", "powersave", "performance"});
  world.agent->shutdown();
  CHECK(world.governor.now == "schedutil");
}

}  // namespace oree
