// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_tune.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/ship_quantize.h"
#include "core/base/limits.h"
#include "model/profile/assess.h"
#include "model/profile/profiles.h"
#include "model/runtime/registry.h"
#include "model/runtime/session_options.h"
#include "optimize/tune/tune.h"

namespace oree::cli {
namespace {

TuneRequest tune_request(Files& files, const Product& p, const ProductTarget& target) {
  const ProductTune& t = target.tune;
  TuneRequest request;
  request.models = {p.model};
  request.models.insert(request.models.end(), p.variants.begin(), p.variants.end());
  for (const QuantizedVariant& variant : quantized_variants(files, p)) {
    request.models.push_back(variant.path);
    request.made_for[variant.path] = variant.runtime;
  }
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
  request.out_dir = ShipPaths(p, target).tune;
  request.cache_dir = path_join(p.state_folder, "cache");
  return request;
}

Json tune_inputs(const TuneRequest& r) {
  Json threads = Json::array(), made_for = Json::array();
  for (int n : r.threads) threads.push(n);
  for (const auto& [path, runtime] : r.made_for) made_for.push(path_name(path) + " " + runtime);
  return Json()
      .set("runtimes", text_list(r.runtimes))
      .set("threads", threads)
      .set("precisions", text_list(r.precisions))
      .set("providers", text_list(r.providers))
      .set("made_for", made_for)
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

// A choice holds for the machine and the engines that it was measured on. A device is not asked for that: it need not
// be there while nothing else has changed.
Json measured_on(const Ports& ports, const ProductTarget& target) {
  if (target.device.remote()) return Json().set("device", target.device.url);
  SystemIdentity machine = ports.sensors->identity();
  Json engines = Json::object();
  for (const std::string& name : backend_names()) engines.set(name, backend(name).info().version);
  return Json()
      .set("architecture", machine.architecture)
      .set("cpu", machine.cpu_model)
      .set("cores", machine.cpu_cores)
      .set("engines", engines)
      .set("profile", target.profile);
}

Result<StepOutcome> tune_by_measuring(const Ports& ports, const Product& product, const ProductTarget& target) {
  OREE_TRY_ASSIGN(std::unique_ptr<Target> machine, open_target(ports, target.device));
  OREE_TRY_ASSIGN(TuneResult result, tune(ports, *machine, tune_request(*ports.files, product, target)));
  if (!result.chosen) return Error(Code::kRefused, result.verdict);
  const Measurement& m = result.candidates[*result.chosen].measurement;
  return StepOutcome{fmt::format("{}: p50 {:.2f} ms, p95 {:.2f} ms, of {} candidates{}", candidate_text(m.candidate),
                                 m.latency.p50, m.latency.p95, result.candidates.size(),
                                 target.device.remote() ? ", measured on " + result.target : ""),
                     {ShipPaths(product, target).tune_json}};
}

// ---- by a profile

// A candidate of the tune here that computes what the profile's engine would, or nothing.
const TuneCandidate* candidate_for(const TuneResult& result, const ProfileEngine& engine, bool int8) {
  const std::map<std::string, std::string>& made_for = result.request.made_for;
  const TuneCandidate* best = nullptr;
  for (const TuneCandidate& c : result.candidates) {
    const Candidate& own = c.measurement.candidate;
    if (own.runtime != engine.engine || !c.within_bounds) continue;
    const std::string name = path_name(own.model);
    const bool of_dialect = made_for.contains(own.model) && name.find("-" + engine.int8 + "-") != std::string::npos;
    if (int8 != made_for.contains(own.model) || (int8 && !of_dialect)) continue;
    // The smallest file: all in integers before one with layers in float.
    if (best == nullptr || c.size_bytes < best->size_bytes) best = &c;
  }
  return best;
}

struct ProfileChoice {
  Candidate candidate;
  std::string why;
};

std::optional<ProfileChoice> choose_by_profile(const TuneResult& result, const DeviceProfile& profile) {
  for (const ProfileEngine& engine : profile.engines) {
    for (const std::string& precision : engine.precisions) {
      const bool int8 = precision == "int8";
      if (!int8 && !parse_precision(precision).ok()) continue;
      const TuneCandidate* found = candidate_for(result, engine, int8);
      if (found == nullptr) continue;
      ProfileChoice choice{found->measurement.candidate, engine.why};
      SessionOptions& options = choice.candidate.options;
      options.threads = std::clamp(profile.cores, 1, kSessionThreadsMax);
      // "cpu" and XNNPACK are an engine's best CPU path, which needs no name.
      options.provider = engine.provider == "cpu" || engine.provider == "xnnpack" ? "" : engine.provider;
      options.precision = int8 || options.provider.empty() ? "f32" : precision;
      return choice;
    }
  }
  return std::nullopt;
}

Result<const DeviceProfile*> profile_of(const ProductTarget& target) {
  auto found = find_profile(shipped_profiles(), target.profile);
  if (!found.ok()) return Error(Code::kUsage, fmt::format("[[target]] {}: {}", target.name, found.error().message()));
  return found;
}

// What can be judged without the device: everything but its speed and memory.
TuneRequest judged_here(TuneRequest request, const DeviceProfile& profile) {
  std::vector<std::string> engines;
  for (const ProfileEngine& e : profile.engines) {
    const std::vector<std::string>& wanted = request.runtimes;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), e.engine) == wanted.end()) continue;
    const std::vector<std::string> known = backend_names();
    const bool again = std::find(engines.begin(), engines.end(), e.engine) != engines.end();
    if (!again && std::find(known.begin(), known.end(), e.engine) != known.end()) engines.push_back(e.engine);
  }
  request.runtimes = engines;
  request.threads = {1};
  request.precisions = {"f32"};
  request.providers.clear();
  request.goal = TuneGoal::kPareto;  // the accuracy of all
  request.finalists_max = 64;
  request.latency_ms_max = 0;
  request.memory_bytes_max = 0;
  request.rounds = 2;
  return request;
}

