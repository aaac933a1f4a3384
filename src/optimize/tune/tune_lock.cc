// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tune_lock.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "optimize/tune/choose.h"
#include "optimize/tune/search.h"

namespace oree {
namespace {

constexpr int kLockFormat = 1;
constexpr size_t kLockListMax = 256;

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& text : list) json.push(text);
  return json;
}

Json texts(const std::map<std::string, std::string>& map) {
  Json json = Json::object();
  for (const auto& [key, value] : map) json.set(key, value);
  return json;
}

Result<std::vector<std::string>> texts_from(const Json& json, std::string_view key) {
  OREE_TRY_ASSIGN(const Json* list, json.get_array(key));
  if (list->items().size() > kLockListMax) return member_error(key, "is too long");
  std::vector<std::string> out;
  for (const Json& item : list->items()) {
    if (!item.is_string()) return member_error(key, "must hold texts");
    out.push_back(item.as_string());
  }
  return out;
}

Result<std::map<std::string, std::string>> map_from(const Json& json, std::string_view key) {
  OREE_TRY_ASSIGN(const Json* object, json.get_object(key));
  if (object->members().size() > kLockListMax) return member_error(key, "is too long");
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : object->members()) out[name] = value.as_string();
  return out;
}

Json counts(const std::vector<int>& numbers) {
  Json list = Json::array();
  for (int number : numbers) list.push(number);
  return list;
}

Json request_to_json(const TuneRequest& r) {
  Json json = Json::object();
  json.set("models", texts(r.models)).set("made_for", texts(r.made_for)).set("float_models", r.float_models);
  json.set("recipe", r.recipe ? recipe_to_json(*r.recipe) : Json())
      .set("data", r.data.path)
      .set("images", r.data.images);
  json.set("goal", tune_goal_name(r.goal)).set("runtimes", texts(r.runtimes)).set("threads", counts(r.threads));
  json.set("batches", counts(r.batches));
  json.set("precisions", texts(r.precisions)).set("providers", texts(r.providers)).set("metric", r.metric);
  json.set("drop_max", r.drop_max).set("confidence", r.confidence).set("min_agreement", r.min_agreement);
  json.set("score_min", r.score_min).set("iou_min", r.iou_min).set("latency_ms_max", r.latency_ms_max);
  json.set("memory_bytes_max", r.memory_bytes_max).set("size_bytes_max", r.size_bytes_max);
  json.set("watts_max", r.watts_max).set("energy", r.energy).set("meter", r.meter);
  json.set("samples_max", r.samples_max).set("rounds", r.rounds).set("finalists_max", r.finalists_max);
  return json.set("seed", static_cast<int64_t>(r.seed));
}

Result<std::optional<double>> optional_number(const Json& json, std::string_view key) {
  const Json& value = json[key];
  if (value.is_null()) return std::optional<double>();
  if (!value.is_number()) return member_error(key, "must be a number or null");
  return std::optional<double>(value.as_double());
}

