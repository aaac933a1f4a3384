// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace oree {

struct EnergyReading {
  int64_t time_ns = 0;  // monotonic; of the reading itself, which for a sampled sensor is a little in the past
  double joules = 0;    // since some fixed point: only differences mean anything
};

struct PowerMeterInfo {
  std::string method;            // "rapl package-0", "ina3221 VDD_IN", "external: NAME"
  std::string covers;            // "CPU package", "whole module (its input rail)" …
  double resolution_joules = 0;  // least step of a counter; 0: it says none
  int sample_ms = 0;  // how often a momentary power is taken and added up; 0: a counter of the hardware's own
};

// Energy that flowed, cumulative. An error is for good: what came after it can't be joined to what was before.
// Not thread-safe. Must be read once in a while: a counter wraps at the earliest after some minutes at full power.
class PowerMeter {
 public:
  virtual ~PowerMeter() = default;
  virtual const PowerMeterInfo& info() const = 0;
  virtual Result<EnergyReading> read() = 0;
};

struct PowerSource {
  PowerMeterInfo info;
  bool whole = false;            // may be taken without being named: CPU package, module or board, not one rail of many
  std::optional<Error> refused;  // it is there and cannot be read: why, and what would mend it
};

// What of this machine measures energy.
class PowerMeters {
 public:
  virtual ~PowerMeters() = default;
  virtual std::vector<PowerSource> sources() = 0;  // the best first; empty: the machine has none
  // `name`: the method of a source; "" is the first that is whole, or the only one; anything else is the command line
  // of a plug-in (docs/formats/power-meter.md). An error says what there is and why it cannot be taken.
  virtual Result<std::unique_ptr<PowerMeter>> open(const std::string& name) = 0;
};

}  // namespace oree
