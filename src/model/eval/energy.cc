// SPDX-License-Identifier: Apache-2.0
#include "model/eval/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

// Quantile 0.975 of Student's t by degrees of freedom; between the rows the larger one is taken (NIST/SEMATECH
// e-Handbook of Statistical Methods, section 1.3.6.7.2).
double student_t(size_t freedom) {
  constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  if (freedom <= std::size(kTable)) return kTable[freedom - 1];
  return freedom < 30 ? 2.086 : freedom < 60 ? 2.042 : freedom < 120 ? 2.000 : 1.980;
}

double mean_of(std::span<const EnergyPair> pairs, double EnergyPair::*member) {
  double sum = 0;
  for (const EnergyPair& pair : pairs) sum += pair.*member;
  return sum / static_cast<double>(pairs.size());
}

}  // namespace

std::string energy_text(double joules) {
  double size = std::fabs(joules);
  if (size >= 1) return fmt::format("{:.2f} J", joules);
  if (size >= 1e-3) return fmt::format("{:.2f} mJ", joules * 1e3);
  return fmt::format("{:.1f} µJ", joules * 1e6);
}

EnergyEstimate energy_not_measurable(std::string why) {
  EnergyEstimate estimate;
  estimate.not_measurable = std::move(why);
  return estimate;
}

Json EnergyEstimate::to_json() const {
  Json json = Json::object();
  if (!method.empty()) json.set("method", method).set("covers", covers);
  if (not_measurable) return json.set("not_measurable", *not_measurable);
  json.set("joules_per_inference", joules_per_inference).set("low", low).set("high", high);
  json.set("load_watts", load_watts).set("idle_watts", idle_watts).set("inferences", inferences);
  Json list = Json::array();
  for (const EnergyPair& pair : pairs) {
    list.push(Json()
                  .set("load_watts", pair.load_watts)
                  .set("idle_watts", pair.idle_watts)
                  .set("inferences_per_s", pair.inferences_per_s));
  }
  return json.set("pairs", list);
}

namespace {

Result<EnergyPair> pair_from_json(const Json& json) {
  EnergyPair pair;
  OREE_TRY_ASSIGN(pair.load_watts, json.get_double("load_watts"));
  OREE_TRY_ASSIGN(pair.idle_watts, json.get_double("idle_watts"));
  OREE_TRY_ASSIGN(pair.inferences_per_s, json.get_double("inferences_per_s"));
  return pair;
}

constexpr double kWindowSecondsMax = 600;
constexpr size_t kTextMax = 4096;

}  // namespace

Result<EnergyEstimate> EnergyEstimate::from_json(const Json& json) {
  EnergyEstimate e;
  if (json.find("method") != nullptr) {
    OREE_TRY_ASSIGN(e.method, json.get_text("method", kTextMax));
    OREE_TRY_ASSIGN(e.covers, json.get_text("covers", kTextMax));
  }
  if (json.find("not_measurable") != nullptr) {
    OREE_TRY_ASSIGN(e.not_measurable, json.get_text("not_measurable", kTextMax));
    return e;
  }
  OREE_TRY_ASSIGN(e.joules_per_inference, json.get_double("joules_per_inference"));
  OREE_TRY_ASSIGN(e.low, json.get_double("low"));
  OREE_TRY_ASSIGN(e.high, json.get_double("high"));
  OREE_TRY_ASSIGN(e.load_watts, json.get_double("load_watts"));
  OREE_TRY_ASSIGN(e.idle_watts, json.get_double("idle_watts"));
  OREE_TRY_ASSIGN(e.inferences, json.get_int("inferences", 1, INT64_MAX));
  OREE_TRY_ASSIGN(const Json* list, json.get_array("pairs"));
  if (list->items().size() > static_cast<size_t>(kEnergyPairsMax)) return member_error("pairs", "are too many");
  for (const Json& item : list->items()) {
    OREE_TRY_ASSIGN(EnergyPair pair, pair_from_json(item));
    e.pairs.push_back(pair);
  }
  return e;
}

Json energy_plan_to_json(const EnergyPlan& plan) {
  return Json()
      .set("pairs", plan.pairs)
      .set("load_seconds", plan.load_seconds)
      .set("idle_seconds", plan.idle_seconds)
      .set("settle_seconds", plan.settle_seconds);
}

