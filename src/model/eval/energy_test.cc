// SPDX-License-Identifier: Apache-2.0
#include "model/eval/energy.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_power.h"
#include "model/eval/noise.h"
#include "os/posix/posix_ports.h"

namespace oree {
namespace {

// A candidate of 5 ms an inference that takes `watts` above what the machine takes idle.
EnergyLoad load_of(FakeClock& clock, FakePowerMeter& meter, double watts) {
  return [&clock, &meter, watts](double seconds) -> Result<int64_t> {
    int64_t inferences = static_cast<int64_t>(seconds * 200 + 0.5);
    meter.set_load_watts(watts);
    clock.advance_ms(inferences * 5);
    meter.set_load_watts(0);
    return inferences;
  };
}

bool says(const EnergyEstimate& estimate, const std::string& part) {
  return estimate.not_measurable && estimate.not_measurable->find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an exact meter gives the exact energy, the idle power subtracted") {
  FakeClock clock;
  FakePowerMeter meter(&clock, [](double) { return 2.5; });
  int loaded = 0, progress = 0;
  EnergyPlan plan;
  plan.loaded = [&] { ++loaded; };
  plan.progress = [&](int done, int total) {
    CHECK(done == ++progress);
    CHECK(total == 5);
  };
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 3), plan);
  REQUIRE_FALSE(e.not_measurable);
  CHECK(e.joules_per_inference == doctest::Approx(0.015));  // 3 W for 5 ms
  CHECK(e.low == doctest::Approx(0.015));
  CHECK(e.high == doctest::Approx(0.015));
  CHECK(e.load_watts == doctest::Approx(5.5));
  CHECK(e.idle_watts == doctest::Approx(2.5));
  CHECK(e.inferences == 2000);
  CHECK(e.pairs.size() == 5);
  CHECK(loaded == 5);
  Json json = e.to_json();
  CHECK(json["method"].as_string() == "fake");
  CHECK(json["covers"].as_string() == "all");
  CHECK(json["joules_per_inference"].as_double() == doctest::Approx(0.015));
  CHECK(json["pairs"].items().size() == 5);
  CHECK(json.find("not_measurable") == nullptr);
}

TEST_CASE("idle power that drifts steadily cancels") {
  FakeClock clock;
  // From 2 W by a third of a watt a second: more than the load itself in the end.
  FakePowerMeter meter(&clock, [](double seconds) { return 2 + seconds / 3; });
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 3), {});
  REQUIRE_FALSE(e.not_measurable);
  CHECK(e.joules_per_inference == doctest::Approx(0.015).epsilon(1e-6));
  CHECK(e.high - e.low < 1e-6);
}

TEST_CASE("with noise the interval holds the truth about as often as it says") {
  int held = 0, stated = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    FakeClock clock;
    SeededRandom random(static_cast<uint64_t>(trial) + 1);
    // A sum of uniforms each 10 ms; its mean over a window is as good as normal.
    FakePowerMeter meter(&clock, [&](double) { return 2 + 8 * (random.unit() - 0.5); });
    EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 3), {});
    if (e.not_measurable) continue;
    ++stated;
    held += e.low <= 0.015 && 0.015 <= e.high ? 1 : 0;
    CHECK(e.joules_per_inference == doctest::Approx(0.015).epsilon(0.2));
  }
  CHECK(stated == kTrials);
  // 190 are expected; fewer than 178 or more than 199 are each less than 1 in 1000 likely.
  CHECK(held >= 178);
  CHECK(held <= 199);
}

TEST_CASE("a load that drowns in noise is not measurable") {
  FakeClock clock;
  SeededRandom random(3);
  FakePowerMeter meter(&clock, [&](double) { return 50 + 40 * (random.unit() - 0.5); });
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 2), {});
  CHECK(says(e, "wider than that"));
  CHECK(e.method == "fake");
  Json json = e.to_json();
  CHECK_FALSE(json["not_measurable"].as_string().empty());
  CHECK(json.find("joules_per_inference") == nullptr);
}

TEST_CASE("a load below idle, as when a governor slept, is not measurable either") {
  FakeClock clock;
  FakePowerMeter meter(&clock, [](double) { return 5.0; });
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, -1), {});
  CHECK(says(e, "the load takes no more than an idle machine, 4.000 W against 5.000 W"));
}

