// SPDX-License-Identifier: Apache-2.0
// Whole tunes on a made-up target.
#include <algorithm>
#include <set>

#include "optimize/tune/tune_lock.h"
#include "optimize/tune/tuner_fixture.h"

namespace oree {
namespace {

// float.xml is slow everywhere; int8.xml is fast in OpenVINO with two threads.
double usual_ms(const Candidate& c) {
  double ms = c.runtime == "onnxruntime" ? 8 : c.runtime == "openvino" ? 6 : 7;
  if (c.model.ends_with("int8.xml")) ms *= c.runtime == "openvino" ? 0.4 : 0.7;
  if (c.options.precision == "bf16") ms *= 1.3;
  return c.options.threads == 1 ? 1.8 * ms : ms;
}

std::string chosen_text(const TuneResult& result) {
  return result.chosen ? candidate_text(result.candidates[*result.chosen].measurement.candidate, true) : result.verdict;
}

const TuneCandidate& candidate_of(const TuneResult& result, const std::string& text) {
  for (const TuneCandidate& c : result.candidates) {
    if (candidate_text(c.measurement.candidate, true) == text) return c;
  }
  FAIL("no candidate " << text);
  return result.candidates[0];
}

}  // namespace

TEST_CASE("the fastest is found at a small part of the cost of measuring everything") {
  TuneBench quick({"float.xml", "int8.xml", "other.xml"}), full({"float.xml", "int8.xml", "other.xml"});
  for (TuneBench* bench : {&quick, &full}) bench->target.ms = usual_ms;
  full.request.exhaustive = true;
  auto a = quick.tune(), b = full.tune();
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(chosen_text(*a) == "int8.xml openvino cpu 2 threads f32");
  CHECK(chosen_text(*b) == chosen_text(*a));
  CHECK(quick.target.inferences * 10 < full.target.inferences * 3);
  CHECK(quick.target.opened < full.target.opened);
  // Every engine's own default on the float model is there to compare with.
  for (const char* text : {"float.xml onnxruntime cpu 2 threads f32", "float.xml openvino cpu 2 threads f32",
                           "float.xml tflite cpu 1 thread f32"}) {
    CHECK(candidate_of(*a, text).engine_default);
    CHECK(candidate_of(*a, text).final_round);
  }
  CHECK(a->verdict.find("2.50x as fast as openvino's own default") != std::string::npos);
}

TEST_CASE("a glance that was disturbed with all threads does not hide what fewer can do") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.noise = 0;
  std::map<std::string, int> runs;
  // Two threads wait for each other: most of their runs take a slice of the scheduler's.
  bench.target.ms = [&](const Candidate& c) {
    const double alone = c.model.ends_with("int8.xml") ? 0.1 : 0.2;
    if (c.options.threads == 1) return alone;
    return ++runs[candidate_text(c, true)] % 4 == 0 ? 1.5 * alone : 16.0;
  };
  bench.request.runtimes = {"tflite"};
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "int8.xml tflite cpu 1 thread f32");
  CHECK(candidate_of(*result, "float.xml tflite cpu 1 thread f32").engine_default);
  CHECK(result->verdict.find("2.00x as fast as tflite's own default") != std::string::npos);
}

TEST_CASE("the data's digest is that of the samples, however slow the machine is") {
  std::set<std::string> digests;
  for (const bool slow : {false, true}) {
    TuneBench bench({"float.xml"}, 100);
    int answers = 0;
    bench.target.damage = [&](const Candidate&) {  // asked for each answer
      if (slow && answers++ == 0) bench.posix.ports().clock->sleep_ms(200);
      return 0.0;
    };
    auto result = bench.tune();
    REQUIRE(result.ok());
    digests.insert(result->data_digest);
  }
  CHECK(digests.size() == 1);
}

TEST_CASE("a file that is made for one engine is tried in no other") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  bench.request.made_for[bench.request.models[1]] = "tflite";
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "int8.xml tflite cpu 2 threads f32");
  CHECK(candidate_of(*result, "int8.xml openvino cpu 1 thread f32").note == "the file is made for tflite");
}