Result<TuneRequest> request_from_json(const Json& json) {
  TuneRequest r;
  OREE_TRY_ASSIGN(r.models, texts_from(json, "models"));
  if (r.models.empty()) return member_error("models", "is empty");
  OREE_TRY_ASSIGN(r.made_for, map_from(json, "made_for"));
  OREE_TRY_ASSIGN(const int64_t floats, json.get_int("float_models", 1, static_cast<int64_t>(r.models.size())));
  r.float_models = static_cast<size_t>(floats);
  if (!json["recipe"].is_null()) {
    OREE_TRY_ASSIGN(r.recipe, recipe_from_json(json["recipe"]));
  }
  OREE_TRY_ASSIGN(r.data.path, json.get_string("data"));
  OREE_TRY_ASSIGN(r.data.images, json.get_string("images"));
  OREE_TRY_ASSIGN(const std::string goal, json.get_string("goal"));
  auto known = parse_tune_goal(goal);
  if (!known.ok()) return Error(Code::kInvalid, known.error().message());
  r.goal = *known;
  OREE_TRY_ASSIGN(r.runtimes, texts_from(json, "runtimes"));
  OREE_TRY_ASSIGN(const Json* threads, json.get_array("threads"));
  for (const Json& count : threads->items()) r.threads.push_back(static_cast<int>(count.as_int()));
  if (json.find("batches") != nullptr) {  // not in older ones
    OREE_TRY_ASSIGN(const Json* batches, json.get_array("batches"));
    r.batches.clear();
    for (const Json& count : batches->items()) r.batches.push_back(static_cast<int>(count.as_int()));
  }
  OREE_TRY_ASSIGN(r.precisions, texts_from(json, "precisions"));
  OREE_TRY_ASSIGN(r.providers, texts_from(json, "providers"));
  OREE_TRY_ASSIGN(r.metric, json.get_string("metric"));
  OREE_TRY_ASSIGN(r.drop_max, optional_number(json, "drop_max"));
  OREE_TRY_ASSIGN(r.confidence, json.get_double("confidence"));
  OREE_TRY_ASSIGN(r.min_agreement, optional_number(json, "min_agreement"));
  OREE_TRY_ASSIGN(r.score_min, json.get_double("score_min"));
  OREE_TRY_ASSIGN(r.iou_min, json.get_double("iou_min"));
  OREE_TRY_ASSIGN(r.latency_ms_max, json.get_double("latency_ms_max"));
  OREE_TRY_ASSIGN(r.memory_bytes_max, json.get_int("memory_bytes_max", 0, INT64_MAX));
  OREE_TRY_ASSIGN(r.size_bytes_max, json.get_int("size_bytes_max", 0, INT64_MAX));
  OREE_TRY_ASSIGN(r.watts_max, json.get_double("watts_max"));
  OREE_TRY_ASSIGN(r.energy, json.get_bool("energy"));
  OREE_TRY_ASSIGN(r.meter, json.get_string("meter"));
  OREE_TRY_ASSIGN(r.samples_max, json.get_int32("samples_max", 0, 1'000'000));
  OREE_TRY_ASSIGN(r.rounds, json.get_int32("rounds", 2, 100'000));
  OREE_TRY_ASSIGN(r.finalists_max, json.get_int32("finalists_max", 1, 64));
  OREE_TRY_ASSIGN(const int64_t seed, json.get_int("seed", 0, INT64_MAX));
  r.seed = static_cast<uint64_t>(seed);
  return r;
}

const TuneCandidate* find_candidate(const TuneResult& result, const Candidate& wanted) {
  auto found = std::find_if(result.candidates.begin(), result.candidates.end(),
                            [&](const TuneCandidate& c) { return c.measurement.candidate == wanted; });
  return found == result.candidates.end() ? nullptr : &*found;
}

}  // namespace

Json tune_lock_to_json(const TuneResult& result) {
  const SystemIdentity& m = result.machine;
  Json json = Json::object();
  json.set("format", kLockFormat).set("created", result.created).set("chosen", nullptr);
  if (result.chosen) {
    const Measurement& best = result.candidates[*result.chosen].measurement;
    json.set("chosen", candidate_to_json(best.candidate).set("latency_ms_p50", best.latency.p50));
  }
  json.set("request", request_to_json(result.request)).set("models", texts(result.models));
  json.set("data_digest", result.data_digest).set("target", result.target);
  json.set("machine", Json()
                          .set("architecture", m.architecture)
                          .set("cpu_model", m.cpu_model)
                          .set("cpu_cores", m.cpu_cores)
                          .set("os", m.os));
  return json.set("engines", texts(result.engines));
}

Result<TuneLock> tune_lock_from_json(const Json& json) {
  OREE_TRY_ASSIGN(const int64_t format, json.get_int("format", 0, INT32_MAX));
  if (format != kLockFormat)
    return Error(Code::kUnsupported, fmt::format("a tune.lock of format {}, not {}", format, kLockFormat));
  TuneLock lock;
  OREE_TRY_ASSIGN(const Json* request, json.get_object("request"));
  OREE_TRY_ASSIGN(lock.request, request_from_json(*request));
  OREE_TRY_ASSIGN(lock.models, map_from(json, "models"));
  OREE_TRY_ASSIGN(lock.data_digest, json.get_string("data_digest"));
  OREE_TRY_ASSIGN(lock.target, json.get_string("target"));
  OREE_TRY_ASSIGN(const Json* machine, json.get_object("machine"));
  OREE_TRY_ASSIGN(lock.machine.architecture, machine->get_string("architecture"));
  OREE_TRY_ASSIGN(lock.machine.cpu_model, machine->get_string("cpu_model"));
  OREE_TRY_ASSIGN(lock.machine.cpu_cores, machine->get_int32("cpu_cores", 0, 1 << 16));
  OREE_TRY_ASSIGN(lock.machine.os, machine->get_string("os"));
  OREE_TRY_ASSIGN(lock.engines, map_from(json, "engines"));
  if (json["chosen"].is_null()) return lock;
  OREE_TRY_ASSIGN(lock.latency_ms_p50, json["chosen"].get_double("latency_ms_p50"));
  Json candidate = Json::object();
  for (const auto& [key, value] : json["chosen"].members()) {
    if (key != "latency_ms_p50") candidate.set(key, value);
  }
  OREE_TRY_ASSIGN(lock.chosen, candidate_from_json(candidate));
  return lock;
}

std::string lock_differences(const TuneLock& lock, const TuneResult& now) {
  std::vector<std::string> found;
  auto compare = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was != is)
      found.push_back(
          fmt::format("{} was {}, is {}", what, was.empty() ? "not there" : was, is.empty() ? "not there" : is));
  };
  for (const auto& [path, digest] : lock.models) {
    auto at = now.models.find(path);
    if (at == now.models.end() || at->second != digest) found.push_back(path + " is another file");
  }
  if (lock.data_digest != now.data_digest) found.emplace_back("the data are other ones");
  for (const auto& [name, version] : lock.engines) {
    auto at = now.engines.find(name);
    compare(name, version, at == now.engines.end() ? "" : at->second);
  }
  compare("the target", lock.target, now.target);
  compare("the CPU", lock.machine.cpu_model, now.machine.cpu_model);
  compare("the number of cores", std::to_string(lock.machine.cpu_cores), std::to_string(now.machine.cpu_cores));
  compare("the architecture", lock.machine.architecture, now.machine.architecture);
  return fmt::format("{}", fmt::join(found, "; "));
}