TEST_CASE("a meter that does not see the load gives no figure made of rounding") {
  FakeClock clock;
  FakePowerMeter meter(&clock, [](double) { return 4.2; });
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 0), {});
  CHECK(says(e, "the load takes no more than an idle machine, 4.200 W against 4.200 W"));
}

TEST_CASE("a counter that stands still, or goes back, is said to") {
  FakeClock clock;
  FakePowerMeter still(&clock, [](double) { return 0.0; });
  CHECK(says(measure_energy(clock, still, load_of(clock, still, 0), {}), "did not move under load"));
  FakePowerMeter coarse(&clock, [](double) { return 0.01; }, {"coarse", "all", 1000});
  CHECK(says(measure_energy(clock, coarse, load_of(clock, coarse, 1), {}), "did not move under load"));
  FakePowerMeter wraps(&clock, [](double) { return 2.0; });
  wraps.wrap_at(23);
  CHECK(measure_energy(clock, wraps, load_of(clock, wraps, 3), {}).not_measurable);
}

TEST_CASE("what the counter's step may hide widens the interval") {
  FakeClock clock;
  FakePowerMeter meter(&clock, [](double) { return 2.0; }, {"steps", "all", 0.5});
  EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 3), {});
  REQUIRE_FALSE(e.not_measurable);
  CHECK(e.low < 0.015);
  CHECK(e.high > 0.015);
  CHECK(e.high - e.low > 0.0049);  // half a joule each way, at both ends, over 400 inferences
}

TEST_CASE("a meter that dies, whenever it does, makes it not measurable with its reason") {
  for (int reads = 0;; ++reads) {
    FakeClock clock;
    FakePowerMeter meter(&clock, [](double) { return 2.0; });
    meter.fail_after(reads, Error(Code::kUnavailable, "external: plug ended with status 4"));
    EnergyPlan plan;
    plan.pairs = 3;
    EnergyEstimate e = measure_energy(clock, meter, load_of(clock, meter, 3), plan);
    if (!e.not_measurable) {
      CHECK(reads == 18);
      break;
    }
    CHECK(*e.not_measurable == "external: plug ended with status 4");
    CHECK(e.method == "fake");
  }
}

TEST_CASE("a candidate that dies under load is the reason") {
  FakeClock clock;
  FakePowerMeter meter(&clock, [](double) { return 2.0; });
  EnergyEstimate e = measure_energy(
      clock, meter, [](double) -> Result<int64_t> { return Error(Code::kUnsupported, "crashed during 'run'"); }, {});
  CHECK(says(e, "the candidate failed: crashed during 'run'"));
}

TEST_CASE("too few pairs, or none with an inference, give no figure") {
  EnergyPair pair{5, 2, 100, 10, 200};
  std::vector<EnergyPair> pairs{pair, pair};
  CHECK(says(estimate_energy({"m", "c"}, pairs), "expected 3 pairs"));
  pairs.push_back(pair);
  CHECK(estimate_energy({"m", "c"}, pairs).joules_per_inference == doctest::Approx(0.03));
  pairs[1].inferences = 0;
  CHECK(says(estimate_energy({"m", "c"}, pairs), "no inference"));
}

TEST_CASE("the interval is Student's t") {
  // By hand for 0.028, 0.030, 0.031, 0.033: mean 0.0305, s 0.00208167, t(3) 3.182446, half 3.182446 s / 2.
  std::vector<EnergyPair> pairs;
  for (double joules : {0.028, 0.030, 0.031, 0.033}) pairs.push_back({2 + 100 * joules, 2, 100, 10, 200});
  EnergyEstimate e = estimate_energy({"m", "c"}, pairs);
  CHECK(e.joules_per_inference == doctest::Approx(0.0305));
  CHECK(e.low == doctest::Approx(0.027187604865877436).epsilon(1e-4));
  CHECK(e.high == doctest::Approx(0.03381239513412256).epsilon(1e-4));
}