TEST_CASE("where cores are not alike, threads are tried on the fast ones alone, and that is what is shipped") {
  TuneBench bench;
  bench.target.cores = 8;
  bench.target.core_groups = {{{4, 5}, 1024}, {{0, 1, 2, 3, 6, 7}, 400}};
  bench.target.ms = [](const Candidate& c) {
    const double anywhere = c.options.threads == 8 ? 10 : c.options.threads == 1 ? 20 : 12;
    return c.options.cpus.empty() ? anywhere : 0.5 * anywhere;
  };
  bench.request.runtimes = {"openvino"};
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32 on cpus 4-5");
  auto choice = read_tune_choice(*bench.posix.ports().files, bench.request.out_dir + "/tune.json");
  REQUIRE(choice.ok());
  CHECK(choice->candidate.options.cpus == std::vector<int>{4, 5});
}

TEST_CASE("what an engine computes by itself is asked, and called by its name") {
  TuneBench bench;
  bench.target.ms = usual_ms;
  bench.target.computes = [](const Candidate& c) {
    if (c.options.precision != "default") return c.options.precision;
    return std::string(c.runtime == "openvino" ? "bf16" : "f32");
  };
  auto result = bench.tune();
  REQUIRE(result.ok());
  const TuneCandidate& by_default = candidate_of(*result, "float.xml openvino cpu 2 threads default");
  CHECK(by_default.note == "the same computation as openvino cpu 2 threads bf16 (both are bf16)");
  CHECK(candidate_of(*result, "float.xml openvino cpu 1 thread default").note ==
        "the same computation as openvino cpu 1 thread bf16 (both are bf16)");
  CHECK(candidate_of(*result, "float.xml openvino cpu 2 threads bf16").engine_default);
  CHECK_FALSE(by_default.engine_default);
}

TEST_CASE("a drop is proven, or refused: of a damaged variant, on too few samples, and on labels of other data") {
  SUBCASE("a sound variant is taken") {
    TuneBench bench({"float.xml", "int8.xml"}, 1000);
    bench.target.ms = usual_ms;
    bench.target.damage = [](const Candidate& c) { return c.model.ends_with("int8.xml") ? 0.004 : 0.0; };
    bench.request.drop_max = 0.02;
    auto result = bench.tune();
    REQUIRE(result.ok());
    CHECK(result->labelled);
    CHECK(chosen_text(*result) == "int8.xml openvino cpu 2 threads f32");
    const TuneCandidate& best = result->candidates[*result->chosen];
    REQUIRE(best.accuracy);
    CHECK(best.accuracy->verdict == DropVerdict::kWithin);
    CHECK(best.accuracy->samples == 1000);
    CHECK(result->verdict.find("below 2 with 95 % confidence on 1000 samples") != std::string::npos);
  }
  SUBCASE("a damaged one is not, after few samples already") {
    TuneBench bench({"float.xml", "int8.xml"}, 1000);
    bench.target.ms = usual_ms;
    bench.target.damage = [](const Candidate& c) { return c.model.ends_with("int8.xml") ? 0.3 : 0.0; };
    bench.request.drop_max = 0.02;
    auto result = bench.tune();
    REQUIRE(result.ok());
    CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32");
    const TuneCandidate& bad = candidate_of(*result, "int8.xml openvino cpu 2 threads f32");
    REQUIRE(bad.accuracy);
    CHECK(bad.accuracy->verdict == DropVerdict::kOver);
    CHECK(bad.accuracy->samples < 200);
    CHECK_FALSE(bad.within_bounds);
  }
  SUBCASE("too few samples prove nothing, but of what computes the same they need not") {
    TuneBench bench({"float.xml", "int8.xml"}, 60);
    bench.target.ms = usual_ms;
    bench.target.damage = [](const Candidate& c) { return c.model.ends_with("int8.xml") ? 1e-9 : 0.0; };
    bench.request.drop_max = 0.01;
    auto result = bench.tune();
    REQUIRE(result.ok());
    CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32");
    CHECK(candidate_of(*result, "int8.xml openvino cpu 2 threads f32").note.find("not enough samples to say") !=
          std::string::npos);
    CHECK(result->verdict.find("to within rounding") != std::string::npos);
  }
  SUBCASE("those that may be chosen share the risk, the fastest first, and what computes the same has none") {
    TuneBench bench({"float.xml", "slow.xml", "fast.xml"}, 1000);
    bench.target.ms = [](const Candidate& c) {
      return c.model.ends_with("float.xml") ? 9.0 : c.model.ends_with("slow.xml") ? 5.0 : 4.0;
    };
    bench.target.damage = [](const Candidate& c) { return c.model.ends_with("float.xml") ? 0.0 : 0.004; };
    bench.request.runtimes = {"openvino"};
    bench.request.precisions = {"f32"};
    bench.request.threads = {2};
    bench.request.drop_max = 0.02;
    bench.request.exhaustive = true;
    auto result = bench.tune();
    REQUIRE(result.ok());
    CHECK(candidate_of(*result, "fast.xml openvino cpu 2 threads f32").accuracy->risk_share == 0.5);
    CHECK(candidate_of(*result, "slow.xml openvino cpu 2 threads f32").accuracy->risk_share == 0.25);
    CHECK(candidate_of(*result, "float.xml openvino cpu 2 threads f32").as_float);
    CHECK(result->verdict.find("below 2 with 95 % confidence on 1000 samples") != std::string::npos);
  }
  SUBCASE("labels that are not of these data end it") {
    TuneBench bench({"float.xml", "int8.xml"}, 300, true);
    bench.request.drop_max = 0.02;
    auto result = bench.tune();
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kInvalid);
    CHECK(result.error().message().find("the labels do not fit the float model's answers") != std::string::npos);
  }
}

