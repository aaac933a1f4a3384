// SPDX-License-Identifier: Apache-2.0
#include "monitor/telemetry/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

constexpr int64_t kCountMax = int64_t{1} << 53;
constexpr size_t kModelsMax = 16;

std::optional<double> optional_double(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  return json.as_double();
}

std::optional<int64_t> optional_int(const Json& json) {
  if (!json.is_int()) return std::nullopt;
  return json.as_int();
}

Result<DriftVerdict> verdict_from_json(const Json& json) {
  DriftVerdict out;
  OREE_TRY_ASSIGN(std::string level, json.get_string("level"));
  bool known = false;
  for (DriftLevel l : {DriftLevel::kUnknown, DriftLevel::kNone, DriftLevel::kWarn, DriftLevel::kSevere}) {
    if (level == drift_level_name(l)) {
      out.level = l;
      known = true;
    }
  }
  if (!known)
    return Error(Code::kInvalid, fmt::format("drift level \"{}\" is none of unknown, none, warn, severe", level));
  OREE_TRY_ASSIGN(out.distance, json.get_double("distance"));
  OREE_TRY_ASSIGN(out.samples, json.get_int("samples", 0, kCountMax));
  return out;
}

Json model_to_json(const ModelReport& model) {
  return Json()
      .set("model", model.model)
      .set("version", model.version)
      .set("bundle_digest", model.bundle_digest)
      .set("predictions", model.predictions)
      .set("frames_dropped", model.frames_dropped)
      .set("events", model.events)
      .set("confidence", model.confidence.to_json())
      .set("latency_ms", model.latency_ms.to_json())
      .set("drift", drift_verdict_to_json(model.drift));
}

Result<ModelReport> model_from_json(const Json& json) {
  ModelReport out;
  OREE_TRY_ASSIGN(out.model, json.get_string("model"));
  OREE_TRY_ASSIGN(out.version, json.get_string("version"));
  OREE_TRY_ASSIGN(out.bundle_digest, json.get_string("bundle_digest"));
  for (const std::string& name : {out.model, out.version, out.bundle_digest}) {
    if (name.size() > kNameCharsMax) return Error(Code::kInvalid, "a model name, version or digest is too long");
  }
  OREE_TRY(json.get_ints(
      {{"predictions", &out.predictions}, {"frames_dropped", &out.frames_dropped}, {"events", &out.events}}, 0,
      kCountMax));
  OREE_TRY(read_histograms(json, out.confidence, out.latency_ms));
  OREE_TRY_ASSIGN(const Json* drift, json.get_object("drift"));
  OREE_TRY_ASSIGN(out.drift, verdict_from_json(*drift));
  return out;
}

// A gauge over both stretches: the mean weighted by how long each lasted.
std::optional<double> weighted(std::optional<double> a, int64_t a_ms, std::optional<double> b, int64_t b_ms) {
  if (!a) return b;
  if (!b || a_ms + b_ms <= 0) return a;
  return (*a * static_cast<double>(a_ms) + *b * static_cast<double>(b_ms)) / static_cast<double>(a_ms + b_ms);
}

}  // namespace

Json report_to_json(const Report& report) {
  Json out;
  out.set("boot_id", report.boot_id)
      .set("seq", report.seq)
      .set("start_ms", report.start_ms)
      .set("end_ms", report.end_ms)
      .set("duration_ms", report.duration_ms)
      .set("merged_reports", report.merged_reports)
      .set("cpu_percent", report.cpu_percent)
      .set("memory_used_bytes", report.memory_used_bytes)
      .set("memory_total_bytes", report.memory_total_bytes)
      .set("temperature_celsius", report.temperature_celsius)
      .set("agent_rss_bytes", report.agent_rss_bytes)
      .set("app_rss_bytes", report.app_rss_bytes)
      .set("app_cpu_ms", report.app_cpu_ms)
      .set("app_restarts", report.app_restarts);
  Json models = Json::array();
  for (const auto& model : report.models) models.push(model_to_json(model));
  out.set("models", std::move(models));
  return out;
}

Result<Report> report_from_json(const Json& json) {
  Report out;
  OREE_TRY_ASSIGN(out.boot_id, json.get_string("boot_id"));
  if (out.boot_id.empty() || out.boot_id.size() > kNameCharsMax) {
    return Error(Code::kInvalid,
                 fmt::format("boot_id has {} characters, expected 1 to {}", out.boot_id.size(), kNameCharsMax));
  }
  OREE_TRY_ASSIGN(out.seq, json.get_int("seq", 1, kCountMax));
  OREE_TRY(json.get_ints({{"start_ms", &out.start_ms}, {"end_ms", &out.end_ms}}, -kCountMax, kCountMax));
  OREE_TRY_ASSIGN(out.duration_ms, json.get_int("duration_ms", 0, kCountMax));
  OREE_TRY_ASSIGN(out.merged_reports, json.get_int("merged_reports", 1, kCountMax));
  out.cpu_percent = optional_double(json["cpu_percent"]);
  out.memory_used_bytes = optional_int(json["memory_used_bytes"]);
  out.memory_total_bytes = optional_int(json["memory_total_bytes"]);
  out.temperature_celsius = optional_double(json["temperature_celsius"]);
  OREE_TRY(json.get_ints({{"agent_rss_bytes", &out.agent_rss_bytes},
                          {"app_rss_bytes", &out.app_rss_bytes},
                          {"app_cpu_ms", &out.app_cpu_ms},
                          {"app_restarts", &out.app_restarts}},
                         0, kCountMax));
  OREE_TRY_ASSIGN(const Json* models, json.get_array("models"));
  if (models->items().size() > kModelsMax) {
    return Error(Code::kInvalid,
                 fmt::format("{} models in one report, at most {} are allowed", models->items().size(), kModelsMax));
  }
  for (const Json& item : models->items()) {
    OREE_TRY_ASSIGN(ModelReport model, model_from_json(item));
    out.models.push_back(std::move(model));
  }
  return out;
}

Report merge_reports(const Report& earlier, const Report& later) {
  Report out = later;
  out.start_ms = earlier.start_ms;
  out.duration_ms = earlier.duration_ms + later.duration_ms;
  out.merged_reports = earlier.merged_reports + later.merged_reports;
  out.cpu_percent = weighted(earlier.cpu_percent, earlier.duration_ms, later.cpu_percent, later.duration_ms);
  out.temperature_celsius =
      weighted(earlier.temperature_celsius, earlier.duration_ms, later.temperature_celsius, later.duration_ms);
  if (!out.memory_used_bytes) out.memory_used_bytes = earlier.memory_used_bytes;
  if (!out.memory_total_bytes) out.memory_total_bytes = earlier.memory_total_bytes;
  out.agent_rss_bytes = std::max(earlier.agent_rss_bytes, later.agent_rss_bytes);
  out.app_rss_bytes = std::max(earlier.app_rss_bytes, later.app_rss_bytes);
  out.app_cpu_ms += earlier.app_cpu_ms;
  out.app_restarts += earlier.app_restarts;
  for (const ModelReport& old : earlier.models) {
    auto same = std::find_if(out.models.begin(), out.models.end(), [&](const ModelReport& m) {
      return m.model == old.model && m.bundle_digest == old.bundle_digest;
    });
    if (same == out.models.end()) {
      out.models.push_back(old);
      continue;
    }
    same->predictions += old.predictions;
    same->frames_dropped += old.frames_dropped;
    same->events += old.events;
    same->confidence.merge(old.confidence);
    same->latency_ms.merge(old.latency_ms);
  }
  return out;
}

}  // namespace oree