Result<EnergyPlan> energy_plan_from_json(const Json& json) {
  EnergyPlan plan;
  OREE_TRY_ASSIGN(plan.pairs, json.get_int32("pairs", kEnergyPairsMin, kEnergyPairsMax));
  for (auto [key, member] :
       {std::pair{"load_seconds", &plan.load_seconds}, std::pair{"idle_seconds", &plan.idle_seconds},
        std::pair{"settle_seconds", &plan.settle_seconds}}) {
    OREE_TRY_ASSIGN(*member, json.get_double(key));
    if (!(*member >= 0 && *member <= kWindowSecondsMax)) return member_error(key, "is out of bounds");
  }
  if (!(plan.load_seconds > 0) || !(plan.idle_seconds > 0)) return member_error("load_seconds", "must be over 0");
  return plan;
}

double energy_plan_seconds(const EnergyPlan& plan) {
  const double settle = std::max(plan.settle_seconds, 1.0);
  return plan.pairs * (plan.load_seconds + plan.idle_seconds + 2 * settle);
}

EnergyEstimate estimate_energy(const PowerMeterInfo& meter, std::span<const EnergyPair> pairs) {
  EnergyEstimate e;
  e.method = meter.method;
  e.covers = meter.covers;
  e.pairs.assign(pairs.begin(), pairs.end());
  auto refuse = [&](std::string why) {
    e.not_measurable = std::move(why);
    return e;
  };
  if (pairs.size() < static_cast<size_t>(kEnergyPairsMin))
    return refuse(fmt::format("expected {} pairs of windows or more, found {}", kEnergyPairsMin, pairs.size()));
  std::vector<double> joules;
  for (const EnergyPair& pair : pairs) {
    if (pair.inferences < 1 || !(pair.inferences_per_s > 0)) return refuse("no inference within a load window");
    if (pair.load_joules < 0) return refuse("the counter went back");
    if (pair.load_joules == 0) return refuse("the counter did not move under load");
    joules.push_back((pair.load_watts - pair.idle_watts) / pair.inferences_per_s);
    e.inferences += pair.inferences;
  }
  double n = static_cast<double>(pairs.size());
  for (double j : joules) e.joules_per_inference += j / n;
  double squares = 0;
  for (double j : joules) squares += (j - e.joules_per_inference) * (j - e.joules_per_inference);
  double spread = student_t(pairs.size() - 1) * std::sqrt(squares / (n - 1) / n);
  // Each of the two differences may be off by a step, in every pair the same way.
  double step = 2 * meter.resolution_joules / (static_cast<double>(e.inferences) / n);
  e.low = e.joules_per_inference - spread - step;
  e.high = e.joules_per_inference + spread + step;
  e.load_watts = mean_of(pairs, &EnergyPair::load_watts);
  e.idle_watts = mean_of(pairs, &EnergyPair::idle_watts);
  if (!std::isfinite(e.joules_per_inference)) return refuse("the meter's figures are no numbers");
  // What is left of equal powers by rounding is nothing, too.
  if (e.load_watts - e.idle_watts <= 1e-6 * e.load_watts) {
    return refuse(fmt::format("the load takes no more than an idle machine, {:.3f} W against {:.3f} W", e.load_watts,
                              e.idle_watts));
  }
  if (e.high - e.low > e.joules_per_inference) {
    return refuse(
        fmt::format("{} an inference, but the 95 % interval, {} to {}, is wider than that; longer windows may help",
                    energy_text(e.joules_per_inference), energy_text(e.low), energy_text(e.high)));
  }
  return e;
}

namespace {

double seconds_between(const EnergyReading& from, const EnergyReading& to) {
  return static_cast<double>(to.time_ns - from.time_ns) / 1e9;
}

class EnergyDriver {
 public:
  EnergyDriver(Clock& clock, PowerMeter& meter, const EnergyLoad& load, const EnergyPlan& plan)
      : clock_(clock), meter_(meter), load_(load), plan_(plan) {
    settle_s_ = std::max(plan.settle_seconds, 2.0 * meter.info().sample_ms / 1000);
  }

