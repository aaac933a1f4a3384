// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tune.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "cli/context.h"
#include "cli/device_options.h"
#include "cli/measure_options.h"
#include "cli/output_paths.h"
#include "cli/tune_variants.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "optimize/tune/cache.h"
#include "optimize/tune/tune_lock.h"

namespace oree::cli {
namespace {

constexpr size_t kRowsMax = 16;  // of a table that tells everything

constexpr char kExamples[] =
    "  oree tune detector.tflite --calibration frames/ --recipe recipe.json --evaluation coco.json --max-drop 1% --out "
    "tuned\n"
    "  oree tune net.onnx net-int8.onnx --data test.npz --goal size --max-latency-ms 20 --out tuned\n"
    "  oree tune net.onnx --calibration train.npz --device https://camera-1.local:8733 --device-token-file t --out "
    "tuned\n"
    "  oree tune --lock tuned/tune.lock --out again";

struct TuneOptions {
  JudgeOptions judge;
  DeviceOptions device;
  std::vector<std::string> models;
  std::string runtimes = "all", threads = "all", precisions = "all", batches = "1", providers, metric = "auto", out;
  std::string calibration, goal = "latency", max_drop, confidence = "95%", lock, cache;
  bool fresh = false;
  std::string reference_runtime;
  CLI::App* command = nullptr;
  double memory_mib_max = 0, size_mib_max = 0;
  TuneRequest request;
};

// Points lost against float, and the bound that the samples give; else the agreement.
std::string accuracy_text(const TuneResult& result, const TuneCandidate& c) {
  if (!c.agreement) return "-";
  if (!result.request.drop_max) return agreement_text(result.metric, c.agreement->value);
  if (c.as_float) return "as float";
  return c.accuracy ? fmt::format("{:.2f} (< {:.2f})", 100 * c.accuracy->drop, 100 * c.accuracy->high) : "-";
}

std::string text_of(const TuneResult& result) {
  TextTable table{{"candidate", "p50 ms", "p95", "peak memory", "size",
                   result.request.drop_max ? "points lost" : result.metric, "note"},
                  {false, true, true, true, true, true, false},
                  {}};
  std::vector<const TuneCandidate*> rows;
  size_t same = 0;  // computations under another name, and files of formats that an engine does not read
  std::set<std::string> absent;
  for (const TuneCandidate& c : result.candidates) {
    const bool seen = c.measurement.latency.count > 0 || c.skipped;
    const std::optional<Error>& refused = c.measurement.refused;
    const bool again = !seen && refused && refused->code() == Code::kUnavailable &&
                       !absent.insert(c.measurement.candidate.runtime).second;
    if (again) {
      ++same;
    } else if (!seen && refused && (refused->code() == Code::kConflict || refused->code() == Code::kUnsupported) &&
               result.candidates.size() > kRowsMax) {
      ++same;
    } else {
      rows.push_back(&c);
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const TuneCandidate* a, const TuneCandidate* b) {
    auto key = [](const TuneCandidate* c) {
      return c->measurement.latency.count == 0 ? INFINITY : c->measurement.latency.p50;
    };
    return key(a) < key(b);
  });
  for (const TuneCandidate* c : rows) {
    const Measurement& m = c->measurement;
    const bool chosen = result.chosen && c == &result.candidates[*result.chosen];
    std::string name = (chosen ? "* " : "  ") + candidate_text(m.candidate, result.request.models.size() > 1);
    std::string note = m.refused ? "refused: " + c->note : c->note;
    if (m.latency.count == 0) {
      table.rows.push_back({name, "-", "-", "-", human_bytes(c->size_bytes), "-", note});
    } else {
      table.rows.push_back({name, fmt::format("{:.3f}", m.latency.p50), fmt::format("{:.3f}", m.latency.p95),
                            human_bytes(m.rss_bytes_peak), human_bytes(c->size_bytes), accuracy_text(result, *c),
                            note});
    }
  }
  std::string text = table.text();
  if (same > 0)
    text += fmt::format(
        "and {} that are the same computation as one of these, or that their engine cannot read or is not here: the "
        "report has them\n",
        same);
  text += "\n" + std::string(result.chosen ? "chosen: " : "") + result.verdict + "\n";
  if (result.target != "this machine") text += "measured on " + result.target + "\n";
  if (tune_machine_busy(result)) {
    text += fmt::format("busy: load {:.1f} on {} cores before the start; figures are disturbed by other work\n",
                        *result.load_1min, result.machine.cpu_cores);
  }
  for (const std::string& bad : result.refused_samples) text += "sample refused: " + bad + "\n";
  return text + "report: " + path_join(result.request.out_dir, "report.html") + "\n";
}

// Everything that the command line says, but the variants.
Status read_settings(const Context& context, TuneOptions& options) {
  TuneRequest& request = options.request;
  request.models = options.models;
  request.data.open_video = context.open_video;
  OREE_TRY_ASSIGN(request.recipe, load_recipe(*context.ports.files, options.judge.recipe, options.judge.labels));
  OREE_TRY_ASSIGN(request.goal, parse_tune_goal(options.goal));
  OREE_TRY_ASSIGN(request.runtimes, parse_list(options.runtimes, "--runtimes"));
  OREE_TRY_ASSIGN(request.threads, parse_thread_list(options.threads));
  OREE_TRY_ASSIGN(request.batches, parse_batch_list(options.batches));
  OREE_TRY_ASSIGN(request.precisions, parse_list(options.precisions, "--precisions"));
  OREE_TRY_ASSIGN(request.providers, parse_list(options.providers, "--providers"));
  if (!options.reference_runtime.empty()) {
    const int cores = std::max(1, context.ports.sensors->identity().cpu_cores);
    OREE_TRY_ASSIGN(request.reference, make_candidate(options.models[0], options.reference_runtime, cores, "f32", ""));
  }
  request.metric = options.metric;
  if (!options.max_drop.empty()) {
    OREE_TRY_ASSIGN(request.drop_max, parse_percent(options.max_drop, "--max-drop"));
  }
  OREE_TRY_ASSIGN(request.confidence, parse_percent(options.confidence, "--confidence"));
  request.score_min = options.judge.score;
  request.iou_min = options.judge.iou;
  request.memory_bytes_max = static_cast<int64_t>(options.memory_mib_max * (1 << 20));
  request.size_bytes_max = static_cast<int64_t>(options.size_mib_max * (1 << 20));
  request.out_dir = options.out;
  request.cache_dir = options.fresh ? "" : options.cache.empty() ? default_tune_cache() : options.cache;
  return {};
}

Result<TuneLock> read_lock(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kJsonBytesMax));
  auto json = Json::parse(as_text(bytes));
  if (!json.ok()) return json.error().within(path);
  auto lock = tune_lock_from_json(*json);
  if (!lock.ok()) return lock.error().within(path);
  return lock;
}

