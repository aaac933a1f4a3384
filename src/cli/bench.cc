// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/bench_state.h"
#include "cli/context.h"
#include "cli/device_options.h"
#include "cli/measure_options.h"
#include "cli/power_options.h"
#include "core/base/text.h"
#include "model/eval/measure.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

struct BenchOptions {
  DeviceOptions device;
  std::vector<std::string> models;
  std::string runtimes = "all", threads, precisions = "f32", batches = "1", provider, input;
  int rounds = 20, runs = 10, warmup = 5;
  double seconds = 0;
  uint64_t seed = 1;
  EnergyOptions energy;
};

struct BenchResults {
  std::vector<Measurement> sorted;       // by median, the refused ones last
  DriftCorrection drift;                 // its candidates are those of `sorted`
  std::vector<EnergyEstimate> energies;  // the same; empty when not asked for
};

std::vector<std::string> precisions_of(const TargetDescription& target, const std::string& runtime) {
  for (const RuntimeInfo& info : target.runtimes) {
    if (info.name == runtime && !info.precisions.empty()) return info.precisions;
  }
  return {"f32"};  // the refusal says that the engine is not there
}

// Only what the user named and cannot run is worth a row; "all" quietly means those that can.
Result<std::vector<Candidate>> candidates_of(const BenchOptions& options, const TargetDescription& target) {
  OREE_TRY_ASSIGN(auto named, parse_list(options.runtimes, "--runtimes"));
  OREE_TRY_ASSIGN(auto precisions, parse_list(options.precisions, "--precision"));
  OREE_TRY_ASSIGN(auto threads, parse_thread_list(options.threads));
  if (threads.empty()) threads.push_back(std::max(1, target.machine.cpu_cores));
  OREE_TRY_ASSIGN(const std::vector<int> batches, parse_batch_list(options.batches));
  std::vector<Candidate> candidates;
  for (const std::string& model : options.models) {
    OREE_TRY_ASSIGN(ModelFormat format, detect_format(model));
    if (format == ModelFormat::kUnknown) return Error(Code::kInvalid, model + ": " + no_format_text());
    std::vector<std::string> runtimes = named;
    if (named.empty()) {
      for (const RuntimeInfo& info : target.runtimes) {
        bool reads = std::find(info.formats.begin(), info.formats.end(), format_name(format)) != info.formats.end();
        if (info.available && reads) runtimes.push_back(info.name);
      }
      if (runtimes.empty())
        return Error(Code::kUnavailable, fmt::format("{}: no engine of {} reads {}; see oree runtimes", model,
                                                     target.name, format_name(format)));
    }
    for (const std::string& runtime : runtimes) {
      std::vector<std::string> wanted = precisions;
      OREE_TRY(make_candidate(model, runtime, 1, "f32", ""));
      if (wanted.empty()) wanted = precisions_of(target, runtime);
      for (const std::string& precision : wanted) {
        for (int count : threads) {
          OREE_TRY_ASSIGN(Candidate candidate, make_candidate(model, runtime, count, precision, options.provider));
          for (int batch : batches) {
            candidate.batch = batch;
            candidates.push_back(candidate);
          }
        }
      }
    }
  }
  return candidates;
}

std::string energy_cell(const EnergyEstimate& energy) {
  if (energy.not_measurable) return "not measurable";
  return fmt::format("{} ± {}", energy_text(energy.joules_per_inference), energy_text((energy.high - energy.low) / 2));
}

