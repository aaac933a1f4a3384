// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/choose.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/base/text.h"
#include "optimize/tune/search.h"

namespace oree {
namespace {

bool has_energy(const TuneCandidate& c) { return c.energy && !c.energy->not_measurable; }

double joules_of(const TuneCandidate& c) {
  return has_energy(c) ? c.energy->joules_per_inference : std::numeric_limits<double>::infinity();
}

// Why a measured candidate is out, "" when it is in; and by what share it misses, the worst bound counting.
// With `hoping`, accuracy is not a reason while nobody knows it.
std::string out_of_bounds(const TuneResult& result, const TuneCandidate& c, double* miss, bool hoping = false) {
  const TuneRequest& request = result.request;
  std::vector<std::string> reasons;
  *miss = 0;
  auto bound = [&](double found, double most, const std::string& text) {
    if (!(most > 0) || found <= most) return;
    reasons.push_back(text);
    *miss = std::max(*miss, found / most - 1);
  };
  const LatencySummary& l = c.measurement.latency;
  if (l.count > 0) {
    const double p95 = l.p95 * c.measurement.candidate.batch;
    bound(p95, request.latency_ms_max,
          fmt::format("p95 {} ms is over {} ms", ms_text(p95), ms_text(request.latency_ms_max)));
    const auto rss = static_cast<double>(c.measurement.rss_bytes_peak);
    const auto rss_max = static_cast<double>(request.memory_bytes_max);
    bound(rss, rss_max, fmt::format("peak memory {:.0f} MiB is over {:.0f} MiB", rss / (1 << 20), rss_max / (1 << 20)));
  }
  bound(static_cast<double>(c.size_bytes), static_cast<double>(request.size_bytes_max),
        fmt::format("{} are over {}", human_bytes(c.size_bytes), human_bytes(request.size_bytes_max)));
  if (c.final_round && (request.watts_max > 0 || request.goal == TuneGoal::kEnergy)) {
    if (has_energy(c)) {
      bound(c.energy->load_watts, request.watts_max,
            fmt::format("{:.2f} W are over {:.2f} W", c.energy->load_watts, request.watts_max));
    } else {
      reasons.push_back("its energy was not measured" + (c.energy ? ": " + *c.energy->not_measurable : std::string()));
      *miss = std::max(*miss, 1.0);
    }
  }
  // The accuracy of what is out anyway need not have been judged.
  if ((c.agreement || reasons.empty()) && !(hoping && may_be_accurate_enough(result, c))) {
    if (std::string why = accuracy_shortfall(result, c, miss); !why.empty()) reasons.insert(reasons.begin(), why);
  }
  return fmt::format("{}", fmt::join(reasons, "; "));
}

// A little slower than the fastest, and the rounds that both ran do not show that it is slower at all.
bool ties_with(const TuneCandidate& fastest, const TuneCandidate& c) {
  const double ratio = c.p50() / fastest.p50();
  if (ratio <= 1 + kTuneTie) return true;
  const RoundRatio r = round_ratio(fastest.measurement.round_p50_ms, c.measurement.round_p50_ms);
  return r.rounds >= kTuneRoundsMin && r.low <= 1 && ratio <= 1 + kTuneGain;
}

// Of two that are equally good: what does not differ from run to run decides before what does.
bool preferred(const TuneCandidate& a, const TuneCandidate& b) {
  auto rank = [](const TuneCandidate& c) {
    return std::tuple(!c.as_float, c.measurement.candidate.options.threads, c.size_bytes, c.measurement.latency.p95);
  };
  return rank(a) < rank(b);
}

std::optional<size_t> best_of(const TuneResult& result, std::vector<size_t> among) {
  if (among.empty()) return {};
  const std::vector<TuneCandidate>& all = result.candidates;
  const TuneGoal goal = result.request.goal;
  auto value = [&](size_t i) { return goal_value(goal, all[i]); };
  if (goal != TuneGoal::kLatency && goal != TuneGoal::kPareto) {
    const double least = value(*std::ranges::min_element(among, {}, value));
    std::erase_if(among, [&](size_t i) { return value(i) > least * (1 + kTuneTie); });
  }
  const size_t fastest = *std::ranges::min_element(among, {}, [&](size_t i) { return all[i].p50(); });
  std::erase_if(among, [&](size_t i) { return !ties_with(all[fastest], all[i]); });
  return *std::ranges::min_element(among, [&](size_t i, size_t k) { return preferred(all[i], all[k]); });
}

// Smaller is better in each: p50, loss of accuracy, peak memory, size, energy (infinite where nobody knows).
std::vector<double> costs(const TuneCandidate& c) {
  const double lost = c.accuracy ? c.accuracy->drop : c.agreement ? -c.agreement->value : 0;
  return {c.p50(), lost, static_cast<double>(c.measurement.rss_bytes_peak), static_cast<double>(c.size_bytes),
          joules_of(c)};
}

void mark_pareto(std::vector<TuneCandidate>& candidates) {
  auto in_play = [](const TuneCandidate& c) { return c.within_bounds && c.final_round; };
  for (TuneCandidate& c : candidates) {
    c.pareto = in_play(c) && std::none_of(candidates.begin(), candidates.end(), [&](const TuneCandidate& other) {
                 if (!in_play(other) || &other == &c) return false;
                 const std::vector<double> a = costs(other), b = costs(c);
                 bool less = false;
                 for (size_t i = 0; i < a.size(); ++i) {
                   if (a[i] > b[i]) return false;
                   less = less || a[i] < b[i];
                 }
                 return less;
               });
  }
}

std::string accuracy_of(const TuneResult& result, const TuneCandidate& c) {
  if (c.accuracy && !c.as_float) return paired_text(*c.accuracy);
  std::string text = result.metric + " " + agreement_text(result.metric, c.agreement->value);
  return c.as_float ? text + ", the float model's outputs to within rounding" : text;
}

std::string verdict_of(const TuneResult& result) {
  const TuneCandidate& best = result.candidates[*result.chosen];
  const double p50 = best.p50();
  std::string text = fmt::format("{}: p50 {} ms, p95 {} ms",
                                 candidate_text(best.measurement.candidate, result.request.models.size() > 1),
                                 ms_text(p50), ms_text(best.measurement.latency.p95));
  if (result.request.goal == TuneGoal::kSize) text += ", " + human_bytes(best.size_bytes);
  if (result.request.goal == TuneGoal::kMemory)
    text += fmt::format(", peak memory {}", human_bytes(best.measurement.rss_bytes_peak));
  if (has_energy(best))
    text += fmt::format(", {} an inference ({})", energy_text(best.energy->joules_per_inference), best.energy->method);
  text += ", " + accuracy_of(result, best);
  for (const TuneCandidate& c : result.candidates) {
    if (!c.engine_default || c.measurement.latency.count == 0 || &c == &best) continue;
    text += fmt::format("; {:.2f}x as fast as {}'s own default", c.p50() / p50, c.measurement.candidate.runtime);
  }
  return text;
}

std::string nearest_misses(const TuneResult& result, std::vector<std::pair<double, size_t>> misses) {
  std::stable_sort(misses.begin(), misses.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text = "no candidate is within the bounds";
  for (size_t k = 0; k < std::min<size_t>(3, misses.size()); ++k) {
    const TuneCandidate& c = result.candidates[misses[k].second];
    text += fmt::format("{}{} ({})", k == 0 ? "; nearest: " : ", ",
                        candidate_text(c.measurement.candidate, result.request.models.size() > 1), c.note);
  }
  return text;
}

}  // namespace

std::string ms_text(double ms) {
  if (ms > 0 && ms < 0.001) return fmt::format("{:.1g}", ms);
  return fmt::format("{:.{}f}", ms, ms < 1 ? 3 : ms < 10 ? 2 : 1);
}

double goal_value(TuneGoal goal, const TuneCandidate& c) {
  if (goal == TuneGoal::kSize) return static_cast<double>(c.size_bytes);
  if (goal == TuneGoal::kMemory) return static_cast<double>(c.measurement.rss_bytes_peak);
  if (goal == TuneGoal::kEnergy && c.final_round) return joules_of(c);
  // What disturbs a glance makes it longer, never shorter; the final is long enough for medians.
  return c.final_round ? c.p50() : c.measurement.latency.min;
}

std::string accuracy_shortfall(const TuneResult& result, const TuneCandidate& c, double* miss) {
  if (!c.agreement) return "its agreement with the reference could not be measured";
  if (c.as_float && c.glimpsed) return "";
  if (c.glimpsed)
    return fmt::format("its accuracy was looked at on {} of {} samples: others that are accurate enough are ahead",
                       c.agreement->samples, result.samples);
  if (result.request.drop_max) {
    if (c.as_float) return "";
    if (!c.accuracy) return "its accuracy could not be measured";
    if (c.accuracy->verdict == DropVerdict::kWithin) return "";
    *miss = std::max(*miss, c.accuracy->high - *result.request.drop_max);
    return paired_text(*c.accuracy);
  }
  if (c.agreement->value >= result.min_agreement) return "";
  *miss = std::max(*miss, 1 - c.agreement->value / result.min_agreement);
  return fmt::format("{} {} is below {}", result.metric, agreement_text(result.metric, c.agreement->value),
                     agreement_text(result.metric, result.min_agreement));
}

bool accurate_enough(const TuneResult& result, const TuneCandidate& c) {
  double miss = 0;
  return accuracy_shortfall(result, c, &miss).empty();
}

bool may_be_accurate_enough(const TuneResult& result, const TuneCandidate& c) {
  return accurate_enough(result, c) || (c.agreement && c.glimpsed);
}

std::optional<size_t> front_runner(const TuneResult& result) {
  std::vector<size_t> within;
  for (size_t i = 0; i < result.candidates.size(); ++i) {
    const TuneCandidate& c = result.candidates[i];
    double miss = 0;
    if (!c.measurement.refused && c.final_round && out_of_bounds(result, c, &miss, true).empty()) within.push_back(i);
  }
  return best_of(result, std::move(within));
}

void add_note(TuneCandidate& c, const std::string& text) {
  if (!text.empty()) c.note += (c.note.empty() ? "" : "; ") + text;
}

void choose_candidate(TuneResult& result) {
  std::vector<size_t> within;
  std::vector<std::pair<double, size_t>> misses;
  for (size_t i = 0; i < result.candidates.size(); ++i) {
    TuneCandidate& c = result.candidates[i];
    c.within_bounds = false;
    const bool too_large = result.request.size_bytes_max > 0 && c.size_bytes > result.request.size_bytes_max;
    if (c.measurement.refused || (c.measurement.latency.count == 0 && !too_large)) continue;
    // What was left out in the middle was left out for its speed; nobody knows its accuracy.
    if (c.skipped && !c.agreement && !too_large) continue;
    double miss = 0;
    const std::string why = out_of_bounds(result, c, &miss);
    c.within_bounds = why.empty();
    if (!why.empty()) {
      add_note(c, why);
      misses.emplace_back(miss, i);
      continue;
    }
    if (c.final_round) within.push_back(i);
  }
  result.chosen = best_of(result, std::move(within));
  mark_pareto(result.candidates);
  result.verdict = result.chosen ? verdict_of(result) : nearest_misses(result, std::move(misses));
}

Result<TuneGoal> parse_tune_goal(std::string_view text) {
  for (TuneGoal goal : {TuneGoal::kLatency, TuneGoal::kSize, TuneGoal::kMemory, TuneGoal::kEnergy, TuneGoal::kPareto}) {
    if (text == tune_goal_name(goal)) return goal;
  }
  return Error(Code::kUsage, fmt::format("goal: expected latency, size, memory, energy or pareto, found '{}'", text));
}

const char* tune_goal_name(TuneGoal goal) {
  switch (goal) {
    case TuneGoal::kLatency: return "latency";
    case TuneGoal::kSize: return "size";
    case TuneGoal::kMemory: return "memory";
    case TuneGoal::kEnergy: return "energy";
    case TuneGoal::kPareto: return "pareto";
  }
  return "latency";
}

}  // namespace oree
