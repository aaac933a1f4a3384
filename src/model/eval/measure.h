// SPDX-License-Identifier: Apache-2.0
// Measuring candidates: each runs in a child process of its own (worker.h), so that one engine's threads, memory and
// crashes never touch another's figures, and all take turns in interleaved rounds, so that a machine that slows down
// slows all of them. While one child computes, the others wait for their next command.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/eval/target.h"

namespace oree {

// Milliseconds. Percentiles are NumPy's default (linear between the two nearest ranks); stddev is the sample's (n-1).
struct LatencySummary {
  int64_t count = 0;
  double mean = 0, stddev = 0, min = 0, p50 = 0, p95 = 0, p99 = 0, max = 0;
};
LatencySummary summarize_latency(std::span<const double> milliseconds);
double percentile(std::span<const double> sorted, double fraction);  // of a non-empty, ascending range

struct Measurement {
  Candidate candidate;
  std::optional<Error> refused;              // why there are no figures, or why they ended
  std::map<std::string, std::string> facts;  // Session::facts(): what the engine did in truth
  std::string engine_version;
  double load_ms = 0;                // open(): read, build, compile; of a fresh process, file cache as it was
  std::vector<double> latency_ms;    // one inference each, in the order they ran; of a batch a sample's share
  std::vector<double> round_p50_ms;  // median of each round: what candidates are compared by, round for round
  LatencySummary latency;            // over latency_ms
  double throughput = 0;             // samples a second when run back to back: 1000 / mean
  // High-water resident set (VmHWM) of the candidate's process: program, engine, model, inputs and outputs of one run.
  int64_t rss_bytes_peak = 0;
  int64_t rss_bytes_baseline = 0;  // of the same process before it loaded the engine
  double idle_cpu_percent = 0;     // CPU it used while others had their turn; over ~5 its engine spins
};
Json measurement_to_json(const Measurement& measurement);  // samples left out, refusal as {"code", "message"}

struct MeasurePlan {
  int rounds = 10;
  int runs_per_round = 10;     // timed inferences of a turn
  std::vector<int> runs_each;  // of each candidate's turn, instead; empty: runs_per_round
  int warmup = 5;              // before the first turn
  int warmup_per_round = 2;    // before every later turn: the caches belonged to someone else
  double seconds_max = 0;      // stop starting rounds after this long; 0: no bound. Two rounds run at least.
  uint64_t seed = 1;           // of the order within each round, and of the noise
  std::string input_npz;       // keyed by input name; empty: seeded noise, which says nothing of data-dependent models
  // A worker that has a candidate open already; null: there is none. `m` is its Measurement: load_ms, facts and the
  // rest of opening are to be filled in, and with a peak memory it keeps that one.
  std::function<std::unique_ptr<Worker>(size_t index, Measurement& m)> opened;
  // After each round: indices to drop, and why; empty function: none.
  std::function<std::vector<std::pair<size_t, Error>>(const std::vector<Measurement>& so_far, int round)> drop;
  std::function<bool(const std::vector<Measurement>& so_far)> enough;  // after each round: true ends it all
  std::function<void(size_t index)> failed;  // a candidate failed by itself, was not dropped; at once
  std::function<void(int done, int total)> progress;
};

// One Measurement a candidate, in their order. A candidate that fails is refused with its reason, never an error of
// the whole; `opened` workers live at the same time for all candidates.
std::vector<Measurement> measure(Target& target, Clock& clock, const WorkerSettings& settings,
                                 const std::vector<Candidate>& candidates, const MeasurePlan& plan);

}  // namespace oree
