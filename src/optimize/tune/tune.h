// SPDX-License-Identifier: Apache-2.0
// tune: which variant, runtime, provider, precision and thread count runs a model best on a target within bounds on
// accuracy, latency, memory and size. Measured, never guessed: every candidate runs in its own process, is compared
// with a float reference on the caller's data, and the finalists take turns in interleaved rounds. Called by `oree
// tune` and `oree ship`. Writes only into out_dir and the cache.
//
// How it spends its time: each candidate is opened and run briefly; fewer threads only where that may still win;
// accuracy is judged from the fastest on, once for all thread counts, and to the end only of who would be chosen; the
// final ends as soon as the answer is sure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/eval/agreement.h"
#include "model/eval/dataset.h"
#include "model/eval/measure.h"
#include "model/eval/paired.h"
#include "model/eval/thermal.h"
#include "model/recipe/recipe.h"

namespace oree {

enum class TuneGoal { kLatency, kSize, kMemory, kEnergy, kPareto };
Result<TuneGoal> parse_tune_goal(std::string_view text);  // latency, size, memory, energy, pareto; kUsage
const char* tune_goal_name(TuneGoal goal);

// What the maker of a variant found out about a layer of it: for the report alone.
struct TuneLayer {
  std::string name, op;
  bool integer = false;
  double macs_share = 0;          // of the network's multiply-accumulates
  std::optional<double> sqnr_db;  // of its result against float, in the engine; absent: not measured
  std::string because;            // it is in float
};

struct TuneRequest {
  std::vector<std::string> models;  // variants of one model, the float one first; at least one
  size_t float_models = 1;          // so many of the first are that float model, in several formats
  // Files that are for one engine, such as one of its int8 dialect: tried in no other.
  std::map<std::string, std::string> made_for;
  std::optional<Recipe> recipe;        // absent: data are tensors and agreement is over raw outputs
  DatasetSource data;                  // labelled or not; no path: seeded noise (tensors only)
  TuneGoal goal = TuneGoal::kLatency;  // kPareto: as kLatency, and nothing is left out of the final for being slower
  // Empty: all of the target's engines; 1, 2, 4 … up to its cores; what each engine can; its best CPU path and the
  // other providers that it has there.
  std::vector<std::string> runtimes;
  std::vector<int> threads;
  std::vector<std::string> precisions;
  std::vector<std::string> providers;
  std::vector<int> batches = {1};      // samples of an inference; above 1 with the most threads alone
  std::optional<Candidate> reference;  // absent: models[0] in its natural engine, f32
  std::string metric = "auto";         // agreement.h; auto goes by the recipe
  // The bound on accuracy. With drop_max a paired test against float on the labels, or, without labels, on the
  // reference's own answers: what is not proven to lose less is out. Else the agreement's value must reach
  // min_agreement (absent: the metric's default), whatever that is worth on so many samples.
  std::optional<double> drop_max;  // a share: 0.01 is one point
  double confidence = 0.95;
  std::optional<double> min_agreement;
  double score_min = 0.5;        // detector: what counts as found
  double iou_min = 0.5;          // detector: what counts as the same box
  double latency_ms_max = 0;     // p95 of an inference, of a batch as a whole; 0: no bound
  int64_t memory_bytes_max = 0;  // peak resident; 0: no bound
  int64_t size_bytes_max = 0;    // of the model's files; 0: no bound
  double watts_max = 0;          // under load, idle included; 0: no bound
  bool energy = false;           // measure it in any case; by the goal or a bound on watts it is anyway
  std::string meter;             // PowerMeters::open()'s name; "" is the target's own
  int samples_max = 0;           // of the data, spread evenly over it; 0: 100, or 1000 with drop_max
  int rounds = 30;               // of the final, at most
  int finalists_max = 6;
  std::map<std::string, std::vector<TuneLayer>> layers;  // of files whose maker told, in the network's order
  bool exhaustive = false;  // measure every candidate in full: what the search is held against (bench/)
  uint64_t seed = 1;
  std::string out_dir;        // tune.json, tune.lock and report.html go here; made when absent
  std::string cache_dir;      // "": nothing is remembered
  int64_t wait_ms = 120'000;  // for a target that went away
  WorkerSettings worker;
};

struct TuneCandidate {
  Measurement measurement;              // .candidate, figures, .refused with its reason
  std::optional<Agreement> agreement;   // with the reference
  std::optional<PairedTest> accuracy;   // with drop_max
  bool as_float = false;                // its outputs are the reference's to within rounding: there is no drop to prove
  bool glimpsed = false;                // agreement and accuracy are of the first samples alone
  int64_t size_bytes = 0;               // of the model's files
  std::optional<double> drift_free_ms;  // median of the final, corrected for what slowed all (thermal.h)
  std::optional<EnergyEstimate> energy;                                           // of finalists, when it was asked for
  double p50() const { return drift_free_ms.value_or(measurement.latency.p50); }  // what candidates are compared by
  bool skipped = false;         // not measured, or not to the end: `note` tells why
  bool final_round = false;     // figures are of the interleaved final; else of the screening
  bool engine_default = false;  // what one gets who gives the float model and nothing else to the engine
  bool remembered = false;      // figures or answers come from the cache
  bool within_bounds = false;
  bool pareto = false;  // nothing within the bounds beats it in latency, accuracy, memory and size at once
  std::string note;     // "computes in bf16 by default", "dropped: …", why it is out of bounds
};

// What finding the answer took; of what came from the cache nothing is counted.
struct TuneCost {
  double reference_seconds = 0, screening_seconds = 0, accuracy_seconds = 0, final_seconds = 0, energy_seconds = 0;
  int opened = 0;  // candidates that were opened for screening
  int judged = 0;  // computations whose accuracy was judged
  int remembered = 0;
  double seconds() const {
    return reference_seconds + screening_seconds + accuracy_seconds + final_seconds + energy_seconds;
  }
};

struct TuneResult {
  TuneRequest request;  // with every default filled in
  std::string metric;
  double min_agreement = 0;
  Candidate reference;
  std::vector<TuneCandidate> candidates;     // in a fixed order, refused ones included
  std::optional<size_t> chosen;              // index into candidates; absent: none is within bounds
  std::string verdict;                       // one sentence; for none, the nearest misses
  std::string data_text;                     // "60 of 795 images in frames/"
  std::vector<std::string> refused_samples;  // "name: reason"
  std::string data_digest;
  int samples = 0;
  bool labelled = false;
  std::string target;  // "this machine", or the device's name
  SystemIdentity machine;
  std::map<std::string, std::string> engines;  // name -> version
  std::map<std::string, std::string> models;   // path -> digest
  std::optional<double> load_1min;             // of the machine before anything was measured
  std::string created;                         // RFC 3339
  TuneCost cost;
  ThermalLog thermal;           // of the final
  double drift_slowest = 1;     // the slowest round of the final over its median one
  double drift_slow_share = 0;  // of the rounds, those over 5 % slower than that
};

bool tune_machine_busy(const TuneResult& result);  // other work took over half of a core: figures are disturbed

using TuneProgress = std::function<void(std::string_view stage, int64_t done, int64_t total)>;

// Writes tune.json, tune.lock and report.html also when nothing is within bounds (then `chosen` is absent: the caller's
// kRefused). Errors: kUsage (no model, unknown metric or precision), kInvalid (data or recipe does not fit the model,
// or labels that are not of these data), kUnavailable (no engine can open the reference, or the target is gone: what
// was measured is in the cache, and the same call goes on from there).
Result<TuneResult> tune(const Ports& ports, Target& target, const TuneRequest& request,
                        const TuneProgress& progress = {});

Json tune_to_json(const TuneResult& result);             // docs/formats/tune.md
std::string tune_report_html(const TuneResult& result);  // one file, no script, nothing external

// What a later step needs of tune.json.
struct TuneChoice {
  Candidate candidate;
  double latency_ms_p50 = 0, latency_ms_p95 = 0;
  int64_t rss_bytes_peak = 0;
  std::string metric;  // agreement of the chosen one
  double agreement = 0;
};
// kRefused when that tune chose none, kInvalid when the file is not a tune report.
Result<TuneChoice> read_tune_choice(Files& files, const std::string& path);

}  // namespace oree
