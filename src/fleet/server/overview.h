// SPDX-License-Identifier: Apache-2.0
// The fleet at a glance, for the dashboard and for Prometheus: each device with its last hour, each model version
// merged over the devices that run it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleet/server/fleet.h"

namespace oree {

struct DeviceView {
  Device device;
  const char* state = "never";  // "online", "offline", "never"
  std::shared_ptr<const DeviceWindow> window;
  const ModelWindow* model = nullptr;  // of window: the one that runs now; null when nothing was reported
  int64_t alerts_live = 0;
};

struct ModelView {
  std::string model, version;
  int64_t devices = 0;
  ConfidenceHistogram confidence;
  ExponentialHistogram latency_ms;
  std::optional<DriftReference> reference;
};

struct FleetView {
  int64_t now_ms = 0;
  bool truncated = false;  // there are more devices: these are the first by id
  std::vector<DeviceView> devices;
  std::vector<ModelView> models;  // of online devices
};
Result<FleetView> fleet_view(Fleet& fleet, int64_t devices_max);

// Predictions an hour at the pace of the window; nothing when it has no length.
std::optional<double> predictions_per_hour(const ModelWindow& window);

// The Prometheus text exposition format 0.0.4.
std::string prometheus_text(Fleet& fleet, const FleetView& view);

}  // namespace oree
