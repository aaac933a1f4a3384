// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/cache.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "os/posix/posix_ports.h"
#include "os/posix/test_folder.h"

namespace oree {
namespace {

Measurement some_measurement() {
  Measurement m;
  m.candidate = {"m.onnx", "openvino", {2, "cpu", "bf16"}};
  m.facts = {{"precision", "bf16"}};
  m.engine_version = "2026.4";
  m.load_ms = 12.5;
  m.latency_ms = {1.5, 2.5, 2.0};
  m.round_p50_ms = {1.5, 2.25};
  m.rss_bytes_peak = 1 << 20;
  m.rss_bytes_baseline = 1 << 10;
  m.idle_cpu_percent = 0.5;
  return m;
}

}  // namespace

TEST_CASE("what was put is found by the same key alone; a broken record is none") {
  PosixPorts posix;
  TestFolder folder;
  TuneCache cache(*posix.ports().files, folder.path + "/cache");
  const Json key = Json().set("model", "a").set("threads", 2), other = Json().set("model", "a").set("threads", 1);
  CHECK_FALSE(cache.find(key));
  cache.put(key, Json().set("x", 1));
  REQUIRE(cache.find(key));
  CHECK((*cache.find(key))["x"].as_int() == 1);
  CHECK_FALSE(cache.find(other));
  std::string file;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path + "/cache"))
    if (entry.is_regular_file()) file = entry.path();
  std::string text;
  std::getline(std::ifstream(file), text);
  for (const std::string& broken :
       {std::string(), text.substr(0, text.size() / 2), std::string("[]"), std::string("{\"format\":2}")}) {
    std::ofstream(file, std::ios::trunc) << broken;
    CHECK_FALSE(cache.find(key));
  }
  cache.put(key, Json().set("x", 2));
  CHECK((*cache.find(key))["x"].as_int() == 2);
  TuneCache none(*posix.ports().files, "");
  none.put(key, Json().set("x", 3));
  CHECK_FALSE(none.find(key));
}

TEST_CASE("a measurement and answers come back as they went; nonsense is refused") {
  const Measurement m = some_measurement();
  auto back = measurement_from_record(measurement_record(m));
  REQUIRE(back.ok());
  CHECK(measurement_record(*back).dump() == measurement_record(m).dump());
  CHECK(back->latency.p50 == 2.0);
  CHECK(back->throughput == doctest::Approx(500));
  for (const char* member : {"candidate", "engine_version", "load_ms", "latency_ms", "rounds", "rss_bytes_peak"}) {
    CAPTURE(member);
    CHECK_FALSE(measurement_from_record(measurement_record(m).set(member, true)).ok());
  }
  CHECK_FALSE(measurement_from_record(measurement_record(m).set("latency_ms", Json::array())).ok());

  TuneAnswers answers;
  answers.agreement = {"top1", 0.75, 0.5, 0.9, 4, 0, std::numeric_limits<double>::infinity(), 1, 0, 0};
  answers.counts = {{1, 0, 0}, {0, 1, 1}, {1, 0, 0}, {1, 0, 0}};
  answers.complete = false;
  answers.lost = true;
  auto again = answers_from_record(answers_record(answers));
  REQUIRE(again.ok());
  CHECK(again->agreement.sqnr_db == std::numeric_limits<double>::infinity());
  CHECK(again->agreement.value == 0.75);
  CHECK(again->counts.size() == 4);
  CHECK(again->counts[1].false_negatives == 1);
  CHECK_FALSE(again->complete);
  CHECK(again->lost);
  CHECK_FALSE(answers_from_record(answers_record(answers).set("counts", Json().push(1))).ok());
  CHECK_FALSE(answers_from_record(answers_record(answers).set("agreement", 3)).ok());
}

}  // namespace oree