TEST_CASE("a candidate is loaded through a worker") {
  // A worker of 1 ms an inference, and a real meter of its clock: one joule a second under load or not.
  class SecondsMeter : public PowerMeter {
   public:
    explicit SecondsMeter(Clock* clock) : clock_(clock) {}
    const PowerMeterInfo& info() const override { return info_; }
    Result<EnergyReading> read() override {
      int64_t now = clock_->monotonic_ns();
      return EnergyReading{now, static_cast<double>(now) / 1e9};
    }

   private:
    Clock* clock_;
    PowerMeterInfo info_{"seconds", "time"};
  };
  PosixPorts posix;
  Ports ports = posix.ports();
  SecondsMeter meter(ports.clock);
  WorkerSettings settings;
  settings.argv = {"/bin/sh", "-c", R"(M=/dev/fd/$OREE_AGENT_FD
    read l; echo '{"ok":true,"load_ms":5,"rss_bytes_baseline":1,"facts":{},"engine_version":"1","inputs":[],"outputs":[]}' >$M
    read l; echo '{"ok":true}' >$M
    while read l; do n=${l##*:}; n=${n%\}}; sleep 0.02; i=1; u=1000; while [ $i -lt $n ]; do u=$u,1000; i=$((i+1)); done
      echo "{\"ok\":true,\"latency_us\":[$u],\"rss_bytes_peak\":2,\"idle_cpu_ms\":0,\"idle_wall_ms\":0}" >$M; done)"};
  EnergyPlan plan;
  plan.pairs = 3;
  plan.load_seconds = plan.idle_seconds = 0.1;
  plan.settle_seconds = 0.01;
  EnergyEstimate e = measure_candidate_energy(ports, settings, {"m", "tflite", {}}, "", 1, meter, plan);
  REQUIRE(e.pairs.size() == 3);
  for (const EnergyPair& pair : e.pairs) {
    CHECK(pair.inferences >= 1);
    CHECK(pair.load_watts == doctest::Approx(1));
  }
  settings.argv = {"/bin/sh", "-c", "exit 3"};
  e = measure_candidate_energy(ports, settings, {"m", "tflite", {}}, "", 1, meter, plan);
  CHECK(says(e, "the candidate failed: ended during 'open' with status 3"));
}

TEST_CASE("joules are written in their size") {
  CHECK(energy_text(12.3456) == "12.35 J");
  CHECK(energy_text(0.0123456) == "12.35 mJ");
  CHECK(energy_text(0.0000123) == "12.3 µJ");
  CHECK(energy_text(-0.0123456) == "-12.35 mJ");
}

TEST_CASE("an estimate and a plan come back as they went; nonsense is refused") {
  EnergyPlan plan;
  plan.pairs = 7;
  plan.load_seconds = 0.5;
  auto again = energy_plan_from_json(energy_plan_to_json(plan));
  REQUIRE(again.ok());
  CHECK(again->pairs == 7);
  CHECK(again->load_seconds == 0.5);
  CHECK(energy_plan_seconds(plan) == doctest::Approx(7 * (0.5 + 2 + 2)));
  for (auto [key, value] : {std::pair{"pairs", Json(1)}, std::pair{"load_seconds", Json(0)},
                            std::pair{"idle_seconds", Json(1e9)}, std::pair{"settle_seconds", Json(-1)}}) {
    CAPTURE(key);
    CHECK_FALSE(energy_plan_from_json(energy_plan_to_json(plan).set(key, value)).ok());
  }
  std::vector<EnergyPair> pairs(4, EnergyPair{5, 3, 100, 10, 200});
  const EnergyEstimate e = estimate_energy({"fake", "all"}, pairs);
  REQUIRE_FALSE(e.not_measurable);
  auto back = EnergyEstimate::from_json(e.to_json());
  REQUIRE(back.ok());
  CHECK(back->to_json() == e.to_json());
  const EnergyEstimate none = energy_not_measurable("no meter");
  CHECK(*EnergyEstimate::from_json(none.to_json())->not_measurable == "no meter");
  CHECK_FALSE(EnergyEstimate::from_json(e.to_json().set("inferences", "many")).ok());
  CHECK_FALSE(EnergyEstimate::from_json(Json::array()).ok());
}
}  // namespace oree
