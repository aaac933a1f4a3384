// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_plan.h"

#include <fmt/format.h>

#include "cli/keygen.h"
#include "cli/publish.h"
#include "cli/ship_quantize.h"
#include "cli/ship_tune.h"
#include "core/base/text.h"
#include "model/inspect/inspect.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

// Everything that the functions of a target's steps need; shared by them.
struct Ship {
  Ports ports;
  std::shared_ptr<const Product> product;
  ProductTarget target;
  ShipPaths paths;
  OpenModel open;

  Files& files() const { return *ports.files; }
  Json recipe() const { return product->recipe ? recipe_to_json(*product->recipe) : Json(); }
  std::string step(const char* name) const { return target.name.empty() ? name : name + (" " + target.name); }
};

using Shared = std::shared_ptr<const Ship>;

Step inspect_step(const Ports& ports, const std::shared_ptr<const Product>& product) {
  auto fingerprint = [files = ports.files, product]() -> Result<std::string> {
    Fingerprint print(*files);
    OREE_TRY(add_model(print, product->model));
    return print.finish();
  };
  auto run = [product]() -> Result<StepOutcome> {
    OREE_TRY_ASSIGN(ModelSummary m, inspect_model(product->model));
    int64_t ops = 0;
    for (const auto& [name, count] : m.ops) ops += count;
    return StepOutcome{fmt::format("{}, {} ops, {:.2f} M parameters, {}{:.1f} M MACs", format_name(m.format), ops,
                                   static_cast<double>(m.parameters) * 1e-6, m.macs_unknown.empty() ? "" : "at least ",
                                   static_cast<double>(m.macs) * 1e-6),
                       {}};
  };
  return {"inspect", fingerprint, run};
}

BundlePlan bundle_plan(const Ship& ship, const Candidate& candidate) {
  const Product& p = *ship.product;
  BundlePlan plan;
  plan.manifest = p.manifest;
  plan.manifest.device_types = ship.target.device_types;
  plan.manifest.host = ship.target.host;
  plan.manifest.golden.latency_ms_p95_max = ship.target.latency_ms_max;
  plan.manifest.golden.memory_bytes_max = ship.target.memory_bytes_max;
  plan.manifest.unmeasured_profile = ship.target.profile;
  plan.manifest.runtime = candidate.runtime;
  plan.manifest.options = candidate.options;
  // What another machine was chosen for may not run here, or not so: that one proves it.
  plan.prove = !ship.target.device.remote() && candidate.options.provider.empty();
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
    OREE_TRY_ASSIGN(Candidate candidate, choice_of(ship->files(), *ship->product, ship->target));
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
    OREE_TRY_ASSIGN(Candidate candidate, choice_of(ship->files(), *ship->product, ship->target));
    BundlePlan plan = bundle_plan(*ship, candidate);
    plan.manifest.created = created_text(*ship->ports.clock);
    OREE_TRY(ship->files().make_dirs(ship->product->state_folder));
    OREE_TRY_ASSIGN(BundleResult result, build_bundle(ship->ports, plan, ship->open));
    return StepOutcome{fmt::format("{} {}, {}, {} golden samples", plan.manifest.model, plan.manifest.version,
                                   human_bytes(result.info.size), result.info.manifest.golden.samples) +
                           (ship->target.profile.empty() ? "" : "; unmeasured, by the profile " + ship->target.profile),
                       {plan.out}};
  };
  return {ship->step("bundle"), fingerprint, run};
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
  return {ship->step("sign"), fingerprint, run};
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
  return {ship->step("verify"), fingerprint, run};
}

Step publish_step(const Shared& ship) {
  auto fingerprint = [ship] {
    const ProductPublish& p = *ship->product->publish;
    Fingerprint print(ship->files());
    print.add_path("bundle", ship->paths.bundle).add("server", p.server).add("notes", p.notes);
    return print.add_json("device_types", text_list(p.device_types)).finish();
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
  return {ship->step("publish"), fingerprint, run};
}

}  // namespace

ShipPaths::ShipPaths(const Product& product, const ProductTarget& target) {
  const std::string suffix = target.name.empty() ? "" : "-" + target.name;
  tune = path_join(product.state_folder, "tune" + suffix);
  tune_json = path_join(tune, "tune.json");
  choice = path_join(tune, "choice.json");
  const std::string stem = fmt::format("{}-{}{}", product.manifest.model, product.manifest.version, suffix);
  unsigned_bundle = path_join(product.state_folder, stem + ".unsigned.oree");
  bundle = path_join(product.state_folder, stem + ".oree");
}

std::string ship_state(const Product& product) { return path_join(product.state_folder, "ship.json"); }

std::string shipped_bundle(const Product& product, const ProductTarget& target) {
  const ShipPaths paths(product, target);
  return product.sign ? paths.bundle : paths.unsigned_bundle;
}

// All are tuned and bundled before any is published: a target that refuses keeps the version from everybody.
std::vector<Step> ship_steps(const Ports& ports, std::shared_ptr<const Product> product, const OpenModel& open) {
  std::vector<Step> steps{inspect_step(ports, product)}, publish;
  if (product->quantize) steps.push_back(quantize_step(ports, product));
  for (const ProductTarget& target : product->targets) {
    auto ship = std::make_shared<const Ship>(Ship{ports, product, target, ShipPaths(*product, target), open});
    if (product->tune) steps.push_back(tune_step(ports, product, target));
    steps.push_back(bundle_step(ship));
    if (product->sign) {
      steps.push_back(sign_step(ship));
      steps.push_back(verify_step(ship));
    }
    if (product->publish) publish.push_back(publish_step(ship));
  }
  steps.insert(steps.end(), publish.begin(), publish.end());
  return steps;
}

}  // namespace oree::cli