  Result<EnergyPair> pair() {
    OREE_TRY_ASSIGN(double before, idle_watts());
    OREE_TRY(run(settle_s_));
    OREE_TRY_ASSIGN(EnergyReading from, meter_.read());
    int64_t start_ns = clock_.monotonic_ns();
    OREE_TRY_ASSIGN(int64_t inferences, run(plan_.load_seconds));
    double seconds = static_cast<double>(clock_.monotonic_ns() - start_ns) / 1e9;
    OREE_TRY_ASSIGN(EnergyReading to, meter_.read());
    if (plan_.loaded) plan_.loaded();
    sleep(settle_s_);
    OREE_TRY_ASSIGN(double after, idle_watts());
    EnergyPair result;
    result.load_joules = to.joules - from.joules;
    result.load_watts = result.load_joules / seconds_between(from, to);
    result.idle_watts = (before + after) / 2;
    result.inferences = inferences;
    result.inferences_per_s = static_cast<double>(inferences) / seconds;
    return result;
  }

 private:
  void sleep(double seconds) { clock_.sleep_ms(std::llround(seconds * 1000)); }

  Result<int64_t> run(double seconds) {
    Result<int64_t> inferences = load_(seconds);
    return inferences.ok() ? inferences : inferences.error().within("the candidate failed");
  }

  Result<double> idle_watts() {
    OREE_TRY_ASSIGN(EnergyReading from, meter_.read());
    sleep(plan_.idle_seconds / 2);
    OREE_TRY_ASSIGN(EnergyReading to, meter_.read());
    double seconds = seconds_between(from, to);
    if (!(seconds > 0)) return Error(Code::kUnavailable, "the meter told nothing new in an idle window");
    return (to.joules - from.joules) / seconds;
  }

  Clock& clock_;
  PowerMeter& meter_;
  const EnergyLoad& load_;
  const EnergyPlan& plan_;
  double settle_s_;
};

}  // namespace

EnergyEstimate measure_energy(Clock& clock, PowerMeter& meter, const EnergyLoad& load, const EnergyPlan& plan) {
  OREE_ASSERT(plan.pairs >= kEnergyPairsMin && plan.pairs <= kEnergyPairsMax);
  EnergyDriver driver(clock, meter, load, plan);
  std::vector<EnergyPair> pairs;
  while (static_cast<int>(pairs.size()) < plan.pairs) {
    Result<EnergyPair> pair = driver.pair();
    if (!pair.ok()) {
      EnergyEstimate estimate = energy_not_measurable(pair.error().message());
      estimate.method = meter.info().method;
      estimate.covers = meter.info().covers;
      return estimate;
    }
    pairs.push_back(*pair);
    if (plan.progress) plan.progress(static_cast<int>(pairs.size()), plan.pairs);
  }
  return estimate_energy(meter.info(), pairs);
}

namespace {

constexpr double kTurnSeconds = 0.2;  // so much at a time: a window ends at most that late
constexpr int kWarmup = 5;

Result<std::unique_ptr<Worker>> warm_worker(const Ports& ports, const WorkerSettings& settings,
                                            const Candidate& candidate, const std::string& input_npz, uint64_t seed) {
  OREE_TRY_ASSIGN(std::unique_ptr<Worker> worker, Worker::start(ports, settings));
  auto opened = worker->open(candidate);
  if (!opened.ok()) return opened.error();
  OREE_TRY(worker->set_input(input_npz, seed));
  auto turn = worker->run(kWarmup, 1);
  if (!turn.ok()) return turn.error();
  return worker;
}

}  // namespace

EnergyEstimate measure_candidate_energy(const Ports& ports, const WorkerSettings& settings, const Candidate& candidate,
                                        const std::string& input_npz, uint64_t seed, PowerMeter& meter,
                                        const EnergyPlan& plan) {
  auto worker = warm_worker(ports, settings, candidate, input_npz, seed);
  if (!worker.ok()) return energy_not_measurable("the candidate failed: " + worker.error().message());
  int runs = 1;
  EnergyLoad load = [&](double seconds) -> Result<int64_t> {
    int64_t start = ports.clock->monotonic_ns(), done = 0;
    auto passed = [&] { return static_cast<double>(ports.clock->monotonic_ns() - start) / 1e9; };
    while (passed() < seconds) {
      double before = passed();
      OREE_TRY_ASSIGN(Worker::Turn turn, (*worker)->run(0, runs));
      done += static_cast<int64_t>(turn.latency_ms.size());
      double each = std::max((passed() - before) / runs, 1e-6);
      runs = static_cast<int>(std::clamp(kTurnSeconds / each, 1.0, double{kTurnRunsMax}));
    }
    return done;
  };
  return measure_energy(*ports.clock, meter, load, plan);
}

}  // namespace oree
