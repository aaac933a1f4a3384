// SPDX-License-Identifier: Apache-2.0
// Measuring candidates: each runs in a child process of its own (worker.h), so that one engine's threads, memory and
// crashes never touch another's figures, and all take turns in interleaved rounds, so that a machine that slows down
// slows all of them. While one child computes, the others wait for their next command.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/ports.h"
#include "model/eval/candidate.h"

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
  std::vector<double> latency_ms;    // one inference each, in the order they ran
  std::vector<double> round_p50_ms;  // median of each round: what candidates are compared by, round for round
  LatencySummary latency;            // over latency_ms
  double throughput = 0;             // inferences a second when run back to back: 1000 / mean
  // High-water resident set (VmHWM) of the candidate's process: program, engine, model, inputs and outputs of one run.
  int64_t rss_bytes_peak = 0;
  int64_t rss_bytes_baseline = 0;  // of the same process before it loaded the engine
  double idle_cpu_percent = 0;     // CPU it used while others had their turn; over ~5 its engine spins
};
Json measurement_to_json(const Measurement& measurement);  // samples left out, refusal as {"code", "message"}

struct WorkerSettings {
  std::vector<std::string> argv;  // empty: this program's own file and "worker"
  int64_t open_timeout_ms = 120'000;
  int64_t run_timeout_ms = 60'000;  // for one command: a turn of a round, or one sample
  int64_t memory_bytes_max = 0;     // address-space limit of the child; 0: none
};

// The parent's end of one child. Any failure of the child (crash, hang, nonsense on the pipe) becomes an Error that
// says what happened; after one, every call gives it again. The destructor ends the child.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> start(const Ports& ports, const WorkerSettings& settings);
  ~Worker();

  struct Opened {
    double load_ms = 0;
    int64_t rss_bytes_baseline = 0;
    std::map<std::string, std::string> facts;
    std::string engine_version;
    std::vector<TensorInfo> inputs, outputs;
  };
  // Loads the model. kUnsupported, kInvalid, kUnavailable as Backend::open says it.
  Result<Opened> open(const Candidate& candidate);
  // The inputs that run() uses. `npz` empty: seeded noise by the declared shapes (unknown dimensions as 1).
  Status set_input(const std::string& npz, uint64_t seed);
  struct Turn {
    std::vector<double> latency_ms;
    int64_t rss_bytes_peak = 0;
    int64_t idle_cpu_ms = 0, idle_wall_ms = 0;  // since the end of the turn before; 0 at the first
  };
  Result<Turn> run(int warmup, int runs);  // 0..kTurnRunsMax each
  // One inference, inputs read from and outputs written to npz files.
  // `reals`: integers that stand for reals are written as float32.
  Status outputs(const std::string& input_npz, const std::string& output_npz, bool reals = false);

 private:
  Worker() = default;
  Result<Json> ask(const Json& command, int64_t timeout_ms);
  Result<Json> fail(std::string text);
  void keep_last_words();

  Ports ports_;
  WorkerSettings settings_;
  std::unique_ptr<Process> process_;
  std::optional<Error> failed_;
  std::vector<std::string> last_words_;  // the end of the child's output, for the reason of a crash
};
inline constexpr int kTurnRunsMax = 2000;

struct MeasurePlan {
  int rounds = 10;
  int runs_per_round = 10;   // timed inferences of a turn
  int warmup = 5;            // before the first turn
  int warmup_per_round = 2;  // before every later turn: the caches belonged to someone else
  double seconds_max = 0;    // stop starting rounds after this long; 0: no bound. Two rounds run at least.
  uint64_t seed = 1;         // of the order within each round, and of the noise
  std::string input_npz;     // keyed by input name; empty: seeded noise, which says nothing of data-dependent models
  // After each round: indices to drop, and why; empty function: none.
  std::function<std::vector<std::pair<size_t, Error>>(const std::vector<Measurement>& so_far, int round)> drop;
  std::function<void(int done, int total)> progress;
};

// One Measurement a candidate, in their order. A candidate that fails is refused with its reason, never an error of
// the whole; `opened` workers live at the same time for all candidates.
std::vector<Measurement> measure(const Ports& ports, const WorkerSettings& settings,
                                 const std::vector<Candidate>& candidates, const MeasurePlan& plan);

}  // namespace oree