TEST_CASE("who would be chosen is judged on all samples, and when that refuses it the next is chosen") {
  TuneBench bench({"float.xml", "good.xml", "bad.xml"});
  std::map<std::string, int> runs;
  bench.target.noise = 0;
  // The bad one shows its speed in the final alone, and its damage on more samples than the first ones.
  bench.target.ms = [&](const Candidate& c) {
    if (c.model.ends_with("float.xml")) return 9.0;
    const bool bad = c.model.ends_with("bad.xml");
    return c.options.threads == 1 ? 12.0 : !bad ? 5.0 : ++runs[candidate_text(c)] > 15 ? 4.0 : 5.5;
  };
  bench.target.damage = [](const Candidate& c) { return c.model.ends_with("bad.xml") ? 0.02 : 0.0; };
  bench.request.runtimes = {"openvino"};
  bench.request.precisions = {"f32"};
  bench.request.drop_max = 0.01;
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "good.xml openvino cpu 2 threads f32");
  const TuneCandidate& bad = candidate_of(*result, "bad.xml openvino cpu 2 threads f32");
  CHECK(bad.final_round);
  CHECK(bad.p50() == doctest::Approx(4));
  CHECK_FALSE(bad.glimpsed);
  CHECK(bad.agreement->samples > 32);
  CHECK_FALSE(bad.within_bounds);
}

TEST_CASE("whoever cannot reach the agreement any more is not run on the samples that are left") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  bench.target.damage = [](const Candidate& c) { return c.model.ends_with("int8.xml") ? 0.1 : 0.0; };
  bench.request.min_agreement = 0.97;
  bench.request.samples_max = 400;
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32");
  const TuneCandidate& bad = candidate_of(*result, "int8.xml openvino cpu 2 threads f32");
  CHECK(bad.agreement->samples < 300);  // a tenth of these is over the three hundredths that 400 may lose
  CHECK(bad.note.find("is below 0.9700") != std::string::npos);
  bench.request.exhaustive = true;
  bench.request.cache_dir.clear();
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK(candidate_of(*result, "int8.xml openvino cpu 2 threads f32").agreement->samples == 400);
}

TEST_CASE("a bound is hard, and when nothing keeps it the nearest misses are named") {
  TuneBench bench;
  bench.target.ms = usual_ms;
  bench.request.latency_ms_max = 5;
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK_FALSE(result->chosen);
  CHECK(result->verdict.find("nearest: openvino cpu 2 threads f32 (p95 6.0") != std::string::npos);
  bench.request.latency_ms_max = 0;
  bench.request.size_bytes_max = 10;
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK_FALSE(result->chosen);
  CHECK(result->verdict.find("are over 10 B") != std::string::npos);
  CHECK(result->cost.opened == 0);
}

