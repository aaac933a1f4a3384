// SPDX-License-Identifier: Apache-2.0
// tune: which runtime, provider, precision and thread count runs a model fastest on this machine within a bound on
// accuracy, latency and memory. Measured, never guessed: every candidate runs in its own process, is compared with a
// float reference on the caller's data, and the finalists take turns in interleaved rounds. Called by `oree tune` and
// `oree ship`. Writes only into out_dir.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/eval/agreement.h"
#include "model/eval/measure.h"
#include "model/recipe/recipe.h"

namespace oree {

struct TuneRequest {
  std::vector<std::string> models;  // variants of one model, the float one first; at least one
  std::optional<Recipe> recipe;     // absent: data are tensors and agreement is over raw outputs
  std::string data;                 // folder of images, of npz files, or one npz; "" = seeded noise (tensors only)
  // Empty: all of this machine's engines; 1, 2, 4 … up to its cores; what each engine can; its best CPU path.
  std::vector<std::string> runtimes;
  std::vector<int> threads;
  std::vector<std::string> precisions;
  std::vector<std::string> providers;
  std::optional<Candidate> reference;   // absent: models[0] in its natural engine, f32
  std::string metric = "auto";          // agreement.h; auto goes by the recipe
  std::optional<double> min_agreement;  // absent: the metric's default bound
  double score_min = 0.5;               // detector: what counts as found
  double iou_min = 0.5;                 // detector: what counts as the same box
  double latency_ms_max = 0;            // p95; 0: no bound
  int64_t memory_bytes_max = 0;         // peak resident; 0: no bound
  int samples_max = 100;                // of the data, spread evenly over it
  int rounds = 30;                      // of the final
  int finalists_max = 6;
  uint64_t seed = 1;
  std::string out_dir;  // tune.json and report.html go here; made when absent
  WorkerSettings worker;
};

struct TuneCandidate {
  Measurement measurement;             // .candidate, figures, .refused with its reason
  std::optional<Agreement> agreement;  // with the reference
  bool final_round = false;            // figures are of the interleaved final; else of the screening
  bool engine_default = false;         // what one gets who gives the engine's own defaults and nothing else
  bool within_bounds = false;
  std::string note;  // "computes in bf16 by default", "dropped: …", why it is out of bounds
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
  int samples = 0;
  SystemIdentity machine;
  std::map<std::string, std::string> engines;  // name -> version
  std::optional<double> load_1min;             // of the machine before anything was measured
  std::string created;                         // RFC 3339
};

bool tune_machine_busy(const TuneResult& result);  // other work took over half of a core: figures are disturbed

using TuneProgress = std::function<void(std::string_view stage, int64_t done, int64_t total)>;

// Writes tune.json and report.html also when nothing is within bounds (then `chosen` is absent: the caller's kRefused).
// Errors: kUsage (no model, unknown metric or precision), kInvalid (data or recipe does not fit the model),
// kUnavailable (no engine can open the reference).
Result<TuneResult> tune(const Ports& ports, const TuneRequest& request, const TuneProgress& progress = {});

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
