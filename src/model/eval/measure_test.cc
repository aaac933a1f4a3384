// SPDX-License-Identifier: Apache-2.0
// The parent's end, against children that behave and that do not: shell scripts which speak the worker's lines.
#include "model/eval/measure.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "model/eval/noise.h"
#include "model/eval/worker.h"
#include "os/posix/posix_ports.h"

namespace oree {
namespace {

// Answers the n-th command line with the n-th text; `$M` is the message pipe.
WorkerSettings script(const std::string& body) {
  WorkerSettings settings;
  settings.argv = {"/bin/sh", "-c", "M=/dev/fd/$OREE_AGENT_FD; " + body};
  return settings;
}
const char* const kOpen =
    R"(read l; echo '{"ok":true,"load_ms":5,"rss_bytes_baseline":1000,"facts":{"precision":"f32"},)"
    R"("engine_version":"1","inputs":[],"outputs":[]}' >$M; read l; echo '{"ok":true}' >$M; )";
std::string runs(const char* microseconds, const char* more = "") {
  return std::string(R"(while read l; do echo '{"ok":true,"latency_us":[)") + microseconds +
         R"(],"rss_bytes_peak":2000,"idle_cpu_ms":1,"idle_wall_ms":10}' >$M; )" + more + "done";
}
const Candidate kCandidate{"model", "tflite", {}};

std::vector<Measurement> measure_here(const WorkerSettings& settings, const std::vector<Candidate>& candidates,
                                      const MeasurePlan& plan) {
  PosixPorts posix;
  LocalTarget target(posix.ports());
  return measure(target, *posix.ports().clock, settings, candidates, plan);
}

MeasurePlan short_plan() {
  MeasurePlan plan;
  plan.rounds = 4;
  plan.runs_per_round = 2;
  return plan;
}

}  // namespace

TEST_CASE("a candidate's figures are what its process answered") {
  auto results = measure_here(script(kOpen + runs("1000,3000")), {kCandidate, kCandidate}, short_plan());
  REQUIRE(results.size() == 2);
  for (const Measurement& m : results) {
    INFO((m.refused ? m.refused->message() : ""));
    REQUIRE_FALSE(m.refused);
    CHECK(m.latency.count == 8);
    CHECK(m.latency.mean == doctest::Approx(2));
    CHECK(m.throughput == doctest::Approx(500));
    CHECK(m.round_p50_ms.size() == 4);
    CHECK(m.load_ms == 5);
    CHECK(m.rss_bytes_peak == 2000);
    CHECK(m.idle_cpu_percent == doctest::Approx(10));
    CHECK(m.facts.at("precision") == "f32");
  }
}

TEST_CASE("a child that crashes, ends, talks nonsense or hangs is refused with its reason, and only it") {
  struct Case {
    std::string body, reason;
  };
  for (const Case& c :
       {Case{"echo dying words; kill -SEGV $$", "Segmentation fault"},
        Case{"echo dying words; kill -SEGV $$", "dying words"}, Case{"exit 3", "status 3"},
        Case{"read l; echo nonsense >$M; sleep 60", "nonsense"}, Case{"read l; sleep 60", "hung"},
        Case{R"(read l; echo '{"error":{"code":"unsupported","message":"no such op"}}' >$M; sleep 60)", "no such op"},
        Case{std::string(kOpen) + "read l; exit 4", "'run' with status 4"},
        Case{kOpen + runs("1000"), "another number of runs"}}) {
    WorkerSettings settings = script(c.body);
    settings.open_timeout_ms = 1500;
    auto results = measure_here(settings, {kCandidate}, short_plan());
    REQUIRE(results[0].refused);
    INFO(c.body << " -> " << results[0].refused->message());
    CHECK(results[0].refused->message().find(c.reason) != std::string::npos);
    CHECK(results[0].latency.count == 0);
  }
}

TEST_CASE("a dropped candidate stops taking turns and keeps its figures") {
  MeasurePlan plan = short_plan();
  plan.drop = [](const std::vector<Measurement>&, int round) {
    std::vector<std::pair<size_t, Error>> drops;
    if (round == 1) drops.emplace_back(1, Error(Code::kRefused, "slow"));
    return drops;
  };
  auto results = measure_here(script(kOpen + runs("1000,1000")), {kCandidate, kCandidate}, plan);
  CHECK(results[0].round_p50_ms.size() == 4);
  CHECK(results[1].round_p50_ms.size() == 2);
  REQUIRE(results[1].refused);
  CHECK(results[1].latency.count == 4);
}

TEST_CASE("percentiles are NumPy's") {
  std::vector<double> values{4, 1, 3, 2, 10};
  LatencySummary s = summarize_latency(values);
  CHECK(s.p50 == doctest::Approx(3));
  CHECK(s.p95 == doctest::Approx(8.8));
  CHECK(s.p99 == doctest::Approx(9.76));
  CHECK(s.mean == doctest::Approx(4));
  CHECK(s.stddev == doctest::Approx(3.5355339059327378));
  CHECK(summarize_latency({}).count == 0);
}

TEST_CASE("the worker answers wrong commands with an error and lives on") {
  PosixPorts posix;
  WorkerCore core(posix.ports());
  for (const char* text : {R"({"cmd":"dance"})", R"({"cmd":"run","warmup":0,"runs":1})", R"({"cmd":"open"})", R"([])",
                           R"({"cmd":"open","model":"nowhere.tflite","runtime":"abacus"})",
                           R"({"cmd":"outputs","input":"a","output":"b"})",
                           R"({"cmd":"open","model":"/nowhere.tflite","runtime":"tflite","threads":0})"}) {
    Json reply = core.answer(*Json::parse(text));
    CAPTURE(text);
    CHECK_FALSE(reply["ok"].as_bool());
    CHECK_FALSE(reply["error"]["message"].as_string().empty());
  }
}

TEST_CASE("tensors of several samples find their own again; what belongs to none is refused") {
  NamedTensors both;
  for (size_t i : {1, 0}) {
    Tensor t(Dtype::kFloat32, {2});
    t.as<float>()[0] = static_cast<float>(i);
    both.push_back({sample_name(i, "a/b"), t});
  }
  auto samples = split_samples(both, 2);
  REQUIRE(samples.ok());
  for (size_t i : {0, 1}) {
    REQUIRE((*samples)[i].size() == 1);
    CHECK((*samples)[i][0].name == "a/b");
    CHECK((*samples)[i][0].tensor.as<float>()[0] == static_cast<float>(i));
  }
  CHECK_FALSE(split_samples(both, 3).ok());
  for (const char* name : {"2/a", "a", "/a", "-1/a", "0", "0x/a"}) {
    CAPTURE(name);
    auto refused = split_samples({{name, Tensor(Dtype::kFloat32, {1})}}, 1);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message().find(name) != std::string::npos);
  }
}