LockVerdict lock_verdict(const TuneLock& lock, const TuneResult& now) {
  if (!lock.chosen || !now.chosen) {
    const bool same = !lock.chosen && !now.chosen;
    return {same, same          ? "again nothing is within the bounds"
                  : lock.chosen ? "now nothing is within the bounds: " + now.verdict
                                : "nothing was within the bounds then; now " + now.verdict};
  }
  const bool many = lock.request.models.size() > 1;
  const std::string then = candidate_text(*lock.chosen, many);
  const Measurement& best = now.candidates[*now.chosen].measurement;
  if (best.candidate == *lock.chosen)
    return {true, fmt::format("the same choice: {}, p50 {} ms, then {} ms", then, ms_text(best.latency.p50),
                              ms_text(lock.latency_ms_p50))};
  const TuneCandidate* old = find_candidate(now, *lock.chosen);
  const std::string instead = fmt::format("{} was chosen then, {} now", then, candidate_text(best.candidate, many));
  if (old == nullptr || old->measurement.refused || !old->final_round) {
    const std::string why = old == nullptr ? "it is no candidate any more" : old->note;
    return {false, instead + (why.empty() ? "" : ": " + why)};
  }
  const RoundRatio r = round_ratio(best.round_p50_ms, old->measurement.round_p50_ms);
  const std::string ratio =
      fmt::format("the former takes {:.3f} times as long ({:.3f} to {:.3f})", r.ratio, r.low, r.high);
  const bool alike = old->within_bounds && r.low < 1 + kTuneTie;
  return {alike, fmt::format("{}; {}{}", instead, ratio, alike ? ", which is no difference that counts" : "")};
}

}  // namespace oree
