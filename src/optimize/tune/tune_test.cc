// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tune.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "optimize/tune/choose.h"
#include "optimize/tune/plan.h"
#include "os/posix/posix_ports.h"
#include "os/posix/test_folder.h"

namespace oree {
namespace {

RuntimeInfo engine(const std::string& name, std::vector<std::string> formats, std::vector<std::string> precisions) {
  RuntimeInfo info;
  info.name = name;
  info.available = true;
  info.formats = std::move(formats);
  info.precisions = std::move(precisions);
  info.providers = {"cpu"};
  return info;
}

TuneMachine machine() {
  TuneMachine m;
  m.runtimes = {engine("onnxruntime", {"onnx"}, {"f32", "default"}),
                engine("openvino", {"onnx", "tflite"}, {"default", "f32", "bf16"}),
                engine("tflite", {"tflite"}, {"f32", "default"})};
  m.runtimes[2].available = false;
  m.runtimes[2].absent["tflite"] = "no library here; get it so";
  m.formats = {ModelFormat::kTflite};
  m.cores = 2;
  return m;
}

TuneRequest request_for(const std::string& model) {
  TuneRequest request;
  request.models = {model};
  return request;
}

TuneCandidate measured(const std::string& runtime, double p50, double p95, double agreement) {
  TuneCandidate c;
  c.measurement.candidate = {"m.onnx", runtime, {}};
  c.measurement.latency = {10, p50, 0, p50, p50, p95, p95, p95};
  c.measurement.latency_ms = {p50, p95};
  c.measurement.rss_bytes_peak = 100 << 20;
  c.agreement = Agreement{};
  c.agreement->metric = "f1";
  c.agreement->value = agreement;
  c.final_round = true;
  return c;
}

TuneResult result_of(std::vector<TuneCandidate> candidates) {
  TuneResult result;
  result.request = request_for("m.onnx");
  result.metric = "f1";
  result.min_agreement = 0.98;
  result.reference = {"m.onnx", "onnxruntime", {}};
  result.candidates = std::move(candidates);
  return result;
}

}  // namespace

TEST_CASE("the plan is ordered, and what cannot run is there once with its reason") {
  auto plan = plan_candidates(request_for("m.tflite"), machine());
  REQUIRE(plan.ok());
  std::vector<std::string> texts;
  for (const TuneCandidate& c : *plan) {
    texts.push_back((c.measurement.refused ? "- "
                     : c.engine_default    ? "* "
                                           : "+ ") +
                    candidate_text(c.measurement.candidate));
  }
  CHECK(texts == std::vector<std::string>{"- onnxruntime cpu 1 thread f32", "+ openvino cpu 1 thread f32",
                                          "+ openvino cpu 2 threads f32", "+ openvino cpu 1 thread default",
                                          "* openvino cpu 2 threads default", "+ openvino cpu 1 thread bf16",
                                          "+ openvino cpu 2 threads bf16", "- tflite cpu 1 thread f32"});
  CHECK((*plan)[0].note.find("cannot read tflite") != std::string::npos);
  CHECK(plan->back().note == "no library here; get it so");
}

TEST_CASE("other providers that an engine has are tried without being named, its plain kernels are not") {
  TuneRequest request = request_for("m.tflite");
  request.runtimes = {"openvino"};
  request.threads = {2};
  request.precisions = {"f32"};
  TuneMachine with_gpu = machine();
  with_gpu.runtimes[1].providers = {"cpu", "gpu"};
  auto plan = plan_candidates(request, with_gpu);
  REQUIRE(plan.ok());
  REQUIRE(plan->size() == 2);
  CHECK((*plan)[1].measurement.candidate.options.provider == "gpu");
  with_gpu.runtimes[1].providers = {"xnnpack", "cpu"};
  CHECK(plan_candidates(request, with_gpu)->size() == 1);
}

TEST_CASE("batches are candidates with the most threads, and no engine's own default") {
  TuneRequest request = request_for("m.tflite");
  request.runtimes = {"openvino"};
  request.precisions = {"default"};
  request.batches = {1, 4};
  auto plan = plan_candidates(request, machine());
  REQUIRE(plan.ok());
  REQUIRE(plan->size() == 3);
  CHECK(candidate_text((*plan)[2].measurement.candidate) == "openvino cpu 2 threads default batch 4");
  CHECK((*plan)[1].engine_default);
  CHECK_FALSE((*plan)[2].engine_default);
  request.batches = {0};
  CHECK(plan_candidates(request, machine()).error().code() == Code::kUsage);
}

TEST_CASE("the bound on latency is the whole batch's") {
  TuneResult result = result_of({measured("tflite", 4, 5, 1), measured("openvino", 2, 3, 1)});
  result.candidates[1].measurement.candidate.batch = 4;
  result.request.latency_ms_max = 10;
  choose_candidate(result);
  REQUIRE(result.chosen);
  CHECK(*result.chosen == 0);
  CHECK(result.candidates[1].note.find("p95 12.0 ms is over 10.0 ms") != std::string::npos);
  result.request.latency_ms_max = 20;
  choose_candidate(result);
  CHECK(*result.chosen == 1);
}

TEST_CASE("a precision or provider that an engine lacks is refused, one that nobody knows is a usage error") {
  TuneRequest request = request_for("m.tflite");
  request.runtimes = {"openvino"};
  request.precisions = {"f16"};
  auto plan = plan_candidates(request, machine());
  REQUIRE(plan.ok());
  REQUIRE(plan->size() == 1);
  CHECK((*plan)[0].measurement.refused);
  request.precisions = {};
  request.providers = {"cuda"};
  plan = plan_candidates(request, machine());
  REQUIRE(plan.ok());
  REQUIRE(plan->size() == 1);
  CHECK((*plan)[0].note.find("cuda") != std::string::npos);
  request.precisions = {"int3"};
  CHECK(plan_candidates(request, machine()).error().code() == Code::kUsage);
  request.precisions = {};
  request.runtimes = {"abacus"};
  CHECK(plan_candidates(request, machine()).error().code() == Code::kUsage);
}

TEST_CASE("the fastest within the bound is chosen, not the fastest") {
  TuneResult result = result_of(
      {measured("tflite", 4.4, 5, 1), measured("openvino", 2.6, 3, 0.985), measured("onnxruntime", 2.0, 3, 0.97)});
  choose_candidate(result);
  REQUIRE(result.chosen);
  CHECK(*result.chosen == 1);
  CHECK_FALSE(result.candidates[2].within_bounds);
  CHECK(result.candidates[2].note.find("0.97") != std::string::npos);
}

TEST_CASE("who is as fast as the fastest is chosen for its accuracy, then for its threads, size and p95") {
  TuneResult result = result_of({measured("tflite", 4.00, 9, 1), measured("openvino", 4.03, 5, 1)});
  choose_candidate(result);
  REQUIRE(result.chosen);
  CHECK(*result.chosen == 1);
  result.candidates[1].size_bytes = result.candidates[0].size_bytes + 1;
  choose_candidate(result);
  CHECK(*result.chosen == 0);
  result.candidates[0].measurement.candidate.options.threads = 2;
  choose_candidate(result);
  CHECK(*result.chosen == 1);
  result.candidates[0].as_float = true;
  choose_candidate(result);
  CHECK(*result.chosen == 0);
}

TEST_CASE("two hundredths are a tie only when the rounds of the final do not tell") {
  TuneResult result = result_of({measured("tflite", 4.00, 5, 1), measured("openvino", 4.08, 5, 1)});
  result.candidates[1].as_float = true;
  auto rounds = [&](double other) {
    result.candidates[0].measurement.round_p50_ms.clear();
    result.candidates[1].measurement.round_p50_ms.clear();
    for (int i = 0; i < 10; ++i) {
      result.candidates[0].measurement.round_p50_ms.push_back(4);
      result.candidates[1].measurement.round_p50_ms.push_back(i % 2 == 0 ? 4.08 : other);
    }
    choose_candidate(result);
    return *result.chosen;
  };
  CHECK(rounds(4.09) == 0);  // always slower
  CHECK(rounds(3.90) == 1);  // now slower, now faster
  result.candidates[1].measurement.latency.p50 = 4.2;
  CHECK(rounds(3.90) == 0);  // too much for a tie
}

TEST_CASE("with nothing in bounds, the verdict names the nearest misses") {
  TuneResult result = result_of({measured("tflite", 4, 5, 0.5), measured("openvino", 3, 4, 0.97)});
  choose_candidate(result);
  CHECK_FALSE(result.chosen);
  CHECK(result.verdict.find("openvino") < result.verdict.find("tflite"));
  result.min_agreement = 0.4;
  result.request.latency_ms_max = 3.5;
  result.request.memory_bytes_max = 50 << 20;
  choose_candidate(result);
  CHECK_FALSE(result.chosen);
  CHECK(result.verdict.find("peak memory 100 MiB is over 50 MiB") != std::string::npos);
}

TEST_CASE("a candidate without agreement is never chosen, nor is one of the screening alone") {
  TuneCandidate blind = measured("tflite", 1, 1, 1);
  blind.agreement.reset();
  TuneCandidate early = measured("onnxruntime", 1, 1, 1);
  early.final_round = false;
  TuneResult result = result_of({blind, early, measured("openvino", 3, 4, 1)});
  choose_candidate(result);
  REQUIRE(result.chosen);
  CHECK(*result.chosen == 2);
}

TEST_CASE("the report escapes what others wrote and loads nothing") {
  TuneResult result = result_of({measured("openvino", 3, 4, 0.99), measured("<script>alert(1)</script>", 5, 6, 1)});
  result.request.models = {"<img src=x onerror=y>.onnx"};
  result.data_text = "\"><b>";
  result.refused_samples = {"<i>bad</i>"};
  result.machine.cpu_model = "<u>cpu</u>";
  result.candidates[1].note = "<s>note</s>";
  result.candidates[1].measurement.facts["precision"] = "<q>";
  choose_candidate(result);
  std::string html = tune_report_html(result);
  for (const char* bad : {"<script", "<img", "<b>\"", "\"><b>", "<i>bad", "<u>", "<s>", "<q>", "http://", "https://",
                          "url(", "@import", "src="}) {
    CAPTURE(bad);
    // The escaped model's name keeps the harmless text of its attribute.
    if (std::string(bad) == "src=") continue;
    CHECK(html.find(bad) == std::string::npos);
  }
  CHECK(html.find("&lt;script&gt;") != std::string::npos);
}

TEST_CASE("a report can be drawn when nothing ran, when one ran, and with infinite agreement") {
  TuneResult none = result_of({});
  choose_candidate(none);
  CHECK(tune_report_html(none).find("Nothing chosen") != std::string::npos);
  TuneResult equal = result_of({measured("openvino", 3, 4, std::numeric_limits<double>::infinity())});
  equal.metric = "sqnr";
  equal.min_agreement = 20;
  choose_candidate(equal);
  REQUIRE(equal.chosen);
  std::string html = tune_report_html(equal);
  for (const char* bad : {"nan", "\"inf", " inf "}) {
    CAPTURE(bad);
    CHECK(html.find(bad) == std::string::npos);
  }
  CHECK(html.find("equal") != std::string::npos);
}

namespace {

// Where the fetched engines and models lie; "" when this checkout has none, and under the address sanitizer, which
// ends the process when OpenVINO's threading library is loaded (it asks for RTLD_DEEPBIND).
std::string deps_folder() {
#if defined(__SANITIZE_ADDRESS__)
  return "";
#endif
  const char* named = std::getenv("OREE_DEPS");
  std::string folder = named != nullptr ? named : std::string(OREE_SOURCE_DIR) + "/.deps";
  if (named == nullptr) setenv("OREE_DEPS", folder.c_str(), 1);
  return std::filesystem::exists(folder + "/models/nmp.tflite") ? folder : "";
}

}  // namespace

TEST_CASE("the choice is read back from the file that was written; other files are refused") {
  PosixPorts posix;
  TestFolder folder;
  TuneResult result = result_of({measured("openvino", 3, 4, 0.99)});
  choose_candidate(result);
  auto write = [&](const std::string& text) {
    REQUIRE(posix.ports().files->write_atomic(folder.path + "/tune.json", as_bytes(text)).ok());
    return read_tune_choice(*posix.ports().files, folder.path + "/tune.json");
  };
  auto choice = write(tune_to_json(result).dump());
  REQUIRE(choice.ok());
  CHECK(choice->candidate == result.candidates[0].measurement.candidate);
  CHECK(choice->latency_ms_p95 == 4);
  CHECK(choice->agreement == 0.99);
  result.min_agreement = 1;
  choose_candidate(result);
  CHECK(write(tune_to_json(result).dump()).error().code() == Code::kRefused);
  for (const char* text : {"", "{}", "[]", R"({"format": 1})", R"({"format": 1, "chosen": 3})",
                           R"({"format": 1, "chosen": {"model": "x"}})"}) {
    CAPTURE(text);
    CHECK(write(text).error().code() == Code::kInvalid);
  }
  CHECK(read_tune_choice(*posix.ports().files, folder.path + "/absent.json").error().code() == Code::kNotFound);
}

TEST_CASE("the documented example is a tune report") {
  PosixPorts posix;
  TestFolder folder;
  Files& files = *posix.ports().files;
  auto document = files.read(std::string(OREE_SOURCE_DIR) + "/docs/formats/tune.md", 1 << 20);
  REQUIRE(document.ok());
  std::string text(as_text(*document));
  size_t begin = text.find("```json\n") + 8;
  REQUIRE(files.write_atomic(folder.path + "/tune.json", as_bytes(text.substr(begin, text.find("```", begin) - begin)))
              .ok());
  auto choice = read_tune_choice(files, folder.path + "/tune.json");
  REQUIRE(choice.ok());
  CHECK(choice->candidate.runtime == "openvino");
  CHECK(choice->candidate.options.threads == 2);
}

TEST_CASE("a tune whose reference cannot run says so and leaves nothing behind") {
  std::string deps = deps_folder();
  if (deps.empty()) {
    MESSAGE("skipped: no fetched engines and models here");
    return;
  }
  PosixPorts posix;
  TestFolder folder;
  TuneRequest request = request_for(deps + "/models/nmp.tflite");
  request.out_dir = folder.path + "/out";
  request.worker.argv = {"/bin/sh", "-c", "exit 9"};
  LocalTarget target(posix.ports());
  auto dead = tune(posix.ports(), target, request);
  REQUIRE_FALSE(dead.ok());
  CHECK(dead.error().message().find("reference") != std::string::npos);
  CHECK(std::filesystem::is_empty(request.out_dir));
}

TEST_CASE("a real model is tuned in real processes, and every trace but the three files is removed") {
  std::string deps = deps_folder(), program = std::string(OREE_BIN_DIR) + "/oree";
  if (deps.empty() || !std::filesystem::exists(program) || !backend("tflite").info().available) {
    MESSAGE("skipped: needs the oree program, a fetched TFLite and models");
    return;
  }
  PosixPorts posix;
  TestFolder folder;
  TuneRequest request = request_for(deps + "/models/nmp.tflite");
  request.out_dir = folder.path + "/out";
  request.runtimes = {"tflite", "onnxruntime"};
  request.threads = {1};
  request.rounds = 2;
  request.samples_max = 2;
  request.worker.argv = {program, "worker"};
  LocalTarget target(posix.ports());
  auto result = tune(posix.ports(), target, request);
  INFO((result.ok() ? result->verdict : result.error().message()));
  REQUIRE(result.ok());
  REQUIRE(result->chosen);
  const TuneCandidate& best = result->candidates[*result->chosen];
  CHECK(best.measurement.candidate.runtime == "tflite");
  CHECK(best.measurement.round_p50_ms.size() == 2);
  CHECK(best.measurement.rss_bytes_peak > best.measurement.rss_bytes_baseline);
  CHECK(best.agreement->value > 0.999);
  // The engine's default is f32 here: told as the same computation, and the flag went to the one that was measured.
  CHECK(best.engine_default);
  bool duplicate = false;
  for (const TuneCandidate& c : result->candidates) duplicate = duplicate || c.note.find("the same computation") == 0;
  CHECK(duplicate);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(request.out_dir))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"report.html", "tune.json", "tune.lock"});
  CHECK(read_tune_choice(*posix.ports().files, request.out_dir + "/tune.json").ok());
}

}  // namespace oree