Result<StepOutcome> tune_by_profile(const Ports& ports, const Product& product, const ProductTarget& target) {
  OREE_TRY_ASSIGN(const DeviceProfile* profile, profile_of(target));
  OREE_TRY_ASSIGN(const ModelNeeds needs, needs_of(product.model));
  if (const Assessment fit = assess(needs, *profile); fit.fit == Fit::kNo)
    return Error(Code::kRefused, fmt::format("{}: {}", profile->title, fit.why));
  const TuneRequest request = judged_here(tune_request(*ports.files, product, target), *profile);
  if (request.runtimes.empty())
    return Error(Code::kUnsupported, fmt::format("{}: it has no engine that a bundle can name", profile->title));
  LocalTarget here(ports);
  OREE_TRY_ASSIGN(const TuneResult result, tune(ports, here, request));
  if (!result.chosen) return Error(Code::kRefused, result.verdict);
  const std::optional<ProfileChoice> choice = choose_by_profile(result, *profile);
  if (!choice) {
    return Error(Code::kRefused,
                 fmt::format("{}: none of its engines takes a file of this product that is accurate enough; give "
                             "[model] variants, or a [quantize] for its dialects",
                             profile->title));
  }
  const std::string path = ShipPaths(product, target).choice;
  const Json json = Json()
                        .set("format", 1)
                        .set("profile", profile->name)
                        .set("candidate", candidate_to_json(choice->candidate))
                        .set("why", choice->why);
  OREE_TRY(ports.files->write_atomic(path, as_bytes(json.dump(2) + "\n")));
  return StepOutcome{fmt::format("{} of {}: unmeasured, by the profile {}; {}", candidate_text(choice->candidate),
                                 path_name(choice->candidate.model), profile->name, choice->why),
                     {path}};
}

Result<Candidate> profile_choice(Files& files, const std::string& path) {
  auto read = [&]() -> Result<Candidate> {
    OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kConfigBytesMax));
    OREE_TRY_ASSIGN(Json json, Json::parse(as_text(bytes)));
    OREE_TRY_ASSIGN(const Json* candidate, json.get_object("candidate"));
    return candidate_from_json(*candidate);
  };
  auto candidate = read();
  return candidate.ok() ? candidate : candidate.error().within(path);
}

}  // namespace

Step tune_step(const Ports& ports, std::shared_ptr<const Product> product, const ProductTarget& target) {
  auto fingerprint = [ports, product, target]() -> Result<std::string> {
    const TuneRequest request = tune_request(*ports.files, *product, target);
    Fingerprint print(*ports.files);
    for (const std::string& model : request.models) OREE_TRY(add_model(print, model));
    print.add_json("recipe", product->recipe ? recipe_to_json(*product->recipe) : Json());
    print.add_path("data", request.data.path);
    print.add_json("request", tune_inputs(request)).add_json("machine", measured_on(ports, target));
    return print.finish();
  };
  auto run = [ports, product, target] {
    return target.profile.empty() ? tune_by_measuring(ports, *product, target)
                                  : tune_by_profile(ports, *product, target);
  };
  return {target.name.empty() ? "tune" : "tune " + target.name, fingerprint, run};
}

Result<Candidate> choice_of(Files& files, const Product& product, const ProductTarget& target) {
  if (!product.tune) return Candidate{product.model, product.manifest.runtime, product.manifest.options};
  const ShipPaths paths(product, target);
  if (!target.profile.empty()) return profile_choice(files, paths.choice);
  OREE_TRY_ASSIGN(TuneChoice choice, read_tune_choice(files, paths.tune_json));
  return choice.candidate;
}

}  // namespace oree::cli
