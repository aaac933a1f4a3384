// SPDX-License-Identifier: Apache-2.0
#include "monitor/telemetry/report.h"

#include <doctest/doctest.h>

#include "monitor/telemetry/app_protocol.h"

using namespace oree;

namespace {

Report sample(int64_t seq) {
  Report report;
  report.boot_id = "b1";
  report.seq = seq;
  report.start_ms = 1000 * seq;
  report.end_ms = 1000 * seq + 1000;
  report.duration_ms = 1000;
  report.cpu_percent = 10.0 * static_cast<double>(seq);
  report.app_cpu_ms = 5;
  ModelReport model;
  model.model = "person";
  model.version = "1.0";
  model.bundle_digest = "aa";
  model.predictions = 10;
  model.latency_ms.add(static_cast<double>(seq));
  model.confidence.add(0.5);
  report.models.push_back(model);
  return report;
}

}  // namespace

TEST_CASE("a report survives JSON, and what was not measured stays absent") {
  Report report = sample(3);
  report.models[0].drift = {DriftLevel::kWarn, 0.07, 300};
  std::string text = report_to_json(report).dump();
  CHECK(text.find("\"temperature_celsius\":null") != std::string::npos);
  Report back = report_from_json(Json::parse(text).value()).value();
  CHECK(report_to_json(back).dump() == text);
  CHECK_FALSE(back.temperature_celsius.has_value());
  CHECK(back.models[0].drift.level == DriftLevel::kWarn);
}

TEST_CASE("merging two reports adds the counts and weighs the gauges by time") {
  Report a = sample(1);
  Report b = sample(2);
  b.duration_ms = 3000;
  Report merged = merge_reports(a, b);
  CHECK(merged.seq == 2);
  CHECK(merged.start_ms == a.start_ms);
  CHECK(merged.end_ms == b.end_ms);
  CHECK(merged.duration_ms == 4000);
  CHECK(merged.merged_reports == 2);
  CHECK(*merged.cpu_percent == doctest::Approx((10.0 * 1000 + 20.0 * 3000) / 4000));
  CHECK(merged.app_cpu_ms == 10);
  REQUIRE(merged.models.size() == 1);
  CHECK(merged.models[0].predictions == 20);
  CHECK(merged.models[0].latency_ms.count() == 2);
}

TEST_CASE("merging keeps the numbers of two bundles apart") {
  Report a = sample(1);
  Report b = sample(2);
  b.models[0].bundle_digest = "bb";
  CHECK(merge_reports(a, b).models.size() == 2);
}

TEST_CASE("a report with a missing or impossible member is refused by its name") {
  Json good = report_to_json(sample(1));
  for (const char* key : {"boot_id", "seq", "duration_ms", "models", "agent_rss_bytes"}) {
    Json broken = good;
    broken.set(key, Json("x").is_string() && std::string(key) == "boot_id" ? Json(7) : Json("x"));
    auto result = report_from_json(broken);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message().find(key) != std::string::npos);
  }
  Json negative = good;
  negative.set("seq", 0);
  CHECK_FALSE(report_from_json(negative).ok());
}

TEST_CASE("an application's statistics survive JSON") {
  AppStats stats;
  stats.predictions = 30;
  stats.frames_dropped = 2;
  stats.confidence.add(0.61);
  stats.latency_ms.add(12.5);
  Json json = Json::parse(app_stats_to_json(stats).dump()).value();
  CHECK(json["type"].as_string() == "stats");
  AppStats back = app_stats_from_json(json).value();
  CHECK(app_stats_to_json(back) == json);
  CHECK_FALSE(app_stats_from_json(Json::parse(R"({"type":"stats"})").value()).ok());
}