std::string table_of(const BenchResults& results, bool many_models) {
  TextTable table{{"candidate", "computes in", "p50 ms", "p95", "p99", "mean", "per s", "peak memory", "load ms"},
                  {false, false, true, true, true, true, true, true, true, true, true, true},
                  {}};
  bool corrected = drifted(results.sorted, results.drift), energy = !results.energies.empty();
  if (corrected) table.header.push_back("p50 less drift");
  if (energy) table.header.insert(table.header.end(), {"J/inference", "W under load"});
  std::string refusals;
  bool spins = false;
  auto ms = [](double v) { return fmt::format("{:.3f}", v); };
  for (size_t i = 0; i < results.sorted.size(); ++i) {
    const Measurement& m = results.sorted[i];
    std::string name = candidate_text(m.candidate, many_models);
    if (m.refused) {
      refusals += fmt::format("refused  {}: {}\n", name, m.refused->message());
      continue;
    }
    auto precision = m.facts.find("precision");
    const LatencySummary& l = m.latency;
    std::vector<std::string> row{name,
                                 precision == m.facts.end() ? "?" : precision->second,
                                 ms(l.p50),
                                 ms(l.p95),
                                 ms(l.p99),
                                 ms(l.mean),
                                 fmt::format("{:.1f}", m.throughput),
                                 human_bytes(m.rss_bytes_peak),
                                 fmt::format("{:.0f}", m.load_ms)};
    if (corrected) row.push_back(results.drift.corrected[i] ? ms(*results.drift.corrected[i]) : "-");
    if (energy) {
      const EnergyEstimate& e = results.energies[i];
      row.push_back(energy_cell(e));
      row.push_back(e.not_measurable ? "-" : fmt::format("{:.2f}", e.load_watts));
    }
    table.rows.push_back(std::move(row));
    spins = spins || m.idle_cpu_percent > 5;
  }
  std::string text = table.rows.empty() ? "" : table.text();
  if (spins)
    text +=
        "Some engine kept computing while it should have waited: figures may have disturbed each other (--json tells "
        "which).\n";
  if (corrected) {
    text += fmt::format(
        "The machine drifted: {:.0f} % of the rounds were over 5 % slower than the median one, by {:.2f}x at most. The "
        "last p50 "
        "is corrected for it.\n",
        100 * results.drift.slow_share, results.drift.slowest);
  }
  return text + energy_notes(results.energies) + refusals;
}

Json json_of(const BenchResults& results) {
  Json list = Json::array();
  for (size_t i = 0; i < results.sorted.size(); ++i) {
    Json item = measurement_to_json(results.sorted[i]);
    if (results.drift.corrected[i]) item.set("p50_less_drift_ms", *results.drift.corrected[i]);
    if (!results.energies.empty() && !results.sorted[i].refused) item.set("energy", results.energies[i].to_json());
    list.push(item);
  }
  return list;
}

// The fastest first; energy is measured in that order.
std::vector<Measurement> sorted_by_median(std::vector<Measurement> results) {
  std::stable_sort(results.begin(), results.end(), [](const Measurement& a, const Measurement& b) {
    if (a.refused.has_value() != b.refused.has_value()) return !a.refused;
    return a.latency.p50 < b.latency.p50;
  });
  return results;
}

