// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "fleet/server/overview.h"

namespace oree {
namespace {

using Labels = std::vector<std::pair<const char*, std::string>>;

// A label's value: backslash, quote and newline are escaped; bytes that are no UTF-8 do not get here (JSON refused
// them).
std::string escape(const std::string& value) {
  std::string out;
  for (char c : value) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '"')
      out += "\\\"";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

// One metric family: its lines must stand together under one HELP and TYPE.
class Family {
 public:
  Family(std::string name, const char* type, const char* help) : name_(std::move(name)) {
    head_ = fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
  }
  void add(const Labels& labels, double value) {
    lines_ += name_;
    for (size_t i = 0; i < labels.size(); ++i) {
      lines_ += fmt::format("{}{}=\"{}\"", i == 0 ? "{" : ",", labels[i].first, escape(labels[i].second));
    }
    lines_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", value);
  }
  std::string text() const { return lines_.empty() ? "" : head_ + lines_; }

 private:
  std::string name_, head_, lines_;
};

void add_quantiles(Family& family, Labels labels, const ExponentialHistogram& h) {
  if (h.count() == 0) return;
  labels.emplace_back("quantile", "");
  for (auto [name, q] : {std::pair{"0.5", 0.5}, std::pair{"0.95", 0.95}, std::pair{"0.99", 0.99}}) {
    labels.back().second = name;
    family.add(labels, h.quantile(q));
  }
}

std::string device_metrics(const FleetView& view) {
  Family seen("oree_device_last_seen_seconds", "gauge", "Seconds since the device was last heard.");
  Family online("oree_device_online", "gauge", "1 while the device is heard often enough.");
  Family info("oree_device_info", "gauge", "What the device runs; always 1.");
  Family latency("oree_device_latency_ms", "gauge", "Frame to decision over the device's last hour, by quantile.");
  Family rate("oree_device_predictions_per_hour", "gauge", "Predictions an hour over the device's last hour.");
  Family confidence("oree_device_confidence_mean", "gauge", "Mean confidence over the device's last hour.");
  Family drift("oree_device_drift_distance", "gauge", "Wasserstein distance of recent confidences from the reference.");
  Family temperature("oree_device_temperature_celsius", "gauge", "Temperature; absent where the device has no sensor.");
  Family cpu("oree_device_cpu_percent", "gauge", "CPU use of the whole machine.");
  Family memory("oree_device_memory_used_bytes", "gauge", "Memory in use on the machine.");
  Family agent("oree_device_agent_resident_bytes", "gauge", "Resident memory of the agent without the application.");
  for (const DeviceView& d : view.devices) {
    Labels device{{"device", d.device.id}};
    online.add(device, std::string_view(d.state) == "online" ? 1 : 0);
    if (d.device.last_seen_ms)
      seen.add(device, static_cast<double>(std::max<int64_t>(0, view.now_ms - *d.device.last_seen_ms)) / 1000);
    if (d.device.status) {
      info.add({{"device", d.device.id},
                {"device_type", d.device.device_type},
                {"model", d.device.status->model},
                {"version", d.device.status->version}},
               1);
    }
    const DeviceWindow& w = *d.window;
    if (w.temperature_celsius) temperature.add(device, *w.temperature_celsius);
    if (w.cpu_percent) cpu.add(device, *w.cpu_percent);
    if (w.memory_used_bytes) memory.add(device, static_cast<double>(*w.memory_used_bytes));
    if (w.reports > 0) agent.add(device, static_cast<double>(w.agent_rss_bytes));
    if (!d.model) continue;
    Labels model{{"device", d.device.id}, {"model", d.model->model}, {"version", d.model->version}};
    add_quantiles(latency, model, d.model->latency_ms);
    if (auto pace = predictions_per_hour(*d.model)) rate.add(model, *pace);
    if (d.model->confidence.count() > 0) confidence.add(model, d.model->confidence.mean());
    if (d.model->drift.level != DriftLevel::kUnknown) drift.add(model, d.model->drift.distance);
  }
  std::string out;
  for (const Family* f :
       {&seen, &online, &info, &latency, &rate, &confidence, &drift, &temperature, &cpu, &memory, &agent})
    out += f->text();
  return out;
}

std::string model_metrics(const FleetView& view) {
  Family devices("oree_model_devices", "gauge", "Online devices that run this version.");
  Family latency("oree_model_latency_ms", "gauge", "Frame to decision merged over those devices, by quantile.");
  for (const ModelView& m : view.models) {
    Labels labels{{"model", m.model}, {"version", m.version}};
    devices.add(labels, static_cast<double>(m.devices));
    add_quantiles(latency, labels, m.latency_ms);
  }
  return devices.text() + latency.text();
}

std::string server_metrics(Fleet& fleet, const FleetView& view) {
  Family build("oree_build_info", "gauge", "The server's version; always 1.");
  build.add({{"version", OREE_VERSION}}, 1);
  Family devices("oree_devices", "gauge", "Registered devices by state.");
  std::map<std::string, int64_t> states{{"online", 0}, {"offline", 0}, {"never", 0}};
  for (const DeviceView& d : view.devices) ++states[d.state];
  for (const auto& [state, count] : states) devices.add({{"state", state}}, static_cast<double>(count));
  Family alerts("oree_alerts_open", "gauge", "Alerts that are not resolved, by kind.");
  std::map<std::string, int64_t> kinds{{kAlertDrift, 0}, {kAlertUpdate, 0}, {kAlertSilent, 0}, {kAlertTemperature, 0}};
  auto rows = fleet.database.query("SELECT kind, count(*) FROM alerts WHERE state <> 'resolved' GROUP BY kind");
  if (rows.ok()) {
    for (const DbRow& row : *rows) kinds[row.text(0)] = row.integer(1);
    for (const auto& [kind, count] : kinds) alerts.add({{"kind", kind}}, static_cast<double>(count));
  }
  std::string out = build.text() + devices.text() + alerts.text();
  const FleetCounters& c = fleet.counters;
  auto single = [&](const char* name, const char* type, const char* help, int64_t value) {
    Family f(name, type, help);
    f.add({}, static_cast<double>(value));
    out += f.text();
  };
  auto counter = [&](const char* name, const char* help, int64_t value) { single(name, "counter", help, value); };
  single("oree_blobs", "gauge", "Blobs on the server's disk.", fleet.blobs.count());
  single("oree_blob_bytes", "gauge", "Bytes of those blobs.", fleet.blobs.bytes());
  counter("oree_blobs_collected_total", "Blobs deleted because no release names them.",
          fleet.collector.blobs_collected());
  counter("oree_blob_bytes_collected_total", "Bytes of those.", fleet.collector.bytes_collected());
  counter("oree_http_requests_total", "Requests since the server started.", c.requests);
  counter("oree_auth_failures_total", "Requests with a missing or wrong token.", c.auth_failures);
  counter("oree_reports_accepted_total", "Reports stored.", c.reports_accepted);
  counter("oree_reports_repeated_total", "Reports that had been stored before.", c.reports_repeated);
  counter("oree_reports_refused_total", "Reports that were malformed.", c.reports_refused);
  return out;
}

}  // namespace

std::string prometheus_text(Fleet& fleet, const FleetView& view) {
  return server_metrics(fleet, view) + model_metrics(view) + device_metrics(view);
}

}  // namespace oree