TEST_CASE("the goal decides what is best") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  bench.target.memory = [](const Candidate& c) { return int64_t{c.runtime == "tflite" ? 20 : 90} << 20; };
  bench.request.goal = TuneGoal::kMemory;
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "int8.xml tflite cpu 2 threads f32");
  bench.request.goal = TuneGoal::kSize;  // int8.xml has a name one letter shorter in it
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result).find("int8.xml") == 0);
  bench.request.goal = TuneGoal::kPareto;
  result = bench.tune();
  REQUIRE(result.ok());
  int front = 0;
  for (const TuneCandidate& c : result->candidates) front += c.pareto ? 1 : 0;
  CHECK(front >= 2);
  CHECK(candidate_of(*result, "int8.xml tflite cpu 2 threads f32").pareto);
  CHECK(candidate_of(*result, "int8.xml openvino cpu 2 threads f32").pareto);
}

TEST_CASE("energy can be the goal and watts a bound, where the target can measure them") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  bench.request.goal = TuneGoal::kEnergy;
  auto result = bench.tune();
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message() == "energy of a fake: no meter");
  // One thread is slower and takes less.
  bench.target.joules = [](const Candidate& c) { return usual_ms(c) * (c.options.threads == 1 ? 0.4e-3 : 1e-3); };
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "int8.xml openvino cpu 1 thread f32");
  CHECK(result->verdict.find("1.73 mJ an inference (fake meter)") != std::string::npos);
  bench.request.goal = TuneGoal::kLatency;
  bench.request.watts_max = 3;
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK_FALSE(result->chosen);
  CHECK(result->verdict.find("4.00 W are over 3.00 W") != std::string::npos);
  bench.request.watts_max = 5;
  result = bench.tune();
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "int8.xml openvino cpu 2 threads f32");
}

TEST_CASE("what was measured is not measured again, and a new variant alone is") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  const std::vector<std::string> both = bench.request.models;
  bench.request.models.resize(1);
  REQUIRE(bench.tune().ok());
  bench.target.opened = 0;
  auto again = bench.tune();
  REQUIRE(again.ok());
  CHECK(bench.target.opened == 1);  // the reference, whose answers are not kept
  CHECK(again->cost.opened == 0);
  CHECK(again->cost.judged == 0);
  CHECK(again->candidates[*again->chosen].remembered);
  bench.request.models = both;
  auto more = bench.tune();
  REQUIRE(more.ok());
  CHECK(chosen_text(*more) == "int8.xml openvino cpu 2 threads f32");
  CHECK(candidate_of(*more, "float.xml tflite cpu 1 thread f32").remembered == false);  // in the final once more
  CHECK(more->cost.opened <= 3 * 3 * 2);
  // Another file under the same name is another model.
  bench.put_model("int8.xml", "another");
  auto changed = bench.tune();
  REQUIRE(changed.ok());
  CHECK(changed->cost.opened > 0);
}

TEST_CASE("a target that goes away ends the tune with what is known kept; the same call goes on from there") {
  const size_t samples = 60;
  TuneBench whole({"float.xml"}, samples);
  whole.target.ms = usual_ms;
  REQUIRE(whole.tune().ok());
  const int all = whole.target.asked;
  int last = -1;
  // Cut after every 31st command: each time it gets further, and in the end to the same choice.
  for (int at = 70; at < all; at += 31) {
    CAPTURE(at);
    TuneBench bench({"float.xml"}, samples);
    bench.target.ms = usual_ms;
    bench.target.asks_until_gone = at;
    auto gone = bench.tune();
    REQUIRE_FALSE(gone.ok());
    CHECK(gone.error().code() == Code::kUnavailable);
    CHECK(gone.error().message().find("the device is gone") != std::string::npos);
    bench.target.asks_until_gone = -1;
    bench.target.asked = 0;
    auto result = bench.tune();
    REQUIRE(result.ok());
    CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32");
    CHECK(bench.target.asked <= all);
    if (at > all - 40) last = bench.target.asked;
  }
  CHECK(last < all * 9 / 10);
}

