// SPDX-License-Identifier: Apache-2.0
// Energy out of sensors that tell a momentary power.
#pragma once

#include <functional>
#include <memory>

#include "core/io/clock.h"
#include "core/io/power.h"

namespace oree {

// The trapezoidal rule over samples at any distances; no thread, no clock.
class PowerIntegral {
 public:
  void add(int64_t time_ns, double watts);  // times never go back
  bool empty() const { return empty_; }
  EnergyReading reading() const { return {time_ns_, joules_}; }  // as of the last sample

 private:
  bool empty_ = true;
  int64_t time_ns_ = 0;
  double watts_ = 0;
  double joules_ = 0;
};

using PowerSample = std::function<Result<double>()>;  // watts

// Takes a sample every info.sample_ms in a thread of its own, which ends with the meter: a caller that waits for an
// inference could not. The first is taken before this returns, and its error is the result. Of the later ones a few
// may fail (a busy bus); kSampleFailuresMax in a row end the meter with the last one's reason.
Result<std::unique_ptr<PowerMeter>> start_sampler(PowerMeterInfo info, Clock* clock, PowerSample sample);
inline constexpr int kSampleFailuresMax = 5;

}  // namespace oree
