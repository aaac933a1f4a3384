// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/sensors.h"

namespace oree {

// /proc, /sys and /etc/os-release. What cannot be read is absent, never zero. Not thread-safe: the CPU's load is what
// passed since the previous reading of this object.
class LinuxSensors : public Sensors {
 public:
  explicit LinuxSensors(std::string root = "") : root_(std::move(root)) {}  // tests put a folder before "/proc/…"
  SystemReading read() override;
  SystemIdentity identity() override;

 private:
  std::optional<double> cpu_percent();
  std::optional<double> temperature() const;

  std::string root_;
  int64_t busy_ticks_ = -1;
  int64_t total_ticks_ = -1;
};

}  // namespace oree
