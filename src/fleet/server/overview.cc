// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/overview.h"

#include <algorithm>
#include <map>

namespace oree {
namespace {

const ModelWindow* running_model(const Device& device, const DeviceWindow& window) {
  if (device.status) {
    if (const ModelWindow* found = window.find(device.status->model, device.status->version)) return found;
  }
  return window.models.empty() ? nullptr : &window.models.front();
}

}  // namespace

std::optional<double> predictions_per_hour(const ModelWindow& window) {
  if (window.duration_ms <= 0) return std::nullopt;
  return static_cast<double>(window.predictions) * 3'600'000.0 / static_cast<double>(window.duration_ms);
}

Result<FleetView> fleet_view(Fleet& fleet, int64_t devices_max) {
  FleetView view;
  view.now_ms = fleet.clock.wall_ms();
  std::map<std::string, int64_t> alerts;
  Status done =
      fleet.database.each("SELECT device_id, count(*) FROM alerts WHERE state <> 'resolved' GROUP BY device_id", {},
                          [&](const DbRow& row) -> Status {
                            alerts[row.text(0)] = row.integer(1);
                            return {};
                          });
  OREE_TRY(done);
  OREE_TRY_ASSIGN(auto devices, fleet.devices.list("", devices_max + 1));
  view.truncated = devices.size() > static_cast<size_t>(devices_max);
  if (view.truncated) devices.pop_back();
  std::map<std::pair<std::string, std::string>, ModelView> models;
  for (Device& device : devices) {
    DeviceView shown;
    shown.device = std::move(device);
    if (shown.device.last_seen_ms) shown.state = fleet.is_silent(shown.device, view.now_ms) ? "offline" : "online";
    OREE_TRY_ASSIGN(shown.window, fleet.reports.window(shown.device.id));
    shown.model = running_model(shown.device, *shown.window);
    if (auto found = alerts.find(shown.device.id); found != alerts.end()) shown.alerts_live = found->second;
    if (shown.model && std::string_view(shown.state) == "online") {
      ModelView& m = models[{shown.model->model, shown.model->version}];
      ++m.devices;
      m.confidence.merge(shown.model->confidence);
      m.latency_ms.merge(shown.model->latency_ms);
    }
    view.devices.push_back(std::move(shown));
  }
  for (auto& [name, m] : models) {
    m.model = name.first;
    m.version = name.second;
    OREE_TRY_ASSIGN(m.reference, fleet.releases.reference(m.model, m.version));
    view.models.push_back(std::move(m));
  }
  return view;
}

}  // namespace oree
