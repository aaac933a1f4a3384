// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tune.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/context.h"
#include "cli/measure_options.h"
#include "core/base/text.h"

namespace oree::cli {
namespace {

struct TuneOptions {
  JudgeOptions judge;
  std::vector<std::string> models;
  std::string data, runtimes = "all", threads = "all", precisions = "all", providers, metric = "auto", out;
  std::string reference_runtime;
  std::optional<double> min_agreement;
  double latency_ms_max = 0, memory_mib_max = 0;
  int rounds = 30, samples = 100, finalists = 6;
  uint64_t seed = 1;
};

std::string text_of(const TuneResult& result) {
  TextTable table{
      {"candidate", "p50 ms", "p95", "peak memory", result.metric, "note"}, {false, true, true, true, true, false}, {}};
  std::vector<const TuneCandidate*> rows;
  for (const TuneCandidate& c : result.candidates) rows.push_back(&c);
  std::stable_sort(rows.begin(), rows.end(), [](const TuneCandidate* a, const TuneCandidate* b) {
    auto key = [](const TuneCandidate* c) {
      return c->measurement.latency.count == 0 ? INFINITY : c->measurement.latency.p50;
    };
    return key(a) < key(b);
  });
  for (const TuneCandidate* c : rows) {
    const Measurement& m = c->measurement;
    bool chosen = result.chosen && c == &result.candidates[*result.chosen];
    std::string name = (chosen ? "* " : "  ") + candidate_text(m.candidate, result.request.models.size() > 1);
    std::string note = m.refused ? "refused: " + c->note : c->note;
    if (m.latency.count == 0) {
      table.rows.push_back({name, "-", "-", "-", "-", note});
    } else {
      table.rows.push_back({name, fmt::format("{:.3f}", m.latency.p50), fmt::format("{:.3f}", m.latency.p95),
                            human_bytes(m.rss_bytes_peak),
                            c->agreement ? agreement_text(result.metric, c->agreement->value) : "-", note});
    }
  }
  std::string text = table.text() + "\n" + (result.chosen ? "chosen: " : "") + result.verdict + "\n";
  if (tune_machine_busy(result)) {
    text += fmt::format("busy: load {:.1f} on {} cores before the start; figures are disturbed by other work\n",
                        *result.load_1min, result.machine.cpu_cores);
  }
  for (const std::string& bad : result.refused_samples) text += "sample refused: " + bad + "\n";
  return text + "report: " + path_join(result.request.out_dir, "report.html") + "\n";
}

Status run_tune(Context& context, const TuneOptions& options) {
  TuneRequest request;
  request.models = options.models;
  OREE_TRY_ASSIGN(request.recipe, load_recipe(*context.ports.files, options.judge.recipe, options.judge.labels));
  request.data = options.data;
  OREE_TRY_ASSIGN(request.runtimes, parse_list(options.runtimes, "--runtimes"));
  OREE_TRY_ASSIGN(request.threads, parse_thread_list(options.threads));
  OREE_TRY_ASSIGN(request.precisions, parse_list(options.precisions, "--precisions"));
  OREE_TRY_ASSIGN(request.providers, parse_list(options.providers, "--providers"));
  if (!options.reference_runtime.empty()) {
    int cores = std::max(1, context.ports.sensors->identity().cpu_cores);
    OREE_TRY_ASSIGN(request.reference, make_candidate(options.models[0], options.reference_runtime, cores, "f32", ""));
  }
  request.metric = options.metric;
  request.min_agreement = options.min_agreement;
  request.score_min = options.judge.score;
  request.iou_min = options.judge.iou;
  request.latency_ms_max = options.latency_ms_max;
  request.memory_bytes_max = static_cast<int64_t>(options.memory_mib_max * (1 << 20));
  request.rounds = options.rounds;
  request.samples_max = options.samples;
  request.finalists_max = options.finalists;
  request.seed = options.seed;
  request.out_dir = options.out;
  std::optional<TuneResult> result;
  {
    Progress bar("tune", 0);
    OREE_TRY_ASSIGN(result, tune(context.ports, request, [&](std::string_view stage, int64_t done, int64_t total) {
                      bar.update(done, fmt::format("of {}: {}", total, stage));
                    }));
  }
  print_result(context, tune_to_json(*result), text_of(*result));
  return result->chosen ? Status() : Status(Error(Code::kRefused, result->verdict));
}

}  // namespace

void add_tune(CLI::App& app, Context& context) {
  auto options = std::make_shared<TuneOptions>();
  CLI::App* command =
      add_command(app, context, "tune", "Find the fastest way to run a model here, within an accuracy bound",
                  "  oree tune detector.tflite --data frames/ --recipe recipe.json --min-agreement 0.98 --out tuned/",
                  [&context, options] { return run_tune(context, *options); });
  command->add_option("models", options->models, "Variants of one model, the float one first")->required();
  command->add_option("--out", options->out, "Folder for tune.json and report.html")->required();
  command->add_option("--data", options->data,
                      "Folder of images or of npz, or one npz; default: seeded noise (tensors only)");
  options->judge.add_recipe(*command);
  command->add_option("--runtimes", options->runtimes, "all, or a list: onnxruntime,openvino,tflite")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "all (1, 2, 4 … cores), or a list")->capture_default_str();
  command->add_option("--precisions", options->precisions, "all, or a list: f32,default,bf16,f16")
      ->capture_default_str();
  command->add_option("--providers", options->providers, "Execution providers; default: each engine's best CPU path");
  command->add_option("--reference-runtime", options->reference_runtime,
                      "Engine of the float reference; default: by the format");
  command->add_option("--metric", options->metric, "auto, f1, top1, cosine or sqnr")->capture_default_str();
  command->add_option("--min-agreement", options->min_agreement,
                      "Bound on the metric; default 0.98 (f1, top1), 0.999 (cosine), 20 (sqnr)");
  options->judge.add_matching(*command);
  command->add_option("--max-latency-ms", options->latency_ms_max, "Bound on the p95; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--max-memory", options->memory_mib_max, "Bound on peak resident memory, MiB; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--rounds", options->rounds, "Interleaved rounds of the final")
      ->capture_default_str()
      ->check(CLI::Range(2, 100000));
  command->add_option("--samples", options->samples, "At most this many samples, spread over the data")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  command->add_option("--finalists", options->finalists, "Fastest candidates that meet in the final")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->add_option("--seed", options->seed, "Of orders, noise and bootstrap")->capture_default_str();
}

}  // namespace oree::cli
