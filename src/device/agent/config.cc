// SPDX-License-Identifier: Apache-2.0
#include "device/agent/config.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"
#include "core/base/text.h"
#include "core/io/files.h"
#include "core/io/http.h"

namespace oree {
namespace {

// Reads one table key by key, remembers the first thing that is wrong, and at the end refuses keys nobody asked for:
// a misspelt key must not silently mean its default on a device nobody will look at for a year.
class Table {
 public:
  Table(const Json& root, std::string name) : name_(std::move(name)) {
    const Json* found = name_.empty() ? &root : root.find(name_);
    if (found == nullptr) return;
    if (found->is_object())
      table_ = found;
    else
      fail("", "a table");
  }

  void text(const char* key, std::string& out) {
    const Json* value = look(key);
    if (value == nullptr) return;
    if (value->is_string())
      out = value->as_string();
    else
      fail(key, "a text");
  }

  void texts(const char* key, std::vector<std::string>& out) {
    const Json* value = look(key);
    if (value == nullptr) return;
    bool good = value->is_array() && value->items().size() <= 64;
    std::vector<std::string> items;
    for (const Json& item : value->items()) {
      good = good && item.is_string() && !item.as_string().empty();
      items.push_back(item.as_string());
    }
    if (good)
      out = std::move(items);
    else
      fail(key, "a list of at most 64 texts");
  }

  void flag(const char* key, bool& out) {
    const Json* value = look(key);
    if (value == nullptr) return;
    if (value->is_bool())
      out = value->as_bool();
    else
      fail(key, "true or false");
  }

  template <typename T>
  void integer(const char* key, T& out, int64_t min, int64_t max) {
    const Json* value = look(key);
    if (value == nullptr) return;
    if (value->is_int() && value->as_int() >= min && value->as_int() <= max)
      out = static_cast<T>(value->as_int());
    else
      fail(key, fmt::format("a whole number from {} to {}", min, max));
  }

  void number(const char* key, double& out, double min, double max) {
    const Json* value = look(key);
    if (value == nullptr) return;
    if (value->is_number() && value->as_double() >= min && value->as_double() <= max)
      out = value->as_double();
    else
      fail(key, fmt::format("a number from {} to {}", min, max));
  }

  // Seconds in the file, possibly fractional; milliseconds in the structure.
  void seconds(const char* key, int64_t& out_ms, double min, double max) {
    double value = static_cast<double>(out_ms) / 1000;
    number(key, value, min, max);
    out_ms = std::llround(value * 1000);
  }

  Status finish() const {
    if (!problem_.empty()) return Error(Code::kUsage, problem_);
    for (const auto& [key, value] : table_->members()) {
      if (!asked_.count(key)) return Error(Code::kUsage, fmt::format("agent configuration: unknown key {}", full(key)));
    }
    return {};
  }

 private:
  std::string full(const std::string& key) const {
    return name_.empty() ? key : key.empty() ? "[" + name_ + "]" : name_ + "." + key;
  }
  const Json* look(const char* key) {
    asked_.insert(key);
    return table_->find(key);
  }
  void fail(const char* key, const std::string& expected) {
    if (problem_.empty()) problem_ = fmt::format("agent configuration: {} must be {}", full(key), expected);
  }

