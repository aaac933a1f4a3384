// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_plan.h"

#include <fmt/format.h>

#include "cli/keygen.h"
#include "cli/publish.h"
#include "cli/ship_quantize.h"
#include "core/base/text.h"
#include "model/inspect/inspect.h"
#include "model/runtime/registry.h"
#include "model/runtime/session_options.h"
#include "optimize/tune/tune.h"

namespace oree::cli {
namespace {

Json list(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

// Everything that the functions of the steps need; shared by them.
struct Ship {
  Ports ports;
  std::shared_ptr<const Product> product;
  ShipPaths paths;
  OpenModel open;

  Files& files() const { return *ports.files; }
  Json recipe() const { return product->recipe ? recipe_to_json(*product->recipe) : Json(); }
  std::string signed_or_not() const { return product->sign ? paths.bundle : paths.unsigned_bundle; }
};

using Shared = std::shared_ptr<const Ship>;

Step inspect_step(const Shared& ship) {
  auto fingerprint = [ship]() -> Result<std::string> {
    Fingerprint print(ship->files());
    OREE_TRY(add_model(print, ship->product->model));
    return print.finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    OREE_TRY_ASSIGN(ModelSummary m, inspect_model(ship->product->model));
    int64_t ops = 0;
    for (const auto& [name, count] : m.ops) ops += count;
    return StepOutcome{fmt::format("{}, {} ops, {:.2f} M parameters, {}{:.1f} M MACs", format_name(m.format), ops,
                                   static_cast<double>(m.parameters) * 1e-6, m.macs_unknown.empty() ? "" : "at least ",
                                   static_cast<double>(m.macs) * 1e-6),
                       {}};
  };
  return {"inspect", fingerprint, run};
}

TuneRequest tune_request(const Ship& ship) {
  const Product& p = *ship.product;
  const ProductTune& t = *p.tune;
  TuneRequest request;
  request.models = {p.model};
  request.models.insert(request.models.end(), p.variants.begin(), p.variants.end());
  for (std::string& variant : quantized_variants(ship.files(), p)) request.models.push_back(std::move(variant));
  request.recipe = p.recipe;
  request.data.path = !p.tune_data.empty() || p.golden.empty() ? p.tune_data : p.golden[0];
  request.runtimes = t.runtimes;
  request.threads = t.threads;
  request.precisions = t.precisions;
  request.providers = t.providers;
  request.goal = t.goal;
  request.metric = t.metric;
  if (t.drop_max_percent) request.drop_max = *t.drop_max_percent / 100;
  request.confidence = t.confidence_percent / 100;
  request.min_agreement = t.min_agreement;
  request.score_min = t.score_min;
  request.iou_min = t.iou_min;
  request.latency_ms_max = t.latency_ms_max;
  request.memory_bytes_max = t.memory_bytes_max;
  request.size_bytes_max = t.size_bytes_max;
  request.samples_max = t.samples_max;
  request.rounds = t.rounds;
  request.out_dir = ship.paths.tune;
  request.cache_dir = path_join(p.state_folder, "cache");
  return request;
}

Json tune_inputs(const TuneRequest& r) {
  Json threads = Json::array();
  for (int n : r.threads) threads.push(n);
  return Json()
      .set("runtimes", list(r.runtimes))
      .set("threads", threads)
      .set("precisions", list(r.precisions))
      .set("providers", list(r.providers))
      .set("goal", tune_goal_name(r.goal))
      .set("metric", r.metric)
      .set("drop_max", r.drop_max)
      .set("confidence", r.confidence)
      .set("min_agreement", r.min_agreement)
      .set("score_min", r.score_min)
      .set("iou_min", r.iou_min)
      .set("latency_ms_max", r.latency_ms_max)
      .set("memory_bytes_max", r.memory_bytes_max)
      .set("size_bytes_max", r.size_bytes_max)
      .set("samples_max", r.samples_max)
      .set("rounds", r.rounds);
}

// A choice holds for the machine and the engines that it was measured on.
Json measured_on(const Ports& ports) {
  SystemIdentity machine = ports.sensors->identity();
  Json engines = Json::object();
  for (const std::string& name : backend_names()) engines.set(name, backend(name).info().version);
  return Json().set("cpu", machine.cpu_model).set("cores", machine.cpu_cores).set("engines", engines);
}

Step tune_step(const Shared& ship) {
  auto fingerprint = [ship]() -> Result<std::string> {
    TuneRequest request = tune_request(*ship);
    Fingerprint print(ship->files());
    for (const std::string& model : request.models) OREE_TRY(add_model(print, model));
    print.add_json("recipe", ship->recipe()).add_path("data", request.data.path);
    print.add_json("request", tune_inputs(request)).add_json("machine", measured_on(ship->ports));
    return print.finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    LocalTarget target(ship->ports);
    OREE_TRY_ASSIGN(TuneResult result, tune(ship->ports, target, tune_request(*ship)));
    if (!result.chosen) return Error(Code::kRefused, result.verdict);
    const Measurement& m = result.candidates[*result.chosen].measurement;
    return StepOutcome{fmt::format("{}: p50 {:.2f} ms, p95 {:.2f} ms, of {} candidates", candidate_text(m.candidate),
                                   m.latency.p50, m.latency.p95, result.candidates.size()),
                       {ship->paths.tune_json}};
  };
  return {"tune", fingerprint, run};
}

// Which file runs how: tune's choice, or what oree.toml says.
Result<Candidate> choice_of(const Ship& ship) {
  const Product& p = *ship.product;
  if (!p.tune) return Candidate{p.model, p.manifest.runtime, p.manifest.options};
  OREE_TRY_ASSIGN(TuneChoice choice, read_tune_choice(ship.files(), ship.paths.tune_json));
  return choice.candidate;
}

BundlePlan bundle_plan(const Ship& ship, const Candidate& candidate) {
  const Product& p = *ship.product;
  BundlePlan plan;
  plan.manifest = p.manifest;
  plan.manifest.runtime = candidate.runtime;
  plan.manifest.options = candidate.options;
  plan.model = candidate.model;
  plan.recipe = p.recipe;
  plan.golden = p.golden;
  plan.golden_max = p.golden_max;
  plan.golden_random = p.golden_random;
  plan.reference = p.reference;
  plan.reference_samples_min = p.reference_samples_min;
  plan.out = ship.paths.unsigned_bundle;
  return plan;
}

Step bundle_step(const Shared& ship) {
  auto fingerprint = [ship]() -> Result<std::string> {
    const Product& p = *ship->product;
    OREE_TRY_ASSIGN(Candidate candidate, choice_of(*ship));
    BundlePlan plan = bundle_plan(*ship, candidate);
    Fingerprint print(ship->files());
    OREE_TRY(add_model(print, candidate.model));
    print.add_json("manifest", manifest_to_json(plan.manifest));
    print.add_json("recipe", ship->recipe());
    for (const std::string& data : p.golden) print.add_path("golden", data);
    print.add_json("golden_counts", Json().push(p.golden_max).push(p.golden_random));
    print.add_path("reference", p.reference).add("reference_samples_min", std::to_string(p.reference_samples_min));
    return print.finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    OREE_TRY_ASSIGN(Candidate candidate, choice_of(*ship));
    BundlePlan plan = bundle_plan(*ship, candidate);
    plan.manifest.created = created_text(*ship->ports.clock);
    OREE_TRY(ship->files().make_dirs(ship->product->state_folder));
    OREE_TRY_ASSIGN(BundleResult result, build_bundle(ship->ports, plan, ship->open));
    return StepOutcome{fmt::format("{} {}, {}, {} golden samples", plan.manifest.model, plan.manifest.version,
                                   human_bytes(result.info.size), result.info.manifest.golden.samples),
                       {plan.out}};
  };
  return {"bundle", fingerprint, run};
}

Step sign_step(const Shared& ship) {
  auto fingerprint = [ship] {
    Fingerprint print(ship->files());
    return print.add_path("bundle", ship->paths.unsigned_bundle).add_path("key", ship->product->sign->key).finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    OREE_TRY_ASSIGN(SecretKey key, load_secret_key(ship->files(), ship->product->sign->key));
    OREE_TRY(sign_bundle(ship->files(), ship->paths.unsigned_bundle, ship->paths.bundle, key));
    return StepOutcome{fmt::format("by {}", key_id(public_key(key))), {ship->paths.bundle}};
  };
  return {"sign", fingerprint, run};
}

Step verify_step(const Shared& ship) {
  auto fingerprint = [ship] {
    Fingerprint print(ship->files());
    print.add_path("bundle", ship->paths.bundle);
    for (const std::string& key : ship->product->sign->trusted) print.add_path("key", key);
    return print.finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    OREE_TRY_ASSIGN(std::vector<PublicKey> keys, load_public_keys(ship->files(), ship->product->sign->trusted));
    OREE_TRY_ASSIGN(BundleInfo info, verify_bundle(ship->files(), ship->paths.bundle, keys));
    return StepOutcome{"sha256:" + info.digest, {}};
  };
  return {"verify", fingerprint, run};
}

Step publish_step(const Shared& ship) {
  auto fingerprint = [ship] {
    const ProductPublish& p = *ship->product->publish;
    Fingerprint print(ship->files());
    print.add_path("bundle", ship->paths.bundle).add("server", p.server).add("notes", p.notes);
    return print.add_json("device_types", list(p.device_types)).finish();
  };
  auto run = [ship]() -> Result<StepOutcome> {
    const ProductPublish& p = *ship->product->publish;
    PublishPlan plan{ship->paths.bundle, p.server, {}, p.ca, p.device_types, p.notes};
    OREE_TRY_ASSIGN(plan.token, find_token(ship->files(), {}, p.token_file, p.token_env));
    OREE_TRY_ASSIGN(PublishResult result, publish_bundle(ship->ports, plan));
    return StepOutcome{fmt::format("{} {}{}", p.server, result.released ? "released" : "had this release",
                                   result.uploaded ? "" : ", had the blob"),
                       {}};
  };
  return {"publish", fingerprint, run};
}

}  // namespace

ShipPaths::ShipPaths(const Product& product)
    : state(path_join(product.state_folder, "ship.json")),
      tune(path_join(product.state_folder, "tune")),
      tune_json(path_join(tune, "tune.json")) {
  std::string stem = fmt::format("{}-{}", product.manifest.model, product.manifest.version);
  unsigned_bundle = path_join(product.state_folder, stem + ".unsigned.oree");
  bundle = path_join(product.state_folder, stem + ".oree");
}

std::vector<Step> ship_steps(const Ports& ports, std::shared_ptr<const Product> product, const OpenModel& open) {
  auto ship = std::make_shared<const Ship>(Ship{ports, product, ShipPaths(*product), open});
  std::vector<Step> steps{inspect_step(ship)};
  if (product->quantize) steps.push_back(quantize_step(ports, product));
  if (product->tune) steps.push_back(tune_step(ship));
  steps.push_back(bundle_step(ship));
  if (product->sign) {
    steps.push_back(sign_step(ship));
    steps.push_back(verify_step(ship));
  }
  if (product->publish) steps.push_back(publish_step(ship));
  return steps;
}

}  // namespace oree::cli
