// SPDX-License-Identifier: Apache-2.0
// What the measuring process is told, by its arguments and by the agent.
#include <doctest/doctest.h>

#include <thread>

#include "core/codec/json.h"
#include "device/measure/job_gate.h"
#include "device/measure/measure_options.h"

using namespace oree;

TEST_CASE("an agent's word is waited for, and only that on this job counts") {
  std::vector<std::string> said;
  AgentGate* heard = nullptr;
  AgentGate gate(
      [&](const std::string& line) {
        said.push_back(line);
        return true;
      },
      20);
  heard = &gate;
  Status silent = gate.begin("ada");
  REQUIRE(!silent.ok());
  CHECK(silent.error().code() == Code::kUnavailable);
  CHECK(said.size() == 2);  // asked, and taken back
  CHECK(said[1] == R"({"type":"end","job":1})");
  gate.on_line(R"({"type":"granted","job":1})");  // too late
  std::thread agent;
  AgentGate patient(
      [&](const std::string& line) {
        int64_t job = Json::parse(line)->find("job")->as_int();
        agent = std::thread([&, job] {
          heard->on_line("nonsense");
          heard->on_line(Json().set("type", "granted").set("job", job + 1).dump());
          heard->on_line(Json().set("type", "refused").set("job", job).set("reason", "later").dump());
        });
        return true;
      },
      10'000);
  heard = &patient;
  Status refused = patient.begin("ada");
  agent.join();
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kConflict);
  CHECK(refused.error().message() == "later");
  AgentGate deaf([](const std::string&) { return false; }, 10'000);
  CHECK(!deaf.begin("ada").ok());
}

TEST_CASE("options are the same after a way as arguments; what is wrong is named") {
  MeasureOptions options;
  options.listen = "[::]:1";
  options.token_file = "t";
  options.certificate_file = "c";
  options.key_file = "k";
  options.data = "d";
  options.worker_program = "w";
  options.name = "n";
  options.disk_bytes_max = 12 << 20;
  options.reserve_bytes = 3;
  options.memory_bytes_max = 4;
  options.job_ms_max = 5000;
  options.lease_ms = 6000;
  options.plain_http = true;
  auto back = measure_options(measure_arguments(options));
  REQUIRE(back.ok());
  CHECK(measure_arguments(*back) == measure_arguments(options));
  CHECK(back->lease_ms == 6000);
  CHECK(back->plain_http);
  CHECK(check_measure_options(*back).ok());
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"--lease-ms", "0"}, {"--lease-ms", "x"}, {"--lease-ms"}, {"--nothing", "1"}, {"--lease-ms", "60000 "}}) {
    auto refused = measure_options(wrong);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code() == Code::kUsage);
    CHECK(refused.error().message().find(wrong[0]) != std::string::npos);
  }
}

TEST_CASE("a token does not travel in the clear unless that is said") {
  MeasureOptions options;
  options.token_file = "t";
  options.data = "d";
  for (const char* near : {"127.0.0.1:8733", "[::1]:8733", "localhost:0"}) {
    options.listen = near;
    CHECK(check_measure_options(options).ok());
  }
  for (const char* far : {"0.0.0.0:8733", ":8733", "[::]:8733", "192.168.1.7:8733", "localhost.example.org:1"}) {
    options.listen = far;
    Status refused = check_measure_options(options);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code() == Code::kUsage);
  }
  options.plain_http = true;
  CHECK(check_measure_options(options).ok());
  options.plain_http = false;
  options.certificate_file = "c";
  CHECK(!check_measure_options(options).ok());  // without its key
  options.key_file = "k";
  CHECK(check_measure_options(options).ok());
}
