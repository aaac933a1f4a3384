// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace oree {
namespace {

constexpr double kTurnMs = 40;  // of computing in one turn
constexpr int kTurnRunsLeast = 3;
constexpr int kTurnRunsMost = 200;
constexpr double kThreadDoubt = 0.7;  // other networks of an engine may gain this much more from fewer threads

// Student's quantile of 97.5 % (two-sided 95 %) by the first terms of its expansion in 1/df (Abramowitz and Stegun,
// 26.7.5), and of other confidences from the normal's by the same terms.
double student_quantile(double confidence, double df) {
  // The normal's two-sided quantile by bisection: there are few calls.
  double low = 0, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erf(middle / std::sqrt(2.0)) < confidence ? low : high) = middle;
  }
  const double z = low, z3 = z * z * z, z5 = z3 * z * z;
  return z + (z3 + z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df);
}

double median_of(const Measurement& m) { return summarize_latency(m.round_p50_ms).p50; }

bool runs_for_it(const FinalEntry& entry, bool proven) { return entry.eligible && (entry.proven || !proven); }

// Of those that may win; `proven`: of those that nothing can be said against any more.
std::optional<size_t> leader_of(const std::vector<Measurement>& so_far, const std::vector<FinalEntry>& entries,
                                bool proven) {
  std::optional<size_t> leader;
  for (size_t i = 0; i < so_far.size(); ++i) {
    if (so_far[i].refused || !runs_for_it(entries[i], proven)) continue;
    if (so_far[i].round_p50_ms.size() < kTuneRoundsMin) continue;
    if (!leader || median_of(so_far[i]) < median_of(so_far[*leader])) leader = i;
  }
  return leader;
}

bool leader_is_sure(const std::vector<Measurement>& so_far, const std::vector<FinalEntry>& entries, bool proven) {
  const std::optional<size_t> leader = leader_of(so_far, entries, proven);
  if (!leader) return proven;
  if (so_far[*leader].round_p50_ms.size() < kTuneRoundsEnough) return false;
  for (size_t i = 0; i < so_far.size(); ++i) {
    if (i == *leader || so_far[i].refused) continue;
    const RoundRatio r = round_ratio(so_far[*leader].round_p50_ms, so_far[i].round_p50_ms);
    const bool wide = entries[i].shown && r.high > r.ratio * (1 + kTuneNarrow);
    if (runs_for_it(entries[i], proven) ? r.low < 1 - kTuneGain : wide) return false;
  }
  return true;
}

}  // namespace

RoundRatio round_ratio(std::span<const double> first, std::span<const double> second, double confidence) {
  RoundRatio r;
  r.high = std::numeric_limits<double>::infinity();
  r.rounds = std::min(first.size(), second.size());
  if (r.rounds == 0) return r;
  const auto n = static_cast<double>(r.rounds);
  double mean = 0, squares = 0;
  for (size_t i = 0; i < r.rounds; ++i) mean += std::log(second[i] / first[i]) / n;
  for (size_t i = 0; i < r.rounds; ++i) squares += std::pow(std::log(second[i] / first[i]) - mean, 2);
  r.ratio = std::exp(mean);
  if (r.rounds < 2) return r;
  const double half = student_quantile(confidence, n - 1) * std::sqrt(squares / (n - 1) / n);
  r.low = std::exp(mean - half);
  r.high = std::exp(mean + half);
  return r;
}

std::vector<std::pair<size_t, Error>> drop_from_final(const std::vector<Measurement>& so_far,
                                                      const std::vector<FinalEntry>& entries) {
  std::vector<std::pair<size_t, Error>> drops;
  const std::optional<size_t> leader = leader_of(so_far, entries, true);
  if (!leader) return drops;
  const bool many = std::any_of(so_far.begin(), so_far.end(), [&](const Measurement& m) {
    return m.candidate.model != so_far[*leader].candidate.model;
  });
  for (size_t i = 0; i < so_far.size(); ++i) {
    const Measurement& m = so_far[i];
    if (i == *leader || m.refused || m.round_p50_ms.size() < kTuneRoundsMin) continue;
    const RoundRatio r = round_ratio(so_far[*leader].round_p50_ms, m.round_p50_ms);
    const bool slower = r.low > 1 + kTuneTie;
    if (entries[i].shown) {
      const bool known = r.high / r.ratio < 1 + kTuneNarrow && m.round_p50_ms.size() >= kTuneRoundsEnough;
      if (known && (slower || !entries[i].eligible)) drops.emplace_back(i, Error(Code::kRefused, ""));
      continue;
    }
    if (!slower) continue;
    drops.emplace_back(
        i,
        Error(Code::kRefused, fmt::format("dropped after {} rounds: {:.2f} times as slow as {} (at least {:.2f})",
                                          r.rounds, r.ratio, candidate_text(so_far[*leader].candidate, many), r.low)));
  }
  return drops;
}

bool final_is_sure(const std::vector<Measurement>& so_far, const std::vector<FinalEntry>& entries) {
  return leader_is_sure(so_far, entries, false) && leader_is_sure(so_far, entries, true);
}

int turn_runs(double p50_ms) {
  if (!(p50_ms > 0)) return kTurnRunsMost;
  return static_cast<int>(std::clamp(std::ceil(kTurnMs / p50_ms), double{kTurnRunsLeast}, double{kTurnRunsMost}));
}

bool fewer_threads_may_win(const std::vector<ThreadEvidence>& seen_in_engine, int threads, bool confined, double most,
                           double best) {
  double least = std::numeric_limits<double>::infinity();
  for (const ThreadEvidence& seen : seen_in_engine) {
    if (seen.threads == threads && seen.confined == confined) least = std::min(least, seen.ratio);
  }
  return std::isinf(least) || most * least * kThreadDoubt < best;
}

}  // namespace oree
