// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/bundle_build.h"
#include "cli/context.h"
#include "cli/measure_options.h"
#include "cli/verify.h"
#include "core/base/text.h"
#include "model/runtime/registry.h"
#include "model/runtime/session_options.h"
#include "optimize/tune/tune.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree tune detector.tflite --recipe recipe.json --data frames --out tuned\n"
    "  oree bundle --tune tuned/tune.json --name detector --version 1.0.0 --device-type pi5 --recipe recipe.json \\\n"
    "      --labels labels.txt --golden frames --latency-max-ms 50 --out detector-1.0.0.oree\n"
    "The expected outputs are computed now, in float32 by the same engine; the shipped configuration must agree with "
    "them\n"
    "here (exit 1 otherwise) and again on each device.\n";

struct Options {
  BundlePlan plan;
  std::string tune, recipe, labels, precision = "f32";
  std::vector<std::string> images;
  bool no_prove = false;
};

std::string golden_text(const BundleResult& result) {
  if (result.proof.empty()) return "not proven here (--no-prove)\n";
  double error = 0, cosine = 1;
  for (const GoldenVerdict& v : result.proof) {
    error = std::max(error, v.relative_error);
    cosine = std::min(cosine, v.cosine);
  }
  return fmt::format("proven here on {} samples: relative error {:.3g}, cosine {:.6g}\n", result.proof.size(), error,
                     cosine);
}

Json proof_json(const BundleResult& result) {
  Json list = Json::array();
  for (const GoldenVerdict& v : result.proof) {
    list.push(Json().set("tensor", v.tensor).set("relative_error", v.relative_error).set("cosine", v.cosine));
  }
  return list;
}

Status fill_plan(const Context& context, Options& options) {
  Files& files = *context.ports.files;
  BundlePlan& plan = options.plan;
  OREE_TRY_ASSIGN(plan.manifest.options.precision, parse_precision(options.precision));
  if (!options.tune.empty()) {
    if (!plan.manifest.runtime.empty())
      return Error(Code::kUsage, "--tune names the runtime: give it or --runtime, not both");
    OREE_TRY_ASSIGN(TuneChoice choice, read_tune_choice(files, options.tune));
    if (plan.model.empty()) plan.model = choice.candidate.model;
    plan.manifest.runtime = choice.candidate.runtime;
    plan.manifest.options = choice.candidate.options;
  }
  if (plan.model.empty()) return Error(Code::kUsage, "--model is needed (or --tune, which names it)");
  if (plan.manifest.runtime.empty()) {
    OREE_TRY_ASSIGN(ModelFormat format, detect_format(plan.model));
    OREE_TRY_ASSIGN(plan.manifest.runtime, default_backend(format, plan.model));
  }
  OREE_TRY_ASSIGN(plan.recipe, load_recipe(files, options.recipe, options.labels));
  plan.golden.insert(plan.golden.end(), options.images.begin(), options.images.end());
  plan.prove = !options.no_prove;
  plan.manifest.created = created_text(*context.ports.clock);
  return {};
}

Status bundle(const Context& context, Options& options) {
  OREE_TRY(fill_plan(context, options));
  OREE_TRY_ASSIGN(BundleResult result, build_bundle(context.ports, options.plan, open_model()));
  Json document = bundle_json(result.info).set("bundle", options.plan.out).set("proof", proof_json(result));
  std::string text = bundle_text(result.info) + "\n" + golden_text(result);
  if (result.reference) {
    const DriftReference& r = *result.reference;
    document.set("reference", Json().set("samples", r.histogram.count()).set("warn", r.warn).set("severe", r.severe));
    text += fmt::format("drift reference of {} confidences: warn over {:.4f}, severe over {}\n", r.histogram.count(),
                        r.warn, r.severe);
  }
  print_result(
      context, document,
      text + fmt::format("wrote {}; sign it with: oree sign {} --key KEY\n", options.plan.out, options.plan.out));
  return {};
}

void add_bounds(CLI::App& command, Options& o) {
  GoldenRules& rules = o.plan.manifest.golden;
  command.add_option("--tolerance", rules.relative_error_max, "Largest difference of an output over its range")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command.add_option("--cosine-min", rules.cosine_min, "Smallest cosine of an output with its expectation")
      ->check(CLI::Range(-1.0, 1.0))
      ->capture_default_str();
  command.add_option("--latency-max-ms", rules.latency_ms_p95_max, "The device refuses a higher p95")
      ->check(CLI::Range(0.0, 1e9));
  command.add_option("--memory-max", rules.memory_bytes_max, "The device refuses a higher peak; 200MiB or bytes")
      ->transform(CLI::AsSizeValue(false));
  command.add_option("--runs", rules.runs, "Runs that the latency is measured over")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--warmup-runs", rules.warmup_runs, "Runs before them")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command
      .add_option("--probation-seconds", o.plan.manifest.probation_seconds,
                  "Watched on live data before it is committed")
      ->check(CLI::Range(int64_t{0}, int64_t{30 * 24 * 3600}))
      ->capture_default_str();
}

}  // namespace

void add_bundle(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "bundle", "Pack a model with its recipe and its proof", kExamples,
                                  [&context, o] { return bundle(context, *o); });
  Manifest& m = o->plan.manifest;
  command->add_option("--model", o->plan.model, "Model file, of any format that oree runtimes shows");
  command->add_option("--name", m.model, "The product's name for the model")->required();
  command->add_option("--version", m.version, "Version of this bundle, like 1.2.0")->required();
  command->add_option("--device-type", m.device_types, "Device type it is for; may be given several times")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--tune", o->tune,
                      "tune.json of oree tune: runtime, threads, provider and precision of its choice");
  command->add_option("--runtime", m.runtime, "One of those that oree runtimes shows; else the format's own");
  command->add_option("--threads", m.options.threads, "Threads of the engine")
      ->check(CLI::Range(1, kSessionThreadsMax));
  command->add_option("--provider", m.options.provider, "The engine's provider or delegate");
  command->add_option("--precision", o->precision, "f32, default, bf16 or f16")->capture_default_str();
  command->add_option("--recipe", o->recipe, "recipe.json: preprocessing and decoder");
  command->add_option("--labels", o->labels, "A label a line, instead of the recipe's");
  command
      ->add_option("--golden", o->plan.golden,
                   "Data for golden samples: npz, npy or a folder; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--golden-images", o->images, "Folder of images, through the recipe")->allow_extra_args(false);
  command->add_option("--golden-max", o->plan.golden_max, "Samples of each, spread over it")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--golden-random", o->plan.golden_random, "This many samples of noise instead of data")
      ->check(CLI::Range(1, 100));
  command->add_option("--golden-model", o->plan.golden_model,
                      "Model that the expected outputs come from, when not --model");
  command->add_option("--reference", o->plan.reference,
                      "Confidences of a good stream (.json, .npy) to watch for drift");
  command->add_option("--reference-samples-min", o->plan.reference_samples_min, "Samples that a drift verdict needs")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--description", m.description, "For people");
  command->add_flag("--no-prove", o->no_prove, "Do not run the shipped configuration on this machine");
  command->add_option("--out", o->plan.out, "Bundle file to write")->required();
  add_bounds(*command, *o);
}

}  // namespace oree::cli
