// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/clock.h"

namespace oree {

// The kernel's clocks. Monotonic time is CLOCK_BOOTTIME: it runs on while the device sleeps. Thread-safe.
class PosixClock : public Clock {
 public:
  PosixClock();
  int64_t wall_ms() override;
  int64_t monotonic_ns() override;
  void sleep_ms(int64_t ms) override;
  // Ends every sleep, now and later. Async-signal-safe: meant for the handlers of SIGTERM and SIGINT.
  static void request_stop();
  static bool stop_requested();
};

// getrandom(2). Thread-safe.
class PosixRandom : public Random {
 public:
  uint64_t next_u64() override;
};

}  // namespace oree
