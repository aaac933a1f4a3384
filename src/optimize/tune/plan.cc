// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/runtime/session_options.h"

namespace oree {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

TuneCandidate refused(Candidate candidate, Code code, std::string why) {
  TuneCandidate result;
  result.measurement.candidate = std::move(candidate);
  result.note = why;
  result.measurement.refused = Error(code, std::move(why));
  return result;
}

// The engine's whole refusal, "" when it can open files of this format.
std::string cannot_open(const RuntimeInfo& info, ModelFormat format) {
  if (!info.available) {
    auto why = info.absent.find(info.name);
    return why == info.absent.end() ? info.name + " is not on this machine" : why->second;
  }
  if (contains(info.formats, format_name(format))) return "";
  return fmt::format("{} cannot read {} files (it reads {})", info.name, format_name(format),
                     fmt::join(info.formats, ", "));
}

std::string no_provider(const RuntimeInfo& info, const std::string& provider) {
  if (provider.empty() || contains(info.providers, provider)) return "";
  auto why = info.absent.find(provider);
  return why == info.absent.end() ? fmt::format("{} has no provider '{}'", info.name, provider) : why->second;
}

void plan_engine(const TuneRequest& request, const RuntimeInfo& info, const std::string& model, int cores,
                 std::vector<TuneCandidate>& out) {
  std::vector<int> threads = request.threads.empty() ? default_threads(cores) : request.threads;
  std::vector<std::string> precisions = request.precisions.empty() ? info.precisions : request.precisions;
  // f32 first: an engine whose default is f32 is then told as the duplicate, not the other way round.
  std::stable_partition(precisions.begin(), precisions.end(), [](const std::string& p) { return p == "f32"; });
  std::vector<std::string> providers = request.providers.empty() ? std::vector<std::string>{""} : request.providers;
  int most_threads = *std::max_element(threads.begin(), threads.end());
  for (const std::string& provider : providers) {
    Candidate candidate{model, info.name, {threads[0], provider, precisions.empty() ? "f32" : precisions[0]}};
    if (std::string why = no_provider(info, provider); !why.empty()) {
      out.push_back(refused(candidate, Code::kUnsupported, why));
      continue;
    }
    for (const std::string& precision : precisions) {
      candidate.options.precision = precision;
      if (!contains(info.precisions, precision)) {
        candidate.options.threads = threads[0];
        out.push_back(
            refused(candidate, Code::kUnsupported,
                    fmt::format("{} has no {} (it has {})", info.name, precision, fmt::join(info.precisions, ", "))));
        continue;
      }
      for (int count : threads) {
        candidate.options.threads = count;
        TuneCandidate planned;
        planned.measurement.candidate = candidate;
        planned.engine_default = precision == "default" && provider.empty() && count == most_threads;
        out.push_back(std::move(planned));
      }
    }
  }
}

}  // namespace

std::vector<int> default_threads(int cores) {
  std::vector<int> threads;
  for (int count = 1; count < cores; count *= 2) threads.push_back(count);
  threads.push_back(std::clamp(cores, 1, kSessionThreadsMax));
  return threads;
}

Result<std::vector<TuneCandidate>> plan_candidates(const TuneRequest& request, const TuneMachine& machine) {
  if (request.models.empty() || request.models.size() != machine.formats.size()) {
    return Error(Code::kUsage, "tune: give at least one model");
  }
  for (int count : request.threads) {
    if (count < 1 || count > kSessionThreadsMax)
      return Error(Code::kUsage, fmt::format("threads: expected 1 to {}, found {}", kSessionThreadsMax, count));
  }
  for (const std::string& precision : request.precisions) {
    auto known = parse_precision(precision);
    if (!known.ok()) return known.error();
  }
  for (const std::string& name : request.runtimes) {
    if (!contains(backend_names(), name)) {
      return Error(Code::kUsage,
                   fmt::format("runtime: expected {}, found '{}'", fmt::join(backend_names(), ", "), name));
    }
  }
  std::vector<TuneCandidate> candidates;
  for (size_t m = 0; m < request.models.size(); ++m) {
    for (const RuntimeInfo& info : machine.runtimes) {
      if (!request.runtimes.empty() && !contains(request.runtimes, info.name)) continue;
      if (std::string why = cannot_open(info, machine.formats[m]); !why.empty()) {
        Candidate candidate{request.models[m], info.name, {}};
        candidates.push_back(refused(candidate, info.available ? Code::kUnsupported : Code::kUnavailable, why));
        continue;
      }
      plan_engine(request, info, request.models[m], machine.cores, candidates);
    }
  }
  return candidates;
}