Result<TuneResult> tune_with_bar(Context& context, const DeviceOptions& device, const TuneRequest& request) {
  OREE_TRY_ASSIGN(std::unique_ptr<Target> target, open_target(context.ports, device));
  Progress bar("tune", 0);
  return tune(context.ports, *target, request, [&](std::string_view stage, int64_t done, int64_t total) {
    bar.update(done, fmt::format("of {}: {}", total, stage));
  });
}

// The tune of a lock file once more, and whether it comes to the same.
Status run_locked(Context& context, const TuneOptions& options) {
  OREE_TRY_ASSIGN(TuneLock lock, read_lock(*context.ports.files, options.lock));
  OREE_TRY_ASSIGN(const auto held, FolderLock::take(*context.ports.files, options.out));
  TuneRequest request = lock.request;
  request.data.open_video = context.open_video;
  request.out_dir = options.out;
  request.cache_dir = "";  // what is remembered proves nothing
  OREE_TRY_ASSIGN(const TuneResult result, tune_with_bar(context, options.device, request));
  const LockVerdict verdict = lock_verdict(lock, result);
  const std::string differences = lock_differences(lock, result);
  Json document = tune_to_json(result);
  document.set("lock", Json().set("holds", verdict.holds).set("text", verdict.text).set("differences", differences));
  print_result(
      context, document,
      text_of(result) + (differences.empty() ? "" : "not as it was: " + differences + "\n") + verdict.text + "\n");
  return verdict.holds ? Status() : Status(Error(Code::kRefused, verdict.text));
}

Status nothing_beside_lock(const TuneOptions& options) {
  const std::set<std::string> where{"--lock",      "--out",    "--json", "--help", "--device", "--device-token-file",
                                    "--device-ca", "--verbose"};
  for (const CLI::Option* option : options.command->get_options()) {
    if (option->count() == 0 || where.contains(option->get_name())) continue;
    return Error(Code::kUsage, fmt::format("--lock: the models and all settings are those of the lock file; found {}",
                                           option->get_name()));
  }
  return {};
}

