// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/camera_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/codec/json.h"
#include "core/io/http.h"

namespace oree {
namespace {

constexpr size_t kZonesMax = 64, kCornersMax = 256, kClassesMax = 1024, kHeadersMax = 32;

Error wrong(const std::string& key, const std::string& why) {
  return Error(Code::kUsage, fmt::format("camera.toml: {} {}", key, why));
}

// A table of the file. Every key must be asked for before finish().
class Table {
 public:
  static Result<Table> open(const Json& json, std::string path) {
    if (!json.is_object()) return wrong(path, "must be a table");
    return Table(&json, std::move(path));
  }
  const Json* find(const char* key) {
    known_.push_back(key);
    return json_->find(key);
  }
  std::string name(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }

  Status text(const char* key, std::string& out) {
    const Json* v = find(key);
    if (v == nullptr) return {};
    if (!v->is_string()) return wrong(name(key), "must be a text");
    out = v->as_string();
    return {};
  }
  Status boolean(const char* key, bool& out) {
    const Json* v = find(key);
    if (v == nullptr) return {};
    if (!v->is_bool()) return wrong(name(key), "must be true or false");
    out = v->as_bool();
    return {};
  }
  Status number(const char* key, double& out, double min, double max) {
    const Json* v = find(key);
    if (v == nullptr) return {};
    double number = v->as_double();
    if (!v->is_number() || !(number >= min && number <= max))
      return wrong(name(key), fmt::format("must be a number within {} and {}", min, max));
    out = number;
    return {};
  }
  template <typename Int>
  Status integer(const char* key, Int& out, int64_t min, int64_t max) {
    const Json* v = find(key);
    if (v == nullptr) return {};
    if (!v->is_int() || v->as_int() < min || v->as_int() > max)
      return wrong(name(key), fmt::format("must be a whole number within {} and {}", min, max));
    out = static_cast<Int>(v->as_int());
    return {};
  }
  Status texts(const char* key, std::vector<std::string>& out, size_t count_max) {
    const Json* v = find(key);
    if (v == nullptr) return {};
    if (!v->is_array() || v->items().size() > count_max)
      return wrong(name(key), fmt::format("must be an array of at most {} texts", count_max));
    for (const Json& item : v->items()) {
      if (!item.is_string()) return wrong(name(key), "must hold only texts");
      out.push_back(item.as_string());
    }
    return {};
  }
  Status finish() const {
    for (const auto& [key, value] : json_->members()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) return wrong(name(key), "is not a known key");
    }
    return {};
  }

