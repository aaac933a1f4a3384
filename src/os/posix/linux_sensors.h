// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/sensors.h"

namespace oree {

// /proc, /sys and /etc/os-release. What cannot be read is absent, never zero. Not thread-safe: the CPU's load, and on
// x86 whether it was throttled, are what passed since the previous reading of this object.
class LinuxSensors : public Sensors {
 public:
  explicit LinuxSensors(std::string root = "") : root_(std::move(root)) {}  // tests put a folder before "/proc/…"
  SystemReading read() override;
  SystemIdentity identity() override;

 private:
  std::optional<double> cpu_percent();
  std::optional<double> temperature() const;
  void read_throttling(SystemReading& reading);
  std::optional<bool> raspberry_throttled() const;
  std::vector<CoreGroup> core_groups() const;

  std::string root_;
  int64_t busy_ticks_ = -1;
  int64_t total_ticks_ = -1;
  std::optional<int64_t> throttle_count_;
};

}  // namespace oree
