// SPDX-License-Identifier: Apache-2.0
#include "model/eval/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/eval/noise.h"

namespace oree {

double percentile(std::span<const double> sorted, double fraction) {
  OREE_ASSERT(!sorted.empty());
  double position = fraction * static_cast<double>(sorted.size() - 1);
  size_t below = static_cast<size_t>(position);
  size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - static_cast<double>(below));
}

LatencySummary summarize_latency(std::span<const double> milliseconds) {
  LatencySummary summary;
  if (milliseconds.empty()) return summary;
  std::vector<double> sorted(milliseconds.begin(), milliseconds.end());
  std::sort(sorted.begin(), sorted.end());
  double n = static_cast<double>(sorted.size());
  summary.count = static_cast<int64_t>(sorted.size());
  summary.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  double squares = 0;
  for (double v : sorted) squares += (v - summary.mean) * (v - summary.mean);
  summary.stddev = sorted.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  summary.min = sorted.front();
  summary.max = sorted.back();
  summary.p50 = percentile(sorted, 0.50);
  summary.p95 = percentile(sorted, 0.95);
  summary.p99 = percentile(sorted, 0.99);
  return summary;
}

Json measurement_to_json(const Measurement& m) {
  Json json = candidate_to_json(m.candidate);
  if (m.refused) {
    json.set("refused", Json().set("code", code_name(m.refused->code())).set("message", m.refused->message()));
  }
  if (m.latency.count == 0) return json;
  Json facts = Json::object();
  for (const auto& [key, value] : m.facts) facts.set(key, value);
  const LatencySummary& l = m.latency;
  json.set("engine_version", m.engine_version).set("facts", facts).set("load_ms", m.load_ms);
  json.set("latency_ms", Json()
                             .set("count", l.count)
                             .set("mean", l.mean)
                             .set("stddev", l.stddev)
                             .set("min", l.min)
                             .set("p50", l.p50)
                             .set("p95", l.p95)
                             .set("p99", l.p99)
                             .set("max", l.max));
  json.set("throughput_per_s", m.throughput).set("rss_bytes_peak", m.rss_bytes_peak);
  json.set("rss_bytes_baseline", m.rss_bytes_baseline).set("idle_cpu_percent", m.idle_cpu_percent);
  return json;
}

namespace {

struct Contestant {
  std::unique_ptr<Worker> worker;
  int64_t idle_cpu_ms = 0, idle_wall_ms = 0;
  bool known_memory = false;
};

void refuse(Contestant& contestant, Measurement& m, const Error& why) {
  m.refused = why;
  contestant.worker.reset();
}

Status begin(Contestant& contestant, Measurement& m, Target& target, const WorkerSettings& settings,
             const MeasurePlan& plan) {
  contestant.known_memory = contestant.worker && m.rss_bytes_peak > 0;
  if (contestant.worker) return contestant.worker->set_input(plan.input_npz, plan.seed);
  OREE_TRY_ASSIGN(contestant.worker, target.start(settings));
  OREE_TRY_ASSIGN(Worker::Opened opened, contestant.worker->open(m.candidate));
  m.load_ms = opened.load_ms;
  m.facts = std::move(opened.facts);
  m.engine_version = opened.engine_version;
  m.rss_bytes_baseline = opened.rss_bytes_baseline;
  return contestant.worker->set_input(plan.input_npz, plan.seed);
}

Status take_turn(Contestant& contestant, Measurement& m, const MeasurePlan& plan, int runs, int round) {
  OREE_TRY_ASSIGN(Worker::Turn turn, contestant.worker->run(round == 0 ? plan.warmup : plan.warmup_per_round, runs));
  m.round_p50_ms.push_back(summarize_latency(turn.latency_ms).p50);
  m.latency_ms.insert(m.latency_ms.end(), turn.latency_ms.begin(), turn.latency_ms.end());
  if (!contestant.known_memory) m.rss_bytes_peak = turn.rss_bytes_peak;
  contestant.idle_cpu_ms += turn.idle_cpu_ms;
  contestant.idle_wall_ms += turn.idle_wall_ms;
  return {};
}

void finish(const Contestant& contestant, Measurement& m) {
  m.latency = summarize_latency(m.latency_ms);
  if (m.latency.mean > 0) m.throughput = 1000 / m.latency.mean;
  if (contestant.idle_wall_ms > 0) {
    m.idle_cpu_percent =
        100 * static_cast<double>(contestant.idle_cpu_ms) / static_cast<double>(contestant.idle_wall_ms);
  }
}

}  // namespace

std::vector<Measurement> measure(Target& target, Clock& clock, const WorkerSettings& settings,
                                 const std::vector<Candidate>& candidates, const MeasurePlan& plan) {
  std::vector<Measurement> results(candidates.size());
  std::vector<Contestant> contestants(candidates.size());
  auto fail = [&](size_t i, const Error& why) {
    refuse(contestants[i], results[i], why);
    if (plan.failed) plan.failed(i);
  };
  for (size_t i = 0; i < candidates.size(); ++i) {
    results[i].candidate = candidates[i];
    if (plan.opened) contestants[i].worker = plan.opened(i, results[i]);
    Status begun = begin(contestants[i], results[i], target, settings, plan);
    if (!begun.ok()) fail(i, begun.error());
  }
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), size_t{0});
  SeededRandom random(plan.seed);
  int64_t start = clock.monotonic_ns();
  for (int round = 0; round < plan.rounds; ++round) {
    double seconds = static_cast<double>(clock.monotonic_ns() - start) / 1e9;
    if (plan.seconds_max > 0 && seconds > plan.seconds_max && round >= 2) break;
    bool alive = std::any_of(contestants.begin(), contestants.end(), [](const Contestant& c) { return !!c.worker; });
    if (!alive) break;  // nobody is left to fill the time with
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (size_t i : order) {
      if (!contestants[i].worker) continue;
      const int runs = plan.runs_each.empty() ? plan.runs_per_round : plan.runs_each[i];
      Status taken = take_turn(contestants[i], results[i], plan, runs, round);
      if (!taken.ok()) fail(i, taken.error());
    }
    if (plan.drop) {
      for (auto& [i, why] : plan.drop(results, round)) {
        if (contestants[i].worker) refuse(contestants[i], results[i], why);
      }
    }
    if (plan.progress) plan.progress(round + 1, plan.rounds);
    if (plan.enough && plan.enough(results)) break;
  }
  for (size_t i = 0; i < candidates.size(); ++i) finish(contestants[i], results[i]);
  return results;
}

}  // namespace oree