Status bench(Context& context, const BenchOptions& options) {
  if (options.rounds < 1 || options.runs < 1 || options.runs > kTurnRunsMax || options.warmup < 0 ||
      options.warmup > kTurnRunsMax) {
    return Error(Code::kUsage, fmt::format("--rounds, --runs and --warmup: expected 1 to {} runs", kTurnRunsMax));
  }
  OREE_TRY(check_energy_options(options.energy));
  EnergyOptions energy = options.energy;
  if (!options.device.remote()) energy.power_meter = named_power_meter(energy.power_meter);
  OREE_TRY_ASSIGN(std::unique_ptr<Target> target, open_target(context.ports, options.device));
  OREE_TRY_ASSIGN(TargetDescription description, target->describe());
  OREE_TRY_ASSIGN(auto candidates, candidates_of(options, description));
  if (!options.input.empty()) {
    auto input = context.ports.files->info(options.input);
    if (!input.ok()) return input.error();
  }
  MeasurePlan plan;
  // A bound in seconds alone means: as many rounds as fit.
  plan.rounds = options.seconds > 0 ? 1'000'000 : options.rounds;
  plan.seconds_max = options.seconds;
  plan.runs_per_round = options.runs;
  plan.warmup = options.warmup;
  plan.seed = options.seed;
  plan.input_npz = options.input;
  Progress bar("bench", options.seconds > 0 ? 0 : options.rounds);
  TargetSensors sensors(*target, description.machine);
  Ports watched = context.ports;
  watched.sensors = &sensors;
  ThermalWatch watch(watched);
  std::optional<double> load = watch.before().load_1min;
  plan.progress = [&](int done, int) {
    bar.update(done);
    watch.look();
  };
  BenchResults results;
  results.sorted = sorted_by_median(measure(*target, *context.ports.clock, {}, candidates, plan));
  results.drift = drift_of(results.sorted);
  bar.update(0);
  if (options.energy.wanted) results.energies = measure_energies(*target, energy, results.sorted, plan, watch);
  Json document = Json::object();
  document.set("target", target_to_json(description));
  document.set("input", options.input.empty() ? "seeded noise" : options.input)
      .set("seed", static_cast<int64_t>(options.seed));
  document.set("runs_per_round", options.runs).set("load_1min", load).set("candidates", json_of(results));
  document.set("drift", Json().set("slowest", results.drift.slowest).set("slow_share", results.drift.slow_share));
  document.set("thermal", watch.log().to_json());
  std::string text = table_of(results, options.models.size() > 1);
  if (options.device.remote()) text += target_text(description) + "\n";
  if (std::string thermal = watch.log().text(); !thermal.empty()) text += "Machine: " + thermal + "\n";
  if (load && *load > 0.5)
    text += fmt::format("busy: load {:.1f} on {} cores before the start; figures are disturbed by other work\n", *load,
                        description.machine.cpu_cores);
  print_result(context, document, text);
  const Measurement& first = results.sorted[0];
  if (first.refused) return first.refused->within("nothing could be measured: " + candidate_text(first.candidate));
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = add_command(
      app, context, "bench", "Measure latency, memory and load time of models in every engine",
      "  oree bench detector.tflite --threads 1,2 --precision f32,default\n"
      "  oree bench detector.tflite --energy   # and joules an inference, where the machine can tell\n"
      "  oree bench detector.tflite --device https://camera-1.local:8733 --device-token-file camera-1.token \\\n"
      "    --device-ca ca.pem",
      [&context, options] {
        options->energy.wanted |= !options->energy.power_meter.empty();
        return bench(context, *options);
      });
  command->add_option("models", options->models, "ONNX, TFLite, OpenVINO IR, ncnn, TorchScript or ExecuTorch files")
      ->required();
  command->add_option("--runtimes", options->runtimes, "all, or a list of those that oree runtimes shows")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Thread counts, such as 1,2,4; default: every core");
  command
      ->add_option("--batch", options->batches,
                   "Samples of one inference, such as 1,4: figures are then a sample's share; for models whose first "
                   "dimension is free")
      ->capture_default_str();
  command->add_option("--precision", options->precisions, "f32, default (the engine's own choice), bf16, f16, or all")
      ->capture_default_str();
  command->add_option("--provider", options->provider, "Execution provider; default: the engine's best CPU path");
  command->add_option("--rounds", options->rounds, "Interleaved rounds over all candidates")->capture_default_str();
  command->add_option("--runs", options->runs, "Timed inferences of a candidate in each round")->capture_default_str();
  command->add_option("--warmup", options->warmup, "Untimed inferences before the first round")->capture_default_str();
  command->add_option("--seconds", options->seconds, "Run rounds for this long instead");
  command->add_flag("--energy", options->energy.wanted,
                    "Then the energy of each candidate: windows of load between idle ones (docs/energy.md)");
  add_power_meter_option(*command, options->energy.power_meter);
  command->add_option("--energy-seconds", options->energy.seconds, "Of each of the 5 load and 5 idle windows")
      ->capture_default_str();
  options->device.add(*command);
  command->add_option("--input", options->input, "Inputs, npz keyed by input name; default: seeded noise");
  command->add_option("--seed", options->seed, "Of the noise and of the order within rounds")->capture_default_str();
}

}  // namespace oree::cli
