// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "optimize/tune/tuner.h"

namespace oree {
namespace {

constexpr size_t kEnergyCandidates = 4;  // each takes a good quarter of a minute

// What stays of a screening when its worker goes on in the final: all but the times.
Measurement measured_alone(const Measurement& screened) {
  Measurement m = screened;
  m.latency_ms.clear();
  m.round_p50_ms.clear();
  m.latency = {};
  return m;
}

}  // namespace

// The best by the goal that keep the bounds which screening can judge, and every engine's own default to compare with.
std::vector<size_t> Tuner::finalists() const {
  const TuneRequest& request = result_.request;
  std::vector<size_t> wanted, chosen;
  auto add = [&](size_t i) {
    if (std::find(wanted.begin(), wanted.end(), i) == wanted.end()) wanted.push_back(i);
  };
  for (size_t i : by_goal()) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.skipped || !c.agreement || !may_be_accurate_enough(result_, c)) continue;
    if (wanted.size() < static_cast<size_t>(request.finalists_max) || request.exhaustive) add(i);
  }
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.engine_default && !c.measurement.refused && c.agreement) add(i);
  }
  int64_t room = room_bytes_;
  for (size_t i : wanted) {
    room -= result_.candidates[i].measurement.rss_bytes_peak;
    if (room < 0 && result_.machine.memory_total_bytes > 0 && !chosen.empty()) break;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

bool Tuner::remember_final(const Json& key, const std::vector<size_t>& indices) {
  std::optional<Json> record = find_times(key);
  if (!record || record->items().size() != indices.size()) return false;
  std::vector<Measurement> measured;
  for (const Json& item : record->items()) {
    auto m = measurement_from_record(item["measurement"]);
    if (!m.ok()) return false;
    measured.push_back(std::move(*m));
  }
  for (size_t k = 0; k < indices.size(); ++k) {
    TuneCandidate& c = result_.candidates[indices[k]];
    measured[k].candidate = c.measurement.candidate;
    c.measurement = std::move(measured[k]);
    c.final_round = c.remembered = true;
    add_note(c, record->items()[k]["note"].as_string());
  }
  ++result_.cost.remembered;
  return true;
}

Status Tuner::measure_final(const std::vector<size_t>& indices) {
  const TuneRequest& request = result_.request;
  std::vector<Candidate> candidates;
  std::vector<FinalEntry> entries;
  MeasurePlan plan;
  for (size_t i : indices) {
    const TuneCandidate& c = result_.candidates[i];
    candidates.push_back(c.measurement.candidate);
    entries.push_back({may_be_accurate_enough(result_, c), c.engine_default, accurate_enough(result_, c)});
    plan.runs_each.push_back(turn_runs(c.measurement.latency.p50));
  }
  plan.rounds = request.rounds;
  plan.warmup = 3;
  plan.warmup_per_round = 1;  // it fills the caches, which is what the others took away
  plan.seed = request.seed;
  plan.input_npz = samples_->input_path();
  // By another goal than speed who is slower may still be the best; all are wanted for a Pareto front.
  if (request.goal == TuneGoal::kLatency && !request.exhaustive) {
    plan.drop = [&](const std::vector<Measurement>& so_far, int) { return drop_from_final(so_far, entries); };
    plan.enough = [&](const std::vector<Measurement>& so_far) { return final_is_sure(so_far, entries); };
  }
  plan.opened = [&](size_t k, Measurement& m) {
    std::unique_ptr<Worker> worker = open_.take(indices[k]);
    if (worker) m = measured_alone(result_.candidates[indices[k]].measurement);
    return worker;
  };
  std::optional<size_t> first_failed;
  plan.failed = [&](size_t k) { first_failed = first_failed.value_or(indices[k]); };
  plan.progress = [&](int done, int total) {
    say("final", static_cast<size_t>(done), static_cast<size_t>(total));
    if (auto reading = target_.read(); reading.ok()) result_.thermal.add(*reading, ports_.clock->monotonic_ns());
  };
  open_.end_except(indices);
  std::vector<Measurement> measured = measure(target_, *ports_.clock, request.worker, candidates, plan);
  Json record = Json::array();
  bool whole = true;
  for (size_t k = 0; k < indices.size(); ++k) {
    const bool dropped = measured[k].refused && measured[k].refused->code() == Code::kRefused;
    if (measured[k].refused && !dropped) {
      OREE_TRY_ASSIGN(const bool was_away, target_.recover(request.wait_ms));
      if (was_away) {
        open_.end_all();
        lost_in_final_ = first_failed;
        return Error(Code::kUnavailable, "the target went away during the final: " + measured[k].refused->message());
      }
      whole = false;
    }
    TuneCandidate& c = result_.candidates[indices[k]];
    const std::string note = measured[k].refused ? measured[k].refused->message() : "";
    add_note(c, note);
    if (dropped) measured[k].refused.reset();
    c.measurement = std::move(measured[k]);
    c.final_round = true;
    c.remembered = false;
    record.push(Json().set("measurement", measurement_record(c.measurement)).set("note", note));
  }
  if (whole) keep_times(final_key(indices), record);
  return {};
}

Json Tuner::final_key(const std::vector<size_t>& indices) const {
  Json keys = Json::array();
  for (size_t i : indices) keys.push(speed_key(result_.candidates[i].measurement.candidate));
  return Json()
      .set("what", "final")
      .set("candidates", keys)
      .set("rounds", result_.request.rounds)
      .set("goal", tune_goal_name(result_.request.goal))
      .set("seed", static_cast<int64_t>(result_.request.seed));
}

void Tuner::correct_for_drift(const std::vector<size_t>& indices) {
  RoundMedians medians;
  size_t rounds = 0;
  for (size_t i : indices) rounds = std::max(rounds, result_.candidates[i].measurement.round_p50_ms.size());
  for (size_t i : indices) {
    const std::vector<double>& own = result_.candidates[i].measurement.round_p50_ms;
    medians.emplace_back(own.begin(), own.end());
    medians.back().resize(rounds);
  }
  if (rounds == 0) return;
  const DriftCorrection drift = oree::correct_drift(medians);
  result_.drift_slowest = drift.slowest;
  result_.drift_slow_share = drift.slow_share;
  for (size_t k = 0; k < indices.size(); ++k) result_.candidates[indices[k]].drift_free_ms = drift.corrected[k];
}

// Of the fastest that may be chosen.
void Tuner::measure_energy() {
  const TuneRequest& request = result_.request;
  if (!request.energy && request.watts_max <= 0 && request.goal != TuneGoal::kEnergy) return;
  std::vector<size_t> order;
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.final_round && !c.measurement.refused && accurate_enough(result_, c)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return result_.candidates[a].p50() < result_.candidates[b].p50(); });
  order.resize(std::min(order.size(), kEnergyCandidates));
  for (size_t k = 0; k < order.size(); ++k) {
    TuneCandidate& c = result_.candidates[order[k]];
    say("energy of " + candidate_text(c.measurement.candidate), k, order.size());
    c.energy = target_.energy(request.worker, c.measurement.candidate, samples_->input_path(), request.seed,
                              request.meter, {});
    if (c.energy->not_measurable) add_note(c, "energy not measurable: " + *c.energy->not_measurable);
  }
}

Status Tuner::run_final() {
  std::map<size_t, int> lost;  // candidate that failed first when the target went away -> how often
  while (true) {
    const std::vector<size_t> indices = finalists();
    if (indices.empty()) return {};
    if (remember_final(final_key(indices), indices)) {
      correct_for_drift(indices);
      return {};
    }
    std::vector<TuneCandidate> before = result_.candidates;
    lost_in_final_.reset();
    Status measured = measure_final(indices);
    if (measured.ok()) correct_for_drift(indices);
    if (measured.ok() || !lost_in_final_) return measured;
    // From its beginning: the rounds that were lost would have been of another state of the target.
    result_.candidates = std::move(before);
    if (++lost[*lost_in_final_] < 2) continue;
    TuneCandidate& c = result_.candidates[*lost_in_final_];
    c.measurement.refused = Error(Code::kUnavailable, "the target went away twice while it ran in the final");
    c.note = c.measurement.refused->message();
  }
}

}  // namespace oree
