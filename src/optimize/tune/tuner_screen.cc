// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "optimize/tune/tuner.h"

namespace oree {
namespace {

constexpr int kGlanceWarmup = 2;
constexpr int kGlanceRunsFirst = 3;
constexpr double kGlanceMs = 120;  // of computing, in all
constexpr int kGlanceRunsMax = 15;

std::string computed_key(const Candidate& c) { return c.model + "|" + c.runtime + "|" + c.options.provider; }

}  // namespace

Status Tuner::tried(TuneCandidate& candidate, const std::function<Status()>& attempt) {
  Status status = attempt();
  // Those that are open for later use memory, too: it may fit alone.
  if (!status.ok() && status.error().code() == Code::kExhausted && !open_.empty()) {
    open_.end_all();
    status = attempt();
  }
  for (int again = 0; !status.ok(); ++again) {
    OREE_TRY_ASSIGN(const bool was_away, target_.recover(result_.request.wait_ms));
    if (was_away) open_.end_all();
    if (!was_away || again == 1) {
      const std::string away = was_away ? "the target went away twice while it ran; the last time: " : "";
      candidate.measurement.refused = Error(status.error().code(), away + status.error().message());
      candidate.note = candidate.measurement.refused->message();
      return {};
    }
    status = attempt();
  }
  return {};
}

bool Tuner::too_large(TuneCandidate& c) const {
  const int64_t most = result_.request.size_bytes_max;
  if (most == 0 || c.size_bytes <= most) return false;
  c.skipped = true;
  return true;
}

void Tuner::same_computation(TuneCandidate& c, const std::string& precision) {
  Candidate as = c.measurement.candidate;
  as.options.precision = precision;
  c.measurement.refused =
      Error(Code::kConflict, fmt::format("the same computation as {} (both are {})", candidate_text(as), precision));
  c.note = c.measurement.refused->message();
}

bool Tuner::remember_glance(TuneCandidate& c) {
  std::optional<Json> record = find_times(speed_key(c.measurement.candidate));
  if (!record) return false;
  auto m = measurement_from_record(*record);
  if (!m.ok()) return false;
  const Candidate own = c.measurement.candidate;
  c.measurement = std::move(*m);
  c.measurement.candidate = own;  // the file may lie elsewhere now
  c.remembered = true;
  ++result_.cost.remembered;
  return true;
}

// Alone on the target: can it run at all, and roughly how fast?
Status Tuner::glance(TuneCandidate& candidate, Worker& worker) {
  Measurement& m = candidate.measurement;
  OREE_TRY(worker.set_input(samples_->input_path(), result_.request.seed));
  OREE_TRY_ASSIGN(Worker::Turn turn, worker.run(kGlanceWarmup, kGlanceRunsFirst));
  m.latency_ms = turn.latency_ms;
  const double each = summarize_latency(m.latency_ms).p50;
  const int more = std::min(kGlanceRunsMax - kGlanceRunsFirst,
                            static_cast<int>(kGlanceMs / std::max(each, 1e-3)) - kGlanceRunsFirst);
  if (more > 0) {
    OREE_TRY_ASSIGN(turn, worker.run(0, more));
    m.latency_ms.insert(m.latency_ms.end(), turn.latency_ms.begin(), turn.latency_ms.end());
  }
  m.rss_bytes_peak = turn.rss_bytes_peak;
  m.latency = summarize_latency(m.latency_ms);
  m.throughput = m.latency.mean > 0 ? 1000 / m.latency.mean : 0;
  return {};
}

// For its accuracy and the final. What measures everything does so the plain way.
void Tuner::keep_open(size_t index, std::unique_ptr<Worker> worker) {
  const TuneCandidate& c = result_.candidates[index];
  if (result_.request.exhaustive) return;
  const bool by_latency = result_.request.goal == TuneGoal::kLatency;
  const double best = best_latency() * kGlanceDoubt;
  if (by_latency) open_.end_worse_than(best);
  if (!by_latency || c.measurement.latency.min <= best)
    open_.keep(index, std::move(worker), goal_value(result_.request.goal, c), c.measurement.rss_bytes_peak);
}

Status Tuner::screen_one(size_t index) {
  TuneCandidate& c = result_.candidates[index];
  Measurement& m = c.measurement;
  if (m.refused || m.latency.count > 0 || too_large(c)) return {};  // what was measured under another name
  if (!remember_glance(c)) {
    ++result_.cost.opened;
    std::unique_ptr<Worker> worker;
    auto attempt = [&]() -> Status {
      OREE_TRY_ASSIGN(worker, target_.start(result_.request.worker));
      OREE_TRY_ASSIGN(Worker::Opened opened, worker->open(m.candidate));
      m.load_ms = opened.load_ms;
      m.facts = opened.facts;
      m.engine_version = opened.engine_version;
      m.rss_bytes_baseline = opened.rss_bytes_baseline;
      return glance(c, *worker);
    };
    OREE_TRY(tried(c, attempt));
    if (!m.refused) {
      keep_times(speed_key(m.candidate), measurement_record(m));
      keep_open(index, std::move(worker));
    }
  }
  if (m.refused) return {};
  auto told = m.facts.find("precision");
  if (m.candidate.options.precision == "default" && told != m.facts.end()) {
    computed_[computed_key(m.candidate)] = told->second;
    if (told->second != "f32")
      c.note = fmt::format("computes in {} by {}'s own choice", told->second, m.candidate.runtime);
  }
  return {};
}

// Each with the most threads; what an engine does by itself first, so that what it is the same as need not run.
Status Tuner::screen() {
  std::vector<TuneCandidate>& all = result_.candidates;
  const std::vector<int>& threads = result_.request.threads;
  const int most = *std::max_element(threads.begin(), threads.end());
  std::vector<size_t> order;
  for (const bool by_default : {true, false}) {
    for (size_t i = 0; i < all.size(); ++i) {
      const SessionOptions& o = all[i].measurement.candidate.options;
      if (o.threads == most && o.cpus.empty() && (o.precision == "default") == by_default) order.push_back(i);
    }
  }
  for (size_t k = 0; k < order.size(); ++k) {
    TuneCandidate& c = all[order[k]];
    say("screening " + candidate_text(c.measurement.candidate), k, order.size());
    OREE_TRY(screen_one(order[k]));
    if (c.measurement.refused || c.measurement.candidate.options.precision != "default") continue;
    // The explicit one is what is shipped: it means the same on an engine of another mind. It takes the figures over.
    auto meant = computed_.find(computed_key(c.measurement.candidate));
    if (meant == computed_.end()) continue;
    for (size_t i = 0; i < all.size(); ++i) {
      TuneCandidate& explicit_one = all[i];
      Candidate wanted = c.measurement.candidate;
      wanted.options.precision = meant->second;
      if (!(explicit_one.measurement.candidate == wanted) || explicit_one.measurement.refused) continue;
      explicit_one.measurement = c.measurement;
      explicit_one.measurement.candidate = wanted;
      explicit_one.remembered = c.remembered;
      explicit_one.note = c.note;
      c.measurement = Measurement{};
      c.measurement.candidate = wanted;
      c.measurement.candidate.options.precision = "default";
      c.remembered = false;
      open_.rename(order[k], i);
      same_computation(c, meant->second);
    }
  }
  name_defaults();
  return screen_fewer_threads();
}

double Tuner::best_latency() const {
  double best = std::numeric_limits<double>::infinity();
  for (const TuneCandidate& c : result_.candidates) {
    if (!c.measurement.refused && c.measurement.latency.count > 0) best = std::min(best, c.measurement.latency.min);
  }
  return best;
}

// For an engine's default stands the explicit candidate that computes the same.
void Tuner::name_defaults() {
  std::vector<TuneCandidate>& all = result_.candidates;
  for (TuneCandidate& c : all) {
    Candidate wanted = c.measurement.candidate;
    auto meant = computed_.find(computed_key(wanted));
    if (!c.engine_default || wanted.options.precision != "default" || meant == computed_.end()) continue;
    wanted.options.precision = meant->second;
    auto explicit_one =
        std::ranges::find_if(all, [&](const TuneCandidate& other) { return other.measurement.candidate == wanted; });
    if (explicit_one == all.end() || explicit_one->measurement.refused) continue;
    std::swap(c.engine_default, explicit_one->engine_default);
  }
}

// The others, from the fastest combination on; only where they may still win.
Status Tuner::screen_fewer_threads() {
  std::vector<TuneCandidate>& all = result_.candidates;
  auto same_but_threads = [](Candidate a, const Candidate& b) {
    a.options.threads = b.options.threads;
    a.options.cpus = b.options.cpus;
    return a == b;
  };
  std::vector<std::pair<size_t, size_t>> todo;  // candidate, the same with the most threads
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].measurement.refused || all[i].measurement.latency.count > 0 || all[i].skipped) continue;
    for (size_t k = 0; k < all.size(); ++k) {
      if (k == i || !same_but_threads(all[k].measurement.candidate, all[i].measurement.candidate)) continue;
      const bool seen = all[k].measurement.latency.count > 0;
      if (!seen && !all[k].measurement.refused) continue;
      todo.emplace_back(i, k);
      break;
    }
  }
  // What disturbs makes a time longer, and threads that wait for each other are disturbed easily: the least counts.
  auto latency = [&](size_t i) {
    const Measurement& m = all[i].measurement;
    return m.latency.count > 0 ? m.latency.min : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(todo.begin(), todo.end(),
                   [&](const auto& a, const auto& b) { return latency(a.second) < latency(b.second); });
  for (size_t n = 0; n < todo.size(); ++n) {
    auto [i, with_most] = todo[n];
    TuneCandidate& c = all[i];
    const TuneCandidate& most = all[with_most];
    const Candidate& own = c.measurement.candidate;
    if (most.measurement.refused) {
      // What an engine cannot open, or what is the same computation, is so for any number of threads.
      c.measurement.refused = most.measurement.refused;
      c.note = most.note;
      if (c.measurement.refused->code() == Code::kConflict) same_computation(c, computed_.at(computed_key(own)));
      continue;
    }
    std::vector<ThreadEvidence>& evidence = evidence_[own.runtime];
    if (!result_.request.exhaustive && !c.engine_default &&
        !fewer_threads_may_win(evidence, own.options.threads, !own.options.cpus.empty(), latency(with_most),
                               best_latency())) {
      c.skipped = true;
      c.note = fmt::format("not measured: {} takes {} ms, and with fewer threads {} is no faster",
                           candidate_text(most.measurement.candidate), ms_text(latency(with_most)), own.runtime);
      continue;
    }
    say("screening " + candidate_text(own), n, todo.size());
    OREE_TRY(screen_one(i));
    if (!c.measurement.refused && c.measurement.latency.count > 0)
      evidence.push_back({own.options.threads, !own.options.cpus.empty(), latency(i) / latency(with_most)});
  }
  return {};
}

std::vector<size_t> Tuner::by_goal() const {
  const TuneRequest& request = result_.request;
  std::vector<size_t> order;
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.measurement.refused || c.measurement.latency.count == 0) continue;
    const bool fits = request.memory_bytes_max == 0 || c.measurement.rss_bytes_peak <= request.memory_bytes_max;
    const bool fast = request.latency_ms_max == 0 ||
                      c.measurement.latency.min * c.measurement.candidate.batch <= request.latency_ms_max;
    if (fits && fast) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const TuneCandidate &x = result_.candidates[a], &y = result_.candidates[b];
    const double u = goal_value(request.goal, x), v = goal_value(request.goal, y);
    return u != v ? u < v : x.measurement.latency.p50 < y.measurement.latency.p50;
  });
  return order;
}

}  // namespace oree
