// SPDX-License-Identifier: Apache-2.0
#include "cli/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <type_traits>

#include "cli/measure_options.h"
#include "cli/product_table.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/profile/profiles.h"
#include "model/runtime/session_options.h"

namespace oree::cli {
namespace {

Status read_product(const Json& root, Product& p) {
  ProductTable t(root, "product");
  t.text("name", p.name);
  t.need("name", p.name);
  t.text("version", p.manifest.version);
  t.need("version", p.manifest.version);
  t.text("description", p.manifest.description);
  p.state_folder = p.folder == "." ? ".oree" : path_join(p.folder, ".oree");
  t.path("state", p.folder, p.state_folder);
  return t.finish();
}

Status read_model(const Json& root, Product& p) {
  ProductTable t(root, "model");
  t.path("file", p.folder, p.model);
  t.need("file", p.model);
  t.paths("variants", p.folder, p.variants);
  p.manifest.model = p.name;
  t.text("name", p.manifest.model);
  return t.finish();
}

Status load_labels(Files& files, const std::string& path, Recipe& recipe) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kConfigBytesMax));
  auto labels = parse_labels(as_text(bytes));
  if (!labels.ok()) return labels.error().within(path);
  recipe.labels = std::move(*labels);
  return {};
}

// Either `file`, or the recipe's own tables; `labels` is a file's name, or the list itself.
Status read_recipe(Files& files, const Json& root, Product& p) {
  ProductTable t(root, "recipe");
  if (!t.present()) return {};
  std::string file, labels;
  t.path("file", p.folder, file);
  const Json& section = root["recipe"];
  if (section["labels"].is_string()) t.path("labels", p.folder, labels);
  if (!file.empty()) {
    OREE_TRY(t.finish());
    OREE_TRY_ASSIGN(p.recipe, load_recipe(files, file, labels));
    return {};
  }
  Json inlined = Json::object();
  for (const auto& [key, value] : section.members()) {
    if (key != "file" && !(key == "labels" && value.is_string())) inlined.set(key, value);
  }
  auto recipe = recipe_from_json(inlined);
  if (!recipe.ok()) return Error(Code::kUsage, fmt::format("[recipe] {}", recipe.error().message()));
  if (!labels.empty()) OREE_TRY(load_labels(files, labels, *recipe));
  p.recipe = std::move(*recipe);
  return {};
}

Status read_data(const Json& root, Product& p) {
  ProductTable t(root, "data");
  t.paths("golden", p.folder, p.golden);
  t.integer("golden_max", p.golden_max, 1, 100);
  t.integer("golden_random", p.golden_random, 1, 100);
  t.path("tune", p.folder, p.tune_data);
  t.path("reference", p.folder, p.reference);
  t.integer("reference_samples_min", p.reference_samples_min, 1, 1'000'000);
  if (p.golden.empty() && p.golden_random == 0) t.fail("golden", "is missing");
  if (!p.golden.empty() && p.golden_random > 0) t.fail("golden", "and golden_random exclude each other");
  return t.finish();
}