 private:
  Table(const Json* json, std::string path) : json_(json), path_(std::move(path)) {}
  const Json* json_;
  std::string path_;
  std::vector<std::string> known_;
};

Status read_source(Table t, SourceConfig& c) {
  OREE_TRY(t.text("uri", c.uri));
  OREE_TRY(t.boolean("loop", c.loop));
  OREE_TRY(t.boolean("every_frame", c.every_frame));
  OREE_TRY(t.number("start_s", c.start_s, 0, 1e7));
  OREE_TRY(t.number("stop_s", c.stop_s, 0, 1e7));
  if (c.stop_s > 0 && c.stop_s <= c.start_s) return wrong("source.stop_s", "must be after source.start_s");
  return t.finish();
}

Result<Zone> read_zone(const Json& json, const std::string& path) {
  OREE_TRY_ASSIGN(Table t, Table::open(json, path));
  Zone zone;
  OREE_TRY(t.text("name", zone.name));
  OREE_TRY(t.texts("classes", zone.classes, kClassesMax));
  const Json* polygon = t.find("polygon");
  OREE_TRY(t.finish());
  if (zone.name.empty() || zone.name.size() > 128) return wrong(path + ".name", "must be 1 to 128 characters");
  if (polygon == nullptr || !polygon->is_array() || polygon->items().size() < 3 ||
      polygon->items().size() > kCornersMax) {
    return wrong(path + ".polygon", fmt::format("must be an array of 3 to {} points", kCornersMax));
  }
  for (const Json& corner : polygon->items()) {
    auto inside = [](const Json& v) { return v.is_number() && v.as_double() >= 0 && v.as_double() <= 1; };
    const auto& xy = corner.items();
    if (xy.size() != 2 || !inside(xy[0]) || !inside(xy[1])) {
      return wrong(path + ".polygon",
                   "must hold points [x, y] with both within 0 and 1, of the picture's width and height");
    }
    zone.polygon.push_back({xy[0].as_double(), xy[1].as_double()});
  }
  return zone;
}

Status read_alarm(Table t, AlarmConfig& c) {
  OREE_TRY(t.texts("classes", c.classes, kClassesMax));
  OREE_TRY(t.number("threshold", c.threshold, 0, 1));
  if (const Json* thresholds = t.find("thresholds")) {
    OREE_TRY_ASSIGN(Table by_class, Table::open(*thresholds, "alarm.thresholds"));
    for (const auto& [label, value] : thresholds->members()) {
      double threshold = 0;
      OREE_TRY(by_class.number(label.c_str(), threshold, 0, 1));
      c.thresholds[label] = threshold;
    }
  }
  if (const Json* zones = t.find("zones")) {
    if (!zones->is_array() || zones->items().size() > kZonesMax)
      return wrong("alarm.zones", fmt::format("must be at most {} tables", kZonesMax));
    for (const Json& zone : zones->items()) {
      OREE_TRY_ASSIGN(Zone read, read_zone(zone, fmt::format("alarm.zones[{}]", c.zones.size())));
      c.zones.push_back(std::move(read));
    }
  }
  return t.finish();
}

Status read_track(Table t, TrackerRules& c) {
  OREE_TRY(t.number("score_new", c.score_new, 0, 1));
  OREE_TRY(t.number("iou_min", c.iou_min, 0.01, 0.9));
  OREE_TRY(t.integer("hits_confirm", c.hits_confirm, 1, 1000));
  OREE_TRY(t.integer("lost_ms", c.lost_ms, 0, 3'600'000));
  OREE_TRY(t.integer("refind_ms", c.refind_ms, 0, 3'600'000));
  OREE_TRY(t.integer("refind_still_ms", c.refind_still_ms, 0, 3'600'000));
  OREE_TRY(t.integer("sample_ms", c.sample_ms, 1, 86'400'000));
  OREE_TRY(t.boolean("sample_empty", c.sample_empty));
  OREE_TRY(t.integer("tracks_max", c.tracks_max, 1, 100'000));
  return t.finish();
}

Status read_store(Table t, StoreConfig& c) {
  OREE_TRY(t.text("folder", c.folder));
  OREE_TRY(t.integer("events_max", c.events_max, 1, 10'000'000));
  OREE_TRY(t.integer("snapshots_max", c.snapshots_max, 0, 10'000'000));
  OREE_TRY(t.integer("snapshot_bytes_max", c.snapshot_bytes_max, 0, int64_t{1} << 50));
  OREE_TRY(t.integer("snapshot_quality", c.snapshot_quality, 0, 100));
  if (c.folder.empty()) return wrong("store.folder", "must not be empty");
  return t.finish();
}

Status read_webhook(Table t, WebhookConfig& c) {
  OREE_TRY(t.text("url", c.url));
  OREE_TRY(t.integer("pending_max", c.pending_max, 1, 1'000'000));
  if (const Json* headers = t.find("headers")) {
    if (!headers->is_object() || headers->members().size() > kHeadersMax)
      return wrong("webhook.headers", fmt::format("must be a table of at most {} texts", kHeadersMax));
    for (const auto& [key, value] : headers->members()) {
      // A line break would start another header.
      bool clean = value.is_string() && key.find_first_of("\r\n: ") == std::string::npos &&
                   value.as_string().find_first_of("\r\n") == std::string::npos;
      if (!clean) return wrong("webhook.headers." + key, "must be one line of text");
      c.headers[key] = value.as_string();
    }
  }
  OREE_TRY(t.finish());
  if (c.url.empty()) return {};
  auto url = parse_url(c.url);
  return url.ok() ? Status() : Status(wrong("webhook.url", url.error().message()));
}

}  // namespace

Result<CameraConfig> parse_camera_config(std::string_view toml) {
  auto parsed = parse_toml(toml);
  if (!parsed.ok()) return Error(Code::kUsage, "camera.toml: " + parsed.error().message());
  OREE_TRY_ASSIGN(Table top, Table::open(*parsed, ""));
  CameraConfig config;
  auto section = [&](const char* name, auto read, auto& into) -> Status {
    const Json* json = top.find(name);
    if (json == nullptr) return {};
    OREE_TRY_ASSIGN(Table table, Table::open(*json, name));
    return read(std::move(table), into);
  };
  OREE_TRY(section("source", read_source, config.source));
  OREE_TRY(section("alarm", read_alarm, config.alarm));
  OREE_TRY(section("track", read_track, config.track));
  OREE_TRY(section("store", read_store, config.store));
  OREE_TRY(section("webhook", read_webhook, config.webhook));
  OREE_TRY(top.finish());
  return config;
}

}  // namespace oree