TEST_CASE("a target that comes back is gone on with; who takes it away twice is refused") {
  TuneBench whole;
  whole.target.ms = usual_ms;
  REQUIRE(whole.tune().ok());
  TuneBench bench;
  bench.target.ms = usual_ms;
  bench.target.comes_back = true;
  bench.target.asks_until_gone = whole.target.asked * 3 / 4;  // in the final
  auto result = bench.tune();
  REQUIRE(result.ok());
  CHECK(bench.target.recoveries == 1);
  CHECK(chosen_text(*result) == "float.xml openvino cpu 2 threads f32");

  TuneBench other;
  other.target.ms = usual_ms;
  other.target.comes_back = true;
  // Whatever opens in OpenVINO after the reference takes the device down.
  other.target.refuses = [&](const Candidate& c) {
    if (c.runtime != "openvino" || other.target.inferences <= 100) return Status();
    other.target.asks_until_gone = 0;
    return Status(Error(Code::kUnavailable, "no answer from the device"));
  };
  result = other.tune();
  INFO((result.ok() ? "" : result.error().message()));
  REQUIRE(result.ok());
  CHECK(chosen_text(*result) == "float.xml tflite cpu 2 threads f32");
  CHECK(candidate_of(*result, "float.xml openvino cpu 2 threads f32").note.find("went away twice") !=
        std::string::npos);
}

TEST_CASE("what does not fit beside those that are open runs alone, and no more meet in the final than fit") {
  for (const bool tells : {true, false}) {
    CAPTURE(tells);
    TuneBench bench;
    bench.target.memory = [](const Candidate&) { return int64_t{50} << 20; };
    bench.target.lent_bytes = int64_t{tells ? 120 : 70} << 20;
    bench.target.tells_lent = tells;
    bench.request.threads = {2};
    if (!tells) bench.request.finalists_max = 1;
    Result<TuneResult> result = bench.tune();
    REQUIRE(result.ok());
    CHECK(result->chosen);
    size_t finalists = 0;
    for (const TuneCandidate& c : result->candidates) {
      finalists += c.final_round ? 1 : 0;
      const bool for_memory = c.measurement.refused && c.measurement.refused->code() == Code::kExhausted;
      if (tells || !c.final_round) CHECK_FALSE(for_memory);
    }
    if (tells) CHECK(finalists == 2);
  }
}

TEST_CASE("a lock file repeats a tune and says what changed") {
  TuneBench bench({"float.xml", "int8.xml"});
  bench.target.ms = usual_ms;
  auto first = bench.tune();
  REQUIRE(first.ok());
  auto bytes = bench.posix.ports().files->read(bench.request.out_dir + "/tune.lock", 1 << 20);
  REQUIRE(bytes.ok());
  auto json = Json::parse(as_text(*bytes));
  REQUIRE(json.ok());
  auto lock = tune_lock_from_json(*json);
  REQUIRE(lock.ok());
  auto repeat = [&] {
    const std::string out = bench.request.out_dir;
    bench.request = lock->request;
    bench.request.out_dir = out;
    auto result = bench.tune();
    INFO((result.ok() ? "" : result.error().message()));
    REQUIRE(result.ok());
    return *result;
  };
  TuneResult same = repeat();
  CHECK(lock_differences(*lock, same).empty());
  CHECK(lock_verdict(*lock, same).holds);
  CHECK(tune_lock_to_json(same)["request"] == tune_lock_to_json(*first)["request"]);
  // Nearly as fast as the choice of then: no difference that counts.
  bench.target.ms = [](const Candidate& c) {
    return c.model.ends_with("int8.xml") && c.runtime == "tflite" && c.options.threads == 2 ? 2.39 : usual_ms(c);
  };
  CHECK(lock_verdict(*lock, repeat()).holds);
  bench.target.ms = [](const Candidate& c) { return c.runtime == "tflite" ? 1.0 : usual_ms(c); };
  LockVerdict other = lock_verdict(*lock, repeat());
  CHECK_FALSE(other.holds);
  CHECK(other.text.find("int8.xml openvino cpu 2 threads f32 was chosen then") == 0);
  bench.put_model("float.xml", "another");
  bench.target.cores = 4;
  CHECK(lock_differences(*lock, repeat()).find("float.xml is another file; the number of cores was 2, is 4") !=
        std::string::npos);
  for (const char* member : {"format", "request", "models", "data_digest", "machine", "engines"}) {
    CAPTURE(member);
    Json broken = *json;
    broken.set(member, "x");
    CHECK_FALSE(tune_lock_from_json(member == std::string("data_digest") ? broken.set(member, 3) : broken).ok());
  }
}

}  // namespace oree