std::vector<std::pair<size_t, Error>> clearly_slower(const std::vector<Measurement>& so_far,
                                                     const std::vector<bool>& eligible, const std::vector<bool>& keep) {
  auto median = [](const Measurement& m) { return summarize_latency(m.round_p50_ms).p50; };
  size_t leader = so_far.size();
  for (size_t i = 0; i < so_far.size(); ++i) {
    if (so_far[i].refused || !eligible[i] || so_far[i].round_p50_ms.size() < kTuneRoundsMin) continue;
    if (leader == so_far.size() || median(so_far[i]) < median(so_far[leader])) leader = i;
  }
  std::vector<std::pair<size_t, Error>> slow;
  if (leader == so_far.size()) return slow;
  const std::vector<double>& best = so_far[leader].round_p50_ms;
  for (size_t i = 0; i < so_far.size(); ++i) {
    const std::vector<double>& own = so_far[i].round_p50_ms;
    if (i == leader || keep[i] || so_far[i].refused || own.size() < kTuneRoundsMin) continue;
    bool always = true;
    for (size_t r = 0; r < std::min(own.size(), best.size()); ++r) always = always && own[r] > best[r] * kTuneSlower;
    if (!always) continue;
    slow.emplace_back(
        i, Error(Code::kRefused,
                 fmt::format("dropped after {} rounds: over {:.0f} % slower than {} in each of them", own.size(),
                             (kTuneSlower - 1) * 100, candidate_text(so_far[leader].candidate))));
  }
  return slow;
}

namespace {

// Why a measured candidate is out, "" when it is in; and by what share it misses, the worst bound counting.
std::string out_of_bounds(const TuneResult& result, const TuneCandidate& c, double* miss) {
  const TuneRequest& request = result.request;
  std::vector<std::string> reasons;
  *miss = 0;
  if (!c.agreement) return "its agreement with the reference could not be measured";
  if (!(c.agreement->value >= result.min_agreement)) {
    reasons.push_back(fmt::format("{} {} is below {}", result.metric, agreement_text(result.metric, c.agreement->value),
                                  agreement_text(result.metric, result.min_agreement)));
    *miss = std::max(*miss, 1 - c.agreement->value / result.min_agreement);
  }
  double p95 = c.measurement.latency.p95;
  if (request.latency_ms_max > 0 && p95 > request.latency_ms_max) {
    reasons.push_back(fmt::format("p95 {:.2f} ms is over {:.2f} ms", p95, request.latency_ms_max));
    *miss = std::max(*miss, p95 / request.latency_ms_max - 1);
  }
  auto rss = static_cast<double>(c.measurement.rss_bytes_peak), rss_max = static_cast<double>(request.memory_bytes_max);
  if (rss_max > 0 && rss > rss_max) {
    reasons.push_back(fmt::format("peak memory {:.0f} MiB is over {:.0f} MiB", rss / (1 << 20), rss_max / (1 << 20)));
    *miss = std::max(*miss, rss / rss_max - 1);
  }
  return fmt::format("{}", fmt::join(reasons, "; "));
}

bool better(const TuneCandidate& a, const TuneCandidate& b) {
  const LatencySummary &x = a.measurement.latency, &y = b.measurement.latency;
  if (std::abs(x.p50 - y.p50) > kTuneTie * std::min(x.p50, y.p50)) return x.p50 < y.p50;
  if (x.p95 != y.p95) return x.p95 < y.p95;
  return a.measurement.candidate.options.threads < b.measurement.candidate.options.threads;
}

std::string verdict_of(const TuneResult& result) {
  const TuneCandidate& best = result.candidates[*result.chosen];
  double p50 = best.measurement.latency.p50;
  std::string text =
      fmt::format("{}: p50 {:.2f} ms, p95 {:.2f} ms, {} {}",
                  candidate_text(best.measurement.candidate, result.request.models.size() > 1), p50,
                  best.measurement.latency.p95, result.metric, agreement_text(result.metric, best.agreement->value));
  for (const TuneCandidate& c : result.candidates) {
    if (!c.engine_default || c.measurement.latency.count == 0 || &c == &best) continue;
    text += fmt::format("; {:.2f}x as fast as {}'s own default", c.measurement.latency.p50 / p50,
                        c.measurement.candidate.runtime);
  }
  return text;
}

}  // namespace

void choose_candidate(TuneResult& result) {
  result.chosen.reset();
  std::vector<std::pair<double, size_t>> misses;
  for (size_t i = 0; i < result.candidates.size(); ++i) {
    TuneCandidate& c = result.candidates[i];
    c.within_bounds = false;
    if (c.measurement.refused || c.measurement.latency.count == 0) continue;
    double miss = 0;
    std::string why = out_of_bounds(result, c, &miss);
    c.within_bounds = why.empty();
    if (!why.empty()) {
      c.note += (c.note.empty() ? "" : "; ") + why;
      misses.emplace_back(miss, i);
      continue;
    }
    if (c.final_round && (!result.chosen || better(c, result.candidates[*result.chosen]))) result.chosen = i;
  }
  if (result.chosen) {
    result.verdict = verdict_of(result);
    return;
  }
  std::stable_sort(misses.begin(), misses.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  result.verdict = "no candidate is within the bounds";
  for (size_t k = 0; k < std::min<size_t>(3, misses.size()); ++k) {
    const TuneCandidate& c = result.candidates[misses[k].second];
    result.verdict += fmt::format("{}{} ({})", k == 0 ? "; nearest: " : ", ",
                                  candidate_text(c.measurement.candidate, result.request.models.size() > 1), c.note);
  }
}

}  // namespace oree