TEST_CASE("the worker's loop answers line by line until its input ends") {
  PosixPorts posix;
  int in[2], out[2];
  REQUIRE(pipe(in) == 0);
  REQUIRE(pipe(out) == 0);
  std::string lines = "{\"cmd\":\"dance\"}\nnonsense\n";
  REQUIRE(write(in[1], lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  close(in[1]);
  CHECK(run_worker(posix.ports(), in[0], out[1]) == 0);
  close(out[1]);
  char buffer[2048];
  ssize_t size = read(out[0], buffer, sizeof buffer);
  REQUIRE(size > 0);
  CHECK(std::count(buffer, buffer + size, '\n') == 2);
  close(in[0]);
  close(out[0]);
}

TEST_CASE("noise is the same for the same seed and fits the type") {
  TensorInfo info{"x", Dtype::kFloat32, {-1, 3}};
  auto a = noise_tensor(info, 7), b = noise_tensor(info, 7), c = noise_tensor(info, 8);
  REQUIRE(a.ok());
  CHECK(a->shape() == Shape{1, 3});
  CHECK(*a == *b);
  CHECK_FALSE(*a == *c);
  auto ids = noise_tensor({"ids", Dtype::kInt64, {50}}, 1);
  REQUIRE(ids.ok());
  for (int64_t v : ids->as<int64_t>()) CHECK((v == 0 || v == 1));
  CHECK_FALSE(noise_tensor({"x", Dtype::kFloat32, {1 << 20, 1 << 20}}, 1).ok());
}

TEST_CASE("a candidate's text and JSON say the same") {
  Candidate candidate{"a/detector.tflite", "openvino", {2, "", "bf16"}};
  CHECK(candidate_text(candidate) == "openvino cpu 2 threads bf16");
  CHECK(candidate_text(candidate, true) == "detector.tflite openvino cpu 2 threads bf16");
  auto back = candidate_from_json(candidate_to_json(candidate));
  REQUIRE(back.ok());
  CHECK(*back == candidate);
  CHECK_FALSE(candidate_from_json(Json::object()).ok());
}

}  // namespace oree
