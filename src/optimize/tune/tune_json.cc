// SPDX-License-Identifier: Apache-2.0
#include "core/base/limits.h"
#include "optimize/tune/tune.h"

namespace oree {
namespace {

constexpr int kTuneFormat = 1;

Json candidate_record(const TuneCandidate& c) {
  Json json = measurement_to_json(c.measurement);
  if (c.agreement) json.set("agreement", agreement_to_json(*c.agreement));
  if (c.accuracy) json.set("accuracy", paired_to_json(*c.accuracy));
  json.set("measured", c.measurement.latency.count == 0 ? "no" : c.final_round ? "final" : "screening");
  if (c.drift_free_ms) json.set("drift_free_ms", *c.drift_free_ms);
  if (c.energy) json.set("energy", c.energy->to_json());
  json.set("size_bytes", c.size_bytes)
      .set("as_float", c.as_float)
      .set("glimpsed", c.glimpsed)
      .set("skipped", c.skipped);
  json.set("remembered", c.remembered).set("engine_default", c.engine_default);
  return json.set("within_bounds", c.within_bounds).set("pareto", c.pareto).set("note", c.note);
}

}  // namespace

Json tune_to_json(const TuneResult& result) {
  const TuneRequest& request = result.request;
  Json json = Json::object();
  json.set("format", kTuneFormat).set("created", result.created).set("verdict", result.verdict);
  json.set("chosen", nullptr);
  if (result.chosen) {
    const TuneCandidate& best = result.candidates[*result.chosen];
    Json chosen = candidate_to_json(best.measurement.candidate);
    chosen.set("latency_ms_p50", best.p50()).set("latency_ms_p95", best.measurement.latency.p95);
    chosen.set("rss_bytes_peak", best.measurement.rss_bytes_peak);
    json.set("chosen", chosen.set("metric", result.metric).set("agreement", best.agreement->value));
  }
  json.set("reference", candidate_to_json(result.reference));
  Json bounds = Json::object();
  // Labels without a recipe are classes; of boxes the recipe says so.
  const bool classes = result.request.drop_max && result.labelled && result.metric != "f1";
  bounds.set("metric", classes ? "top1" : result.metric);
  if (request.drop_max) {
    bounds.set("drop_max", *request.drop_max).set("confidence", request.confidence);
  } else {
    bounds.set("min_agreement", result.min_agreement);
  }
  bounds.set("latency_ms_max", request.latency_ms_max).set("memory_bytes_max", request.memory_bytes_max);
  json.set("goal", tune_goal_name(request.goal))
      .set("bounds", bounds.set("size_bytes_max", request.size_bytes_max).set("watts_max", request.watts_max));
  Json data = Json::object();
  data.set("path", request.data.path).set("samples", result.samples).set("labelled", result.labelled);
  data.set("text", result.data_text).set("digest", result.data_digest);
  Json bad = Json::array();
  for (const std::string& name : result.refused_samples) bad.push(name);
  json.set("data", data.set("refused", bad));
  Json method = Json::object();
  method.set("seed", static_cast<int64_t>(request.seed))
      .set("rounds", request.rounds)
      .set("samples_max", request.samples_max);
  method.set("finalists_max", request.finalists_max)
      .set("score_min", request.score_min)
      .set("iou_min", request.iou_min);
  json.set("method", method);
  const TuneCost& cost = result.cost;
  json.set("cost", Json()
                       .set("seconds", cost.seconds())
                       .set("reference_seconds", cost.reference_seconds)
                       .set("screening_seconds", cost.screening_seconds)
                       .set("accuracy_seconds", cost.accuracy_seconds)
                       .set("final_seconds", cost.final_seconds)
                       .set("energy_seconds", cost.energy_seconds)
                       .set("opened", cost.opened)
                       .set("judged", cost.judged)
                       .set("remembered", cost.remembered));
  json.set("thermal", result.thermal.to_json()
                          .set("drift_slowest", result.drift_slowest)
                          .set("drift_slow_share", result.drift_slow_share));
  const SystemIdentity& m = result.machine;
  Json engines = Json::object();
  for (const auto& [name, version] : result.engines) engines.set(name, version);
  json.set("target", result.target);
  json.set("machine", Json()
                          .set("architecture", m.architecture)
                          .set("cpu_model", m.cpu_model)
                          .set("cpu_cores", m.cpu_cores)
                          .set("memory_total_bytes", m.memory_total_bytes)
                          .set("os", m.os)
                          .set("load_1min", result.load_1min)
                          .set("engines", engines));
  Json candidates = Json::array();
  for (const TuneCandidate& candidate : result.candidates) candidates.push(candidate_record(candidate));
  return json.set("candidates", candidates);
}

Result<TuneChoice> read_tune_choice(Files& files, const std::string& path) {
  auto parse = [&]() -> Result<TuneChoice> {
    OREE_TRY_ASSIGN(Bytes file, files.read(path, kJsonBytesMax));
    OREE_TRY_ASSIGN(Json json, Json::parse(as_text(file)));
    OREE_TRY_ASSIGN(int64_t format, json.get_int("format", 0, INT32_MAX));
    if (format != kTuneFormat)
      return Error(Code::kUnsupported, "a tune report of another format: " + std::to_string(format));
    if (json.find("chosen") != nullptr && json["chosen"].is_null())
      return Error(Code::kRefused, json["verdict"].as_string());
    OREE_TRY_ASSIGN(const Json* chosen, json.get_object("chosen"));
    Json candidate = Json::object();
    for (const char* key : {"model", "runtime", "threads", "provider", "precision", "cpus", "batch"}) {
      if (const Json* value = chosen->find(key)) candidate.set(key, *value);
    }
    TuneChoice choice;
    OREE_TRY_ASSIGN(choice.candidate, candidate_from_json(candidate));
    OREE_TRY_ASSIGN(choice.latency_ms_p50, chosen->get_double("latency_ms_p50"));
    OREE_TRY_ASSIGN(choice.latency_ms_p95, chosen->get_double("latency_ms_p95"));
    OREE_TRY_ASSIGN(choice.rss_bytes_peak, chosen->get_int("rss_bytes_peak", 0, INT64_MAX));
    OREE_TRY_ASSIGN(choice.metric, chosen->get_string("metric"));
    // An infinite ratio (equal outputs, sqnr) is written as null.
    choice.agreement = (*chosen)["agreement"].as_double();
    return choice;
  };
  auto choice = parse();
  return choice.ok() ? std::move(choice) : choice.error().within(path);
}

}  // namespace oree
