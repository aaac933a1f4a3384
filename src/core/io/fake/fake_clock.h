// SPDX-License-Identifier: Apache-2.0
// Time and randomness under a test's control. Not thread-safe but for FakeClock's reads.
#pragma once

#include <atomic>

#include "core/io/clock.h"

namespace oree {

class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t wall_ms = 1'800'000'000'000) : wall_ms_(wall_ms) {}
  int64_t wall_ms() override { return wall_ms_; }
  int64_t monotonic_ns() override { return monotonic_ns_; }
  void sleep_ms(int64_t ms) override {
    slept_ms_ += ms;
    advance_ms(ms);
  }
  void advance_ms(int64_t ms) {
    monotonic_ns_ += ms * 1'000'000;
    wall_ms_ += ms;
  }
  void set_wall_ms(int64_t ms) { wall_ms_ = ms; }  // jumps; monotonic time does not
  int64_t slept_ms() const { return slept_ms_; }   // in all

 private:
  std::atomic<int64_t> wall_ms_;
  std::atomic<int64_t> monotonic_ns_{1'000'000'000};
  std::atomic<int64_t> slept_ms_{0};
};

// SplitMix64 (Steele, Lea, Flood 2014): every seed, 0 too, gives a good stream.
class FakeRandom : public Random {
 public:
  explicit FakeRandom(uint64_t seed = 0) : state_(seed) {}
  uint64_t next_u64() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace oree