  std::string name_;
  Json nothing_ = Json::object();
  const Json* table_ = &nothing_;
  std::set<std::string> asked_;
  std::string problem_;
};

constexpr double kDay = 86'400;

Status read_server(const Json& json, AgentConfig& c) {
  Table t(json, "server");
  t.text("url", c.server_url);
  t.text("token_file", c.token_file);
  t.text("token_env", c.token_env);
  t.text("ca_file", c.ca_file);
  t.seconds("poll_seconds", c.poll_ms, 0.1, kDay);
  t.seconds("poll_backoff_seconds_max", c.poll_backoff_ms_max, 0.1, 7 * kDay);
  return t.finish();
}

Status read_model(const Json& json, AgentConfig& c) {
  Table device(json, "device");
  device.text("id", c.device_id);
  device.text("type", c.device_type);
  OREE_TRY(device.finish());
  Table t(json, "model");
  t.text("name", c.model);
  t.texts("trusted_keys", c.trusted_keys);
  t.integer("threshold", c.threshold, 1, 64);
  t.flag("allow_downgrade", c.allow_downgrade);
  return t.finish();
}

Status read_app(const Json& json, AgentConfig& c) {
  Table t(json, "app");
  std::string restart = "on-failure";
  t.texts("command", c.app_command);
  t.text("restart", restart);
  t.seconds("start_timeout_seconds", c.app_start_timeout_ms, 0.1, 3600);
  t.seconds("heartbeat_timeout_seconds", c.app_heartbeat_timeout_ms, 0.1, 3600);
  t.seconds("stop_timeout_seconds", c.app_stop_timeout_ms, 0.1, 600);
  t.seconds("backoff_seconds", c.app_backoff_ms, 0.01, 3600);
  t.seconds("backoff_seconds_max", c.app_backoff_ms_max, 0.01, kDay);
  OREE_TRY(t.finish());
  if (restart != "always" && restart != "on-failure") {
    return Error(
        Code::kUsage,
        fmt::format("agent configuration: app.restart must be \"always\" or \"on-failure\", not \"{}\"", restart));
  }
  c.app_restart_always = restart == "always";
  Table p(json, "probation");
  p.seconds("prove_timeout_seconds", c.prove_timeout_ms, 0.1, kDay);
  p.integer("crashes_max", c.probation_crashes_max, 0, 1000);
  p.integer("starts_max", c.probation_starts_max, 1, 1000);
  p.number("latency_factor", c.probation_latency_factor, 0, 1e6);
  return p.finish();
}

Status read_watching(const Json& json, AgentConfig& c) {
  Table t(json, "telemetry");
  t.seconds("interval_seconds", c.telemetry_ms, 0.1, kDay);
  t.seconds("checkpoint_seconds", c.checkpoint_ms, 0, kDay);
  t.integer("spool_bytes_max", c.spool_bytes_max, kTelemetryReportBytesMax, int64_t{1} << 30);
  OREE_TRY(t.finish());
  Table d(json, "drift");
  d.seconds("window_seconds", c.drift_window_ms, 0.1, 7 * kDay);
  d.integer("windows", c.drift_windows, 1, 1000);
  OREE_TRY(d.finish());
  Table l(json, "limits");
  l.integer("download_bytes_max", c.download_bytes_max, 1024, kBundleBytesMax);
  l.integer("reserve_bytes", c.reserve_bytes, 0, int64_t{1} << 50);
  l.integer("bandwidth_bytes_per_second", c.bandwidth_bytes_per_s, 0, int64_t{1} << 40);
  return l.finish();
}

Status read_host(const Json& json, AgentConfig& c) {
  Table t(json, "host");
  t.flag("governor", c.host.governor);
  t.integer("nice_least", c.host.nice_least, kNiceMin, 0);
  return t.finish();
}

Status read_measure(const Json& json, AgentConfig& c) {
  if (json.find("measure") == nullptr) return {};
  MeasureConfig& m = c.measure.emplace();
  MeasureOptions& o = m.options;
  Table t(json, "measure");
  t.text("listen", o.listen);
  t.text("token_file", o.token_file);
  t.text("certificate_file", o.certificate_file);
  t.text("key_file", o.key_file);
  t.flag("plain_http", o.plain_http);
  t.text("power_meter", o.power_meter);
  t.flag("pause_app", m.pause_app);
  t.integer("disk_bytes_max", o.disk_bytes_max, 1 << 20, int64_t{1} << 50);
  t.integer("memory_bytes_max", o.memory_bytes_max, 0, int64_t{1} << 50);
  t.seconds("job_seconds_max", o.job_ms_max, 1, kMeasureJobMsMax / 1000.0);
  t.seconds("lease_seconds", o.lease_ms, kMeasureLeaseMsMin / 1000.0, kMeasureLeaseMsMax / 1000.0);
  return t.finish();
}

void anchor(std::string& path, const std::string& folder) {
  if (!path.empty() && path.front() != '/') path = path_join(folder, path);
}

Status check(AgentConfig& c) {
  auto missing = [](const char* key) {
    return Error(Code::kUsage, fmt::format("agent configuration: {} is missing", key));
  };
  if (c.data.empty()) return missing("data");
  if (c.server_url.empty()) return missing("server.url");
  if (c.trusted_keys.empty()) return missing("model.trusted_keys");
  while (c.server_url.ends_with('/')) c.server_url.pop_back();
  auto url = parse_url(c.server_url);
  if (!url.ok()) return Error(Code::kUsage, "agent configuration: server.url: " + url.error().message());
  if (auto s = check_name(c.device_id, "device.id"); !s.ok()) return Error(Code::kUsage, s.error().message());
  if (auto s = check_name(c.device_type, "device.type"); !s.ok()) return Error(Code::kUsage, s.error().message());
  if (auto s = check_name(c.model, "model.name"); !s.ok()) return Error(Code::kUsage, s.error().message());
  if (c.threshold > static_cast<int>(c.trusted_keys.size())) {
    return Error(Code::kUsage, fmt::format("agent configuration: model.threshold is {} but only {} keys are trusted",
                                           c.threshold, c.trusted_keys.size()));
  }
  return {};
}

}  // namespace

Result<AgentConfig> agent_config_from_json(const Json& json, const std::string& folder) {
  if (!json.is_object()) return Error(Code::kUsage, "agent configuration: a table is expected");
  static constexpr const char* kTables[] = {"server",    "device", "model",  "app",  "probation",
                                            "telemetry", "drift",  "limits", "host", "measure"};
  AgentConfig config;
  Json top = Json::object();  // without the tables, which are checked one by one
  for (const auto& [key, value] : json.members()) {
    bool table = false;
    for (const char* name : kTables) table = table || key == name;
    if (!table) top.set(key, value);
  }
  Table t(top, "");
  t.text("data", config.data);
  OREE_TRY(t.finish());
  OREE_TRY(read_server(json, config));
  OREE_TRY(read_model(json, config));
  OREE_TRY(read_app(json, config));
  OREE_TRY(read_watching(json, config));
  OREE_TRY(read_host(json, config));
  OREE_TRY(read_measure(json, config));
  OREE_TRY(check(config));
  anchor(config.data, folder);
  anchor(config.token_file, folder);
  anchor(config.ca_file, folder);
  for (std::string& key : config.trusted_keys) anchor(key, folder);
  if (config.measure) {
    MeasureOptions& measure = config.measure->options;
    for (std::string* file : {&measure.token_file, &measure.certificate_file, &measure.key_file}) anchor(*file, folder);
    measure.data = path_join(config.data, "measure");
    measure.name = config.device_id;
    measure.reserve_bytes = config.reserve_bytes;
    if (Status s = check_measure_options(measure); !s.ok())
      return Error(Code::kUsage, "agent configuration: [measure]: " + s.error().message());
  }
  if (!config.app_command.empty() && config.app_command[0].find('/') != std::string::npos)
    anchor(config.app_command[0], folder);
  return config;
}

}  // namespace oree