Status run_tune(Context& context, TuneOptions options) {
  if (!options.lock.empty()) {
    OREE_TRY(nothing_beside_lock(options));
    return run_locked(context, options);
  }
  if (options.models.empty()) return Error(Code::kUsage, "tune: give at least one model, or --lock");
  OREE_TRY(read_settings(context, options));
  OREE_TRY_ASSIGN(const auto held, FolderLock::take(*context.ports.files, options.out));
  TuneVariants variants;
  if (!options.calibration.empty()) {
    Progress bar("variants", 0);
    const VariantSource source{options.models[0],
                               {options.calibration, "", context.open_video},
                               options.request.recipe,
                               options.request.runtimes,
                               path_join(options.out, "variants")};
    auto progress = [&](size_t done, size_t all, const std::string& engine) {
      bar.update(static_cast<int64_t>(done), fmt::format("of {}: int8 for {}", all, engine));
    };
    OREE_TRY_ASSIGN(variants, make_tune_variants(context.ports, source, progress));
    TuneRequest& request = options.request;
    request.float_models = 1 + variants.floats.size();
    request.models.insert(request.models.begin() + 1, variants.floats.begin(), variants.floats.end());
    request.models.insert(request.models.end(), variants.others.begin(), variants.others.end());
    request.layers = variants.layers;
    request.made_for = variants.made_for;
    // Someone who gives calibration data alone means these by "data".
    if (request.data.path.empty()) request.data.path = options.calibration;
  }
  OREE_TRY_ASSIGN(const TuneResult result, tune_with_bar(context, options.device, options.request));
  std::string notes;
  for (const std::string& note : variants.notes) notes += "no variant " + note + "\n";
  print_result(context, tune_to_json(result), notes + text_of(result));
  return result.chosen ? Status() : Status(Error(Code::kRefused, result.verdict));
}

}  // namespace

void add_tune(CLI::App& app, Context& context) {
  auto options = std::make_shared<TuneOptions>();
  TuneRequest& request = options->request;
  CLI::App* command = add_command(app, context, "tune", "Find the best way to run a model here, within hard bounds",
                                  kExamples, [&context, options] { return run_tune(context, *options); });
  options->command = command;
  command->add_option("models", options->models, "Variants of one model, the float one first");
  command->add_option("--out", options->out, "Folder for tune.json, tune.lock, report.html, and the variants")
      ->required();
  command->add_option("--calibration", options->calibration,
                      "Real samples: int8 variants of the first model are made for every engine here");
  command->add_option(
      "--evaluation,--data", request.data.path,
      "Labelled or unlabelled samples (see oree eval --help); default: --calibration's, else seeded noise");
  command->add_option("--images", request.data.images,
                      "Folder of the images of COCO annotations; default: beside them");
  options->judge.add_recipe(*command);
  options->device.add(*command);
  command->add_option("--goal", options->goal, "latency, size, memory, energy, or pareto (all that nothing beats, too)")
      ->capture_default_str();
  command->add_option("--max-drop", options->max_drop,
                      "Accuracy that may be lost, such as 1%; what is not proven to lose less is out");
  command->add_option("--confidence", options->confidence, "Of that proof")->capture_default_str();
  command->add_option("--runtimes", options->runtimes, "all, or a list of those that oree runtimes shows")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "all (1, 2, 4 … cores), or a list")->capture_default_str();
  command
      ->add_option("--batch", options->batches,
                   "Samples of one inference, such as 1,4,8: latencies are then a sample's share; for models whose "
                   "first dimension is free")
      ->capture_default_str();
  command->add_option("--precisions", options->precisions, "all, or a list: f32,default,bf16,f16")
      ->capture_default_str();
  command->add_option("--providers", options->providers,
                      "Execution providers; default: each engine's best CPU path, and its others here");
  command->add_option("--reference-runtime", options->reference_runtime,
                      "Engine of the float reference; default: by the format");
  command->add_option("--metric", options->metric, "Of agreement with float: auto, f1, top1, cosine or sqnr")
      ->capture_default_str();
  command->add_option(
      "--min-agreement", request.min_agreement,
      "Instead of --max-drop, a plain bound on that; default 0.98 (f1, top1), 0.999 (cosine), 20 (sqnr)");
  options->judge.add_matching(*command);
  command->add_option("--max-latency-ms", request.latency_ms_max, "Bound on the p95, of a batch as a whole; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--max-memory", options->memory_mib_max, "Bound on peak resident memory, MiB; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--max-size", options->size_mib_max, "Bound on the model's files, MiB; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--energy", request.energy,
                    "Measure the energy of the best, too (oree sensors tells whether it can be)");
  command->add_option("--max-watts", request.watts_max, "Bound on the power under load, W; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--power-meter", request.meter,
                      "A meter of oree sensors, or a plug-in's command; default: the best one");
  command->add_option("--rounds", request.rounds, "Interleaved rounds of the final, at most")
      ->capture_default_str()
      ->check(CLI::Range(2, 100000));
  command
      ->add_option("--samples", request.samples_max,
                   "At most this many samples, spread over the data; 0: 100, with --max-drop 1000")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  command->add_option("--finalists", request.finalists_max, "Candidates that meet in the final")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->add_option("--seed", request.seed, "Of orders, noise and bootstrap")->capture_default_str();
  command->add_option("--lock", options->lock, "Instead of models: do the tune of this tune.lock again, and compare");
  command->add_option(
      "--cache", options->cache,
      "Folder of what was measured before; default: $OREE_CACHE_DIR, else below $XDG_CACHE_HOME or ~/.cache");
  command->add_flag("--fresh", options->fresh, "Measure all, remember nothing");
  command->add_flag("--exhaustive", request.exhaustive, "Measure every candidate in full (slow; to check the search)");
}

}  // namespace oree::cli
