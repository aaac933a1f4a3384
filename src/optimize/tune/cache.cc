// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/cache.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/base/limits.h"
#include "core/digest/fingerprint.h"

namespace oree {
namespace {

constexpr int kCacheFormat = 2;
constexpr size_t kFiguresMax = 1 << 20;

Json figures(const std::vector<double>& values) {
  Json list = Json::array();
  for (double value : values) list.push(value);
  return list;
}

Result<std::vector<double>> figures_from(const Json& json, std::string_view key) {
  OREE_TRY_ASSIGN(const Json* list, json.get_array(key));
  if (list->items().size() > kFiguresMax) return member_error(key, "is too long");
  std::vector<double> values;
  for (const Json& value : list->items()) {
    if (!value.is_number()) return member_error(key, "must hold numbers");
    values.push_back(value.as_double());
  }
  return values;
}

// Infinite ratios (equal outputs) are written as null.
double ratio(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::infinity() : value.as_double();
}

}  // namespace

std::string TuneCache::path_of(const Json& key) const {
  Fingerprint print(files_);
  auto name = print.add_json("tune", key).finish();
  OREE_ASSERT(name.ok());  // no path was added, so nothing can fail
  return path_join(path_join(folder_, name->substr(0, 2)), *name + ".json");
}

std::optional<Json> TuneCache::find(const Json& key) const {
  if (folder_.empty()) return std::nullopt;
  auto bytes = files_.read(path_of(key), kJsonBytesMax);
  if (!bytes.ok()) return std::nullopt;
  auto json = Json::parse(as_text(*bytes));
  // The key stands in the record, for people who wonder what a file is.
  if (!json.ok() || (*json)["format"].as_int() != kCacheFormat || !((*json)["key"] == key)) return std::nullopt;
  return (*json)["record"];
}

void TuneCache::put(const Json& key, const Json& record) const {
  if (folder_.empty()) return;
  const std::string path = path_of(key);
  const Json json = Json().set("format", kCacheFormat).set("key", key).set("record", record);
  // Not atomically, which costs a sync: half a record is no record.
  if (!files_.make_dirs(path_parent(path)).ok()) return;
  if (auto file = files_.create(path); file.ok()) (void)(*file)->write(as_bytes(json.dump() + "\n"));
}

Json measurement_record(const Measurement& m) {
  Json facts = Json::object();
  for (const auto& [key, value] : m.facts) facts.set(key, value);
  Json json = Json::object();
  json.set("candidate", candidate_to_json(m.candidate)).set("facts", facts).set("engine_version", m.engine_version);
  json.set("load_ms", m.load_ms).set("latency_ms", figures(m.latency_ms)).set("rounds", figures(m.round_p50_ms));
  json.set("rss_bytes_peak", m.rss_bytes_peak).set("rss_bytes_baseline", m.rss_bytes_baseline);
  return json.set("idle_cpu_percent", m.idle_cpu_percent);
}

Result<Measurement> measurement_from_record(const Json& json) {
  Measurement m;
  OREE_TRY_ASSIGN(const Json* candidate, json.get_object("candidate"));
  OREE_TRY_ASSIGN(m.candidate, candidate_from_json(*candidate));
  for (const auto& [key, value] : json["facts"].members()) m.facts[key] = value.as_string();
  OREE_TRY_ASSIGN(m.engine_version, json.get_string("engine_version"));
  OREE_TRY_ASSIGN(m.load_ms, json.get_double("load_ms"));
  OREE_TRY_ASSIGN(m.latency_ms, figures_from(json, "latency_ms"));
  OREE_TRY_ASSIGN(m.round_p50_ms, figures_from(json, "rounds"));
  OREE_TRY_ASSIGN(m.rss_bytes_peak, json.get_int("rss_bytes_peak", 0, INT64_MAX));
  OREE_TRY_ASSIGN(m.rss_bytes_baseline, json.get_int("rss_bytes_baseline", 0, INT64_MAX));
  OREE_TRY_ASSIGN(m.idle_cpu_percent, json.get_double("idle_cpu_percent"));
  if (m.latency_ms.empty()) return member_error("latency_ms", "is empty");
  m.latency = summarize_latency(m.latency_ms);
  if (m.latency.mean > 0) m.throughput = 1000 / m.latency.mean;
  return m;
}

Json answers_record(const TuneAnswers& answers) {
  Json counts = Json::array();
  for (const F1& c : answers.counts) counts.push(c.true_positives).push(c.false_positives).push(c.false_negatives);
  return Json()
      .set("agreement", agreement_to_json(answers.agreement))
      .set("counts", counts)
      .set("complete", answers.complete)
      .set("lost", answers.lost);
}

Result<TuneAnswers> answers_from_record(const Json& json) {
  TuneAnswers answers;
  OREE_TRY_ASSIGN(const Json* agreement, json.get_object("agreement"));
  Agreement& a = answers.agreement;
  OREE_TRY_ASSIGN(a.metric, agreement->get_string("metric"));
  a.value = ratio((*agreement)["value"]);
  a.low = ratio((*agreement)["low"]);
  a.high = ratio((*agreement)["high"]);
  OREE_TRY_ASSIGN(a.samples, agreement->get_int("samples", 1, INT64_MAX));
  a.objects = (*agreement)["objects"].as_int();
  a.sqnr_db = ratio((*agreement)["sqnr_db"]);
  a.cosine = ratio((*agreement)["cosine"]);
  a.max_abs_error = ratio((*agreement)["max_abs_error"]);
  a.max_relative_error = ratio((*agreement)["max_relative_error"]);
  OREE_TRY_ASSIGN(answers.complete, json.get_bool("complete"));
  OREE_TRY_ASSIGN(answers.lost, json.get_bool("lost"));
  OREE_TRY_ASSIGN(const std::vector<double> counts, figures_from(json, "counts"));
  if (counts.size() % 3 != 0) return member_error("counts", "must hold three numbers a sample");
  for (size_t i = 0; i < counts.size(); i += 3) {
    answers.counts.push_back(
        {static_cast<int64_t>(counts[i]), static_cast<int64_t>(counts[i + 1]), static_cast<int64_t>(counts[i + 2])});
  }
  return answers;
}

std::string default_tune_cache() {
  for (auto [name, below] : {std::pair("OREE_CACHE_DIR", "tune"), std::pair("XDG_CACHE_HOME", "oree/tune"),
                             std::pair("HOME", ".cache/oree/tune")}) {
    const char* folder = std::getenv(name);
    if (folder != nullptr && *folder != '\0') return path_join(folder, below);
  }
  return "";
}

}  // namespace oree
