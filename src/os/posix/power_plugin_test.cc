// SPDX-License-Identifier: Apache-2.0
#include "os/posix/power_plugin.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>

#include "core/base/text.h"
#include "os/posix/posix_clock.h"
#include "os/posix/posix_files.h"
#include "os/posix/posix_processes.h"
#include "os/posix/test_folder.h"

using namespace oree;

namespace {

constexpr PluginTimes kShort{400, 400, 200};

Result<std::unique_ptr<PowerMeter>> plugin(const std::string& script, const PluginTimes& times = {}) {
  static PosixProcesses processes;
  static PosixClock clock;
  return start_plugin(&processes, &clock, script, times);
}

// The reason for which a meter that began well ends; "" when it does not.
std::string end_of(PowerMeter& meter) {
  PosixClock clock;
  for (int i = 0; i < 1000; ++i) {
    auto reading = meter.read();
    if (!reading.ok()) return reading.error().message();
    clock.sleep_ms(10);
  }
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("momentary powers are added up by the trapezoidal rule") {
  PowerIntegral integral;
  CHECK(integral.empty());
  integral.add(1'000'000'000, 2);
  CHECK(integral.reading().joules == 0);
  integral.add(2'000'000'000, 4);
  integral.add(2'500'000'000, 4);
  CHECK(integral.reading().joules == doctest::Approx(5));
  integral.add(2'500'000'000, 100);  // a second line at the same time: no energy of its own
  CHECK(integral.reading().joules == doctest::Approx(5));
  CHECK(integral.reading().time_ns == 2'500'000'000);
}

TEST_CASE("a sensor that fails at the start is an error of the start, and a few failures later are forgiven") {
  PosixClock clock;
  auto never =
      start_sampler({"x", "y", 0, 1}, &clock, []() -> Result<double> { return Error(Code::kUnavailable, "no bus"); });
  CHECK(never.error().message() == "no bus");
  std::atomic<int> calls{0};
  auto meter = start_sampler({"x", "y", 0, 1}, &clock, [&]() -> Result<double> {
                 int call = calls++;
                 if (call % 5 != 0 && call < 50) return Error(Code::kUnavailable, "busy");
                 return 3.0;
               }).value();
  while (calls < 60) clock.sleep_ms(1);
  EnergyReading reading = meter->read().value();
  CHECK(reading.joules > 0);
}

TEST_CASE("lines of a plug-in are watts or joules, and nothing else") {
  PluginReadings watts;
  CHECK(watts.feed(R"({"watts": 4, "name": "bench supply", "covers": "whole board"})", 1'000'000'000).ok());
  CHECK(watts.feed("", 1'500'000'000).ok());
  CHECK(watts.feed(R"({"watts": 6.0, "more": [1]})", 3'000'000'000).ok());
  CHECK(watts.reading().joules == doctest::Approx(10));
  CHECK(watts.reading().time_ns == 3'000'000'000);
  CHECK(watts.name() == "bench supply");
  CHECK(watts.covers() == "whole board");
  CHECK(watts.sampled());
  PluginReadings joules;
  CHECK(joules.feed(R"({"joules": 100.5})", 5).ok());
  CHECK(joules.feed(R"({"joules": 101})", 7).ok());
  CHECK(joules.reading().joules == 101);
  CHECK(joules.reading().time_ns == 7);
  CHECK_FALSE(joules.sampled());
  CHECK(says(joules.feed(R"({"joules": 100})", 8).error().message(), "went back from 101"));
  CHECK(says(joules.feed(R"({"watts": 1})", 9).error().message(), "earlier lines had the other"));
  for (const char* bad :
       {"4.2", "watts=4", "{", "[]", "{}", R"({"watts": "4"})", R"({"watts": null})", R"({"watts": 1e9})",
        R"({"watts": 1, "joules": 1})", R"({"watts": 1, "name": 5})", R"({"joules": 1e300})", "\xff\xfe"}) {
    CAPTURE(bad);
    PluginReadings fresh;
    Status fed = fresh.feed(bad, 1);
    REQUIRE_FALSE(fed.ok());
    CHECK(fed.error().code() == Code::kInvalid);
    CHECK(says(fed.error().message(), "expected a line such as"));
    CHECK(fresh.empty());
  }
  PluginReadings fresh;
  CHECK(fresh.feed(std::string(100'000, 'x'), 1).error().message().size() < 300);
}

TEST_CASE("the lines of docs/formats/power-meter.md are what they say") {
  std::string page(as_text(PosixFiles().read(OREE_SOURCE_DIR "/docs/formats/power-meter.md", 1 << 20).value()));
  int examples = 0;
  PluginReadings readings;
  bool inside = false;
  for (const std::string& line : split(page, '\n')) {
    if (line.starts_with("```")) {
      if (inside && examples > 0) CHECK_FALSE(readings.empty());
      inside = line == "```json";
      readings = {};
      continue;
    }
    if (!inside) continue;
    CAPTURE(line);
    CHECK(readings.feed(line, ++examples * 1'000'000'000).ok());
  }
  CHECK(examples >= 4);
}

TEST_CASE("a plug-in is started once, read while it runs, and ended") {
  TestFolder folder;
  {
    auto meter =
        plugin("echo $$ > " + (folder / "pid") +
               R"(; n=0; while :; do n=$((n+1)); echo "{\"joules\": $n, \"name\": \"counter\"}"; sleep 0.01; done)")
            .value();
    CHECK(meter->info().method == "external: counter");
    EnergyReading from = meter->read().value(), to = from;
    PosixClock clock;
    for (int i = 0; i < 1000 && to.joules < from.joules + 3; ++i) {
      clock.sleep_ms(10);
      to = meter->read().value();
    }
    CHECK(to.joules >= from.joules + 3);
    CHECK(to.time_ns > from.time_ns);
  }
  pid_t pid =
      static_cast<pid_t>(std::atoi(std::string(as_text(PosixFiles().read(folder / "pid", 100).value())).c_str()));
  REQUIRE(pid > 1);
  CHECK(kill(pid, 0) != 0);
}

TEST_CASE("a plug-in that does not heed SIGTERM is killed") {
  PosixClock clock;
  int64_t start = 0;
  {
    auto meter = plugin(R"(trap '' TERM; echo '{"watts": 1}'; while :; do sleep 1; done)", kShort);
    REQUIRE(meter.ok());
    start = clock.monotonic_ns();
  }
  CHECK(clock.monotonic_ns() - start < 5'000'000'000);
}

TEST_CASE("a plug-in that cannot begin says why") {
  CHECK(says(plugin("exit 3").error().message(), "external: exit 3 ended with status 3"));
  CHECK(says(plugin("kill -9 $$").error().message(), "ended by signal 9"));
  CHECK(says(plugin("echo hello; sleep 60").error().message(), "found 'hello'"));
  CHECK(says(plugin("sleep 60", kShort).error().message(), "said nothing within 400 ms"));
  CHECK(says(plugin("/no/such/meter 2>/dev/null").error().message(), "ended with status 127"));
}

TEST_CASE("a plug-in that dies, falls silent or turns to nonsense later ends the meter with the reason") {
  for (auto [script, reason] : {std::pair{R"(echo '{"watts": 1}'; sleep 0.2; exit 4)", "ended with status 4"},
                                std::pair{R"(echo '{"watts": 1}'; sleep 0.2; kill -11 $$)", "ended by signal 11"},
                                std::pair{R"(echo '{"watts": 1}'; sleep 60)", "has said nothing for 400 ms"},
                                std::pair{R"(echo '{"watts": 1}'; sleep 0.2; echo oops; sleep 60)", "found 'oops'"}}) {
    CAPTURE(script);
    auto meter = plugin(script, kShort);
    REQUIRE(meter.ok());
    std::string end = end_of(**meter);
    CAPTURE(end);
    CHECK(says(end, reason));
    CHECK_FALSE((*meter)->read().ok());  // and stays so
  }
}
