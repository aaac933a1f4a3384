// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace oree {

// CPUs that change their clock together.
struct CpuFrequency {
  std::string policy;  // "policy0"
  double mhz = 0;      // now
  double mhz_min = 0;  // what the governor may choose from; 0: not said
  double mhz_max = 0;
  std::string governor;  // "schedutil", "performance" …; "" when not said
};

struct SystemReading {
  std::optional<double> cpu_percent;  // of the whole machine since the previous reading, 0..100
  std::optional<int64_t> memory_used_bytes;
  std::optional<int64_t> memory_total_bytes;
  std::optional<double> temperature_celsius;  // the hottest CPU/SoC zone; absent where none is readable
  std::optional<double> load_1min;
  std::vector<CpuFrequency> frequencies;  // empty where the kernel tells none, as in most virtual machines
  std::optional<bool> throttled;          // by heat or under-voltage: now, or since the previous reading
  std::optional<int64_t> throttle_count;  // times since boot, where these are counted (x86)
};

// Of all policies, now.
struct FrequencySpread {
  double mhz_min = 0, mhz_mean = 0, mhz_max = 0;
};
std::optional<FrequencySpread> frequency_spread(const SystemReading& reading);

// Cores of one kind.
struct CoreGroup {
  std::vector<int> cpus;  // those that this process may use, rising
  int64_t capacity = 0;   // relative speed: the kernel's cpu_capacity, else the highest clock in kHz
};

struct SystemIdentity {
  std::string architecture;  // "x86_64", "aarch64", "armv7l"
  std::string cpu_model;     // as the kernel names it, "" when it does not
  std::string os;            // PRETTY_NAME of os-release
  int cpu_cores = 0;         // usable by this process
  int64_t memory_total_bytes = 0;
  std::string boot_id;  // changes at every boot of the machine
  std::string board;    // the device tree's model, or the product that DMI names; "" when neither is there
  std::vector<CoreGroup> core_groups;  // the fastest first; empty where the kernel tells nothing of them
};

class Sensors {
 public:
  virtual ~Sensors() = default;
  virtual SystemReading read() = 0;
  virtual SystemIdentity identity() = 0;
};

}  // namespace oree
