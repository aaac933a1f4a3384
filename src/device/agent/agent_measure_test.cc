// SPDX-License-Identifier: Apache-2.0
// The device lent for measuring: the application's pause, an update's turn, and the way back whatever happens.
#include <doctest/doctest.h>

#include "device/agent/world_test.h"

using namespace oree;

namespace {

// A committed 1.0 whose application runs, and a measuring process that follows a script.
struct Lending : World {
  explicit Lending(std::vector<FakeChild::Line> script) {
    config.measure.emplace();
    config.measure->options.listen = "127.0.0.1:8733";
    measure_child = [this] {
      FakeChild child = next;
      child.reply = [this](const std::string& line) {
        heard.push_back(line);
        return std::vector<std::string>();
      };
      ++starts;
      return child;
    };
    offer(make_bundle("1.0"));
    REQUIRE(settle());
    next.messages = std::move(script);
    restart();
  }
  void restart() {
    starts = 0;
    heard.clear();
    boot();
  }
  bool app_runs() const {
    int children = processes.running();
    return children == (starts > 0 && !measure_gone ? 2 : 1);
  }
  std::string state() { return agent->status().state; }

  FakeChild next;
  int starts = 0;
  bool measure_gone = false;
  std::vector<std::string> heard;
};

FakeChild::Line begin_at(int64_t ms, int job = 1) {
  return {ms, R"({"type":"begin","job":)" + std::to_string(job) + R"(,"by":"ada@laptop"})"};
}
FakeChild::Line end_at(int64_t ms, int job = 1) { return {ms, R"({"type":"end","job":)" + std::to_string(job) + "}"}; }
std::string granted(int job) { return R"({"type":"granted","job":)" + std::to_string(job) + "}"; }

}  // namespace

TEST_CASE("while somebody measures the application is paused, and the state tells; then it is back") {
  Lending world({begin_at(5'000), end_at(20'000)});
  REQUIRE(world.run_for(4'000));
  CHECK(world.app_runs());
  CHECK(world.state() == "idle");
  REQUIRE(world.run_for(4'000));
  CHECK(world.heard == std::vector<std::string>{granted(1)});
  CHECK(!world.app_runs());
  CHECK(world.state() == "measuring");
  CHECK(world.statuses.back().state == "measuring");
  REQUIRE(world.run_for(15'000));
  CHECK(world.app_runs());
  CHECK(world.state() == "idle");
  CHECK(world.statuses.back().state == "idle");
  CHECK(world.running() == "1.0");
}

TEST_CASE("the application may run on beside a measurement") {
  Lending world({begin_at(5'000), end_at(20'000)});
  world.config.measure->pause_app = false;
  world.restart();
  REQUIRE(world.run_for(8'000));
  size_t spawned = world.processes.spawned.size();
  CHECK(world.heard == std::vector<std::string>{granted(1)});
  CHECK(world.app_runs());
  CHECK(world.state() == "measuring");
  REQUIRE(world.run_for(20'000));
  CHECK(world.processes.spawned.size() == spawned);  // nor was it started anew
}

TEST_CASE("an application that does not want to end is waited for before the device is lent") {
  Lending world({begin_at(5'000), end_at(40'000)});
  world.behaviour["1.0"].app = Behaviour::kHangs;  // ignores SIGTERM; SIGKILL comes after stop_timeout
  world.config.app_heartbeat_timeout_ms = 600'000;
  world.restart();
  REQUIRE(world.run_for(8'000));
  CHECK(world.heard.empty());
  CHECK(world.state() == "measuring");
  REQUIRE(world.run_for(6'000));
  CHECK(world.heard == std::vector<std::string>{granted(1)});
}

TEST_CASE("the end of the measuring process is the end of its job; it is started again with growing pauses") {
  Lending world({begin_at(5'000)});
  world.next.exit_at_ms = 10'000;
  world.next.exit_signal = 9;
  world.restart();
  REQUIRE(world.run_for(8'000));
  CHECK(!world.app_runs());
  world.next = FakeChild();
  world.next.exit_at_ms = 100;
  REQUIRE(world.run_for(3'000));
  CHECK(world.state() == "idle");
  CHECK(world.starts >= 2);
  REQUIRE(world.run_for(120'000));
  CHECK(world.starts < 12);
  CHECK(world.starts > 4);
  CHECK(world.processes.running() >= 1);  // the application
  CHECK(world.running() == "1.0");
}

TEST_CASE("the agent killed in the middle of a job starts the application again") {
  Lending world({begin_at(5'000)});
  REQUIRE(world.run_for(8'000));
  CHECK(!world.app_runs());
  world.next = FakeChild();
  world.restart();
  REQUIRE(world.run_for(2'000));
  CHECK(world.app_runs());
  CHECK(world.state() == "idle");
}

TEST_CASE("an update that is under way is finished first") {
  Lending world({begin_at(20'000, 1), begin_at(150'000, 2)});
  TestBundle next = world.make_bundle("1.1");
  world.offer(next);  // the probation of 20 s is on when somebody asks
  REQUIRE(world.run_for(30'000));
  REQUIRE(world.heard.size() == 1);
  CHECK(world.heard[0] == R"({"type":"refused","job":1,"reason":"an update is under way"})");
  REQUIRE(world.run_for(130'000));
  CHECK(world.running() == "1.1");
  CHECK(world.last().outcome == "committed");
  REQUIRE(world.heard.size() == 2);
  CHECK(world.heard[1] == granted(2));
}

TEST_CASE("no update begins while somebody measures; it does at once afterwards") {
  Lending world({begin_at(2'000), end_at(100'000)});
  REQUIRE(world.run_for(5'000));
  REQUIRE(world.heard.size() == 1);
  world.offer(world.make_bundle("1.1"));
  REQUIRE(world.run_for(90'000));
  CHECK(world.agent->state().update.phase == Phase::kIdle);
  CHECK(world.running() == "1.0");
  REQUIRE(world.run_for(10'000));
  CHECK(world.agent->state().update.phase != Phase::kIdle);
  REQUIRE(world.settle());
  CHECK(world.running() == "1.1");
}

TEST_CASE("messages that make no sense change nothing") {
  Lending world({{1'000, "nonsense"},
                 {1'100, R"({"type":"end","job":9})"},
                 {1'200, R"({"type":"else"})"},
                 {1'300, "{}"},
                 begin_at(2'000, 3),
                 end_at(3'000, 2),
                 begin_at(5'000, 4),  // without the end of 3
                 end_at(9'000, 4)});
  REQUIRE(world.run_for(4'000));
  CHECK(world.state() == "measuring");
  REQUIRE(world.run_for(4'000));
  CHECK(world.heard == std::vector<std::string>{granted(3), granted(4)});
  REQUIRE(world.run_for(4'000));
  CHECK(world.state() == "idle");
  CHECK(world.app_runs());
}

TEST_CASE("without the table nothing is started") {
  World world;
  world.measure_child = [] {
    FAIL("a measuring process was started");
    return FakeChild();
  };
  world.offer(world.make_bundle("1.0"));
  CHECK(world.settle());
}
