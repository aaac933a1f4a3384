// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace oree {

// Time. Wall time may be wrong by years and may jump: nothing but labels and certificates may rely on it.
// Every wait, deadline and back-off uses monotonic time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_ms() = 0;       // Unix time in milliseconds
  virtual int64_t monotonic_ns() = 0;  // since some fixed point of this boot
  // Returns after `ms`, or earlier when the process is asked to stop.
  virtual void sleep_ms(int64_t ms) = 0;
};

// Randomness from the operating system (or from a seed, in tests).
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next_u64() = 0;
  double next_unit() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }  // [0, 1)
};

}  // namespace oree