Status read_quantize(const Json& root, Product& p) {
  ProductTable t(root, "quantize");
  if (!t.present()) return {};
  ProductQuantize quantize;
  t.texts("engines", quantize.engines);
  t.path("calibration", p.folder, quantize.calibration);
  t.text("ranges", quantize.ranges);
  t.texts("keep_float", quantize.keep_float);
  t.number("float_macs_percent", quantize.float_macs_percent, 0, 100);
  t.number("drop_max_percent", quantize.drop_max_percent, 0, 100);
  t.path("evaluation", p.folder, quantize.evaluation);
  if (!quantize.evaluation.empty() && !quantize.drop_max_percent) t.fail("evaluation", "needs drop_max_percent");
  t.integer("samples_max", quantize.samples_max, 1, 100'000);
  if (quantize.calibration.empty() && p.golden.empty()) t.fail("calibration", "is missing");
  if (!root.find("tune")) t.fail("", "needs a [tune], which chooses among what it makes");
  p.quantize = std::move(quantize);
  return t.finish();
}

// What [tune] and a [[target]] may both say of candidates and bounds.
void read_candidates(ProductTable& t, ProductTune& tune) {
  auto instead = [](auto& own, auto read) {  // a list takes the place of the one before, it is not added to it
    std::decay_t<decltype(own)> given;
    read(given);
    if (!given.empty()) own = std::move(given);
  };
  instead(tune.runtimes, [&](auto& list) { t.texts("runtimes", list); });
  instead(tune.threads, [&](auto& list) { t.integers("threads", list, 1, kSessionThreadsMax); });
  instead(tune.precisions, [&](auto& list) { t.texts("precisions", list); });
  instead(tune.providers, [&](auto& list) { t.texts("providers", list); });
  t.number("latency_ms_max", tune.latency_ms_max, 0, 1e9);
  t.integer("memory_bytes_max", tune.memory_bytes_max, 0, INT64_MAX);
  t.integer("size_bytes_max", tune.size_bytes_max, 0, INT64_MAX);
}

Status read_tune(const Json& root, Product& p) {
  ProductTable t(root, "tune");
  if (!t.present()) return {};
  ProductTune tune;
  read_candidates(t, tune);
  t.text("metric", tune.metric);
  std::string goal = tune_goal_name(tune.goal);
  t.text("goal", goal);
  if (auto known = parse_tune_goal(goal); known.ok())
    tune.goal = *known;
  else
    t.fail("goal", "must be latency, size, memory, energy or pareto");
  t.number("drop_max_percent", tune.drop_max_percent, 0.001, 100);
  t.number("confidence_percent", tune.confidence_percent, 51, 99.99);
  t.number("min_agreement", tune.min_agreement, -1e6, 1e6);
  if (tune.drop_max_percent && tune.min_agreement) t.fail("min_agreement", "and drop_max_percent exclude each other");
  t.number("score_min", tune.score_min, 0, 1);
  t.number("iou_min", tune.iou_min, 0, 1);
  t.integer("samples_max", tune.samples_max, 1, 100'000);
  t.integer("rounds", tune.rounds, 2, 10'000);
  p.tune = std::move(tune);
  return t.finish();
}

void read_host(ProductTable& t, HostSettings& host) {
  t.integer("nice", host.nice, kNiceMin, kNiceMax);
  t.text("governor", host.governor);
  if (!host.governor.empty() && !check_governor(host.governor).ok())
    t.fail("governor", "must be a word of lower-case letters");
}

Status read_bundle(const Json& root, Product& p) {
  ProductTable t(root, "bundle");
  Manifest& m = p.manifest;
  t.texts("device_types", m.device_types);
  if (root.find("target") == nullptr && m.device_types.empty()) t.fail("device_types", "is missing");
  if (root.find("target") != nullptr && !m.device_types.empty()) t.fail("device_types", "are those of each [[target]]");
  read_host(t, m.host);
  t.text("runtime", m.runtime);
  t.integer("threads", m.options.threads, 1, kSessionThreadsMax);
  t.text("provider", m.options.provider);
  t.text("precision", m.options.precision);
  t.integer("probation_seconds", m.probation_seconds, 0, int64_t{30} * 24 * 3600);
  t.number("relative_error_max", m.golden.relative_error_max, 0, 1e6);
  t.number("cosine_min", m.golden.cosine_min, -1, 1);
  t.number("latency_ms_max", m.golden.latency_ms_p95_max, 0, 1e9);
  t.integer("memory_bytes_max", m.golden.memory_bytes_max, 0, INT64_MAX);
  t.integer("runs", m.golden.runs, 1, 100'000);
  t.integer("warmup_runs", m.golden.warmup_runs, 0, 100'000);
  const Json& section = root["bundle"];
  for (const char* key : {"runtime", "threads", "provider", "precision"}) {
    if (p.tune && section.find(key)) t.fail(key, "is for tune to choose: take it away, or take [tune] away");
  }
  if (!p.tune && m.runtime.empty()) t.fail("runtime", "is missing (or a [tune] that chooses it)");
  if (!parse_precision(m.options.precision).ok()) t.fail("precision", "must be f32, default, bf16 or f16");
  return t.finish();
}

Status read_sign(const Json& root, Product& p) {
  ProductTable t(root, "sign");
  if (!t.present()) return {};
  ProductSign sign;
  t.path("key", p.folder, sign.key);
  t.need("key", sign.key);
  t.paths("trusted", p.folder, sign.trusted);
  if (sign.trusted.empty()) sign.trusted.push_back(sign.key + ".pub");
  p.sign = std::move(sign);
  return t.finish();
}

Status read_publish(const Json& root, Product& p) {
  ProductTable t(root, "publish");
  if (!t.present()) return {};
  ProductPublish publish;
  t.text("server", publish.server);
  t.need("server", publish.server);
  t.text("token_env", publish.token_env);
  t.path("token_file", p.folder, publish.token_file);
  t.path("ca", p.folder, publish.ca);
  t.text("notes", publish.notes);
  t.texts("device_types", publish.device_types);
  p.publish = std::move(publish);
  if (!p.sign) t.fail("", "needs a [sign]: devices refuse what is not signed");
  if (!p.publish->device_types.empty() && root.find("target") != nullptr)
    t.fail("device_types", "are those of each [[target]]");
  return t.finish();
}

Result<ProductTarget> read_target(const Json& json, size_t number, const Product& p) {
  ProductTarget target;
  if (p.tune) target.tune = *p.tune;
  target.host = p.manifest.host;
  target.latency_ms_max = p.manifest.golden.latency_ms_p95_max;
  target.memory_bytes_max = p.manifest.golden.memory_bytes_max;
  ProductTable t(&json, fmt::format("[[target]] {}", number));
  t.text("name", target.name);
  t.need("name", target.name);
  if (!target.name.empty() && !check_name(target.name, "").ok()) t.fail("name", "must be a name");
  t.texts("device_types", target.device_types);
  if (target.device_types.empty()) t.fail("device_types", "is missing");
  t.text("device", target.device.url);
  t.path("device_token_file", p.folder, target.device.token_file);
  t.path("device_ca", p.folder, target.device.ca_file);
  if (target.device.url.empty() && (!target.device.token_file.empty() || !target.device.ca_file.empty()))
    t.fail("device", "is missing");
  t.text("profile", target.profile);
  if (!target.profile.empty() && !target.device.url.empty()) {
    t.fail("profile", "is for devices that are not at hand: give it or a device");
  } else if (!target.profile.empty()) {
    auto known = find_profile(shipped_profiles(), target.profile);
    if (!known.ok()) t.fail("profile", "is unknown: " + known.error().message());
  }
  read_candidates(t, target.tune);
  t.number("device_latency_ms_max", target.latency_ms_max, 0, 1e9);
  t.integer("device_memory_bytes_max", target.memory_bytes_max, 0, INT64_MAX);
  read_host(t, target.host);
  OREE_TRY(t.finish());
  return target;
}

Status read_targets(const Json& root, Product& p) {
  const Json* list = root.find("target");
  if (list == nullptr) {
    const GoldenRules& rules = p.manifest.golden;
    p.targets.push_back({"",
                         p.manifest.device_types,
                         {},
                         "",
                         p.tune.value_or(ProductTune{}),
                         p.manifest.host,
                         rules.latency_ms_p95_max,
                         rules.memory_bytes_max});
    return {};
  }
  if (!list->is_array() || list->items().empty() || list->items().size() > kTableListMax)
    return Error(Code::kUsage, fmt::format("[[target]]: expected 1 to {} tables", kTableListMax));
  if (!p.tune) return Error(Code::kUsage, "[[target]] needs a [tune], which chooses for each");
  std::map<std::string, std::string> taken;  // device type -> target
  for (const Json& json : list->items()) {
    OREE_TRY_ASSIGN(ProductTarget target, read_target(json, p.targets.size() + 1, p));
    for (const ProductTarget& other : p.targets) {
      if (other.name == target.name) return Error(Code::kUsage, fmt::format("[[target]] {}: comes twice", target.name));
    }
    for (const std::string& type : target.device_types) {
      auto [at, fresh] = taken.emplace(type, target.name);
      if (!fresh)
        return Error(Code::kUsage,
                     fmt::format("[[target]] {}: device type {} is {}'s already", target.name, type, at->second));
    }
    p.targets.push_back(std::move(target));
  }
  return {};
}

Status read_all(Files& files, const Json& root, Product& p) {
  constexpr std::string_view kSections[] = {"product", "model",  "recipe", "data",    "quantize",
                                            "tune",    "bundle", "sign",   "publish", "target"};
  for (const auto& [key, value] : root.members()) {
    if (std::find(std::begin(kSections), std::end(kSections), key) == std::end(kSections)) {
      return Error(Code::kUsage, fmt::format("[{}] is not a known table", key));
    }
  }
  OREE_TRY(read_product(root, p));
  OREE_TRY(read_model(root, p));
  OREE_TRY(read_data(root, p));
  OREE_TRY(read_quantize(root, p));
  OREE_TRY(read_tune(root, p));
  OREE_TRY(read_bundle(root, p));
  OREE_TRY(read_targets(root, p));
  OREE_TRY(read_sign(root, p));
  OREE_TRY(read_publish(root, p));
  for (auto [text, what] :
       {std::pair(&p.manifest.model, "the model's name"), std::pair(&p.manifest.version, "the version")}) {
    if (Status good = check_name(*text, what); !good.ok()) return Error(Code::kUsage, good.error().message());
  }
  for (const ProductTarget& target : p.targets) {
    for (const std::string& type : target.device_types) {
      if (Status good = check_name(type, "a device type"); !good.ok())
        return Error(Code::kUsage, good.error().message());
    }
  }
  return read_recipe(files, root, p);
}

}  // namespace

Result<Product> load_product(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kConfigBytesMax));
  auto root = parse_toml(as_text(bytes));
  if (!root.ok()) return Error(Code::kUsage, fmt::format("{}: {}", path, root.error().message()));
  Product product;
  product.file = path;
  product.folder = path_parent(path);
  Status read = read_all(files, *root, product);
  if (!read.ok()) return read.error().within(path);
  return product;
}

}  // namespace oree::cli
