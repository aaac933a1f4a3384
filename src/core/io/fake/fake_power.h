// SPDX-License-Identifier: Apache-2.0
// Meters that follow a formula in the FakeClock's time, and a machine that has what the test says.
#pragma once

#include <cmath>
#include <functional>
#include <utility>

#include "core/io/fake/fake_clock.h"
#include "core/io/power.h"

namespace oree {

// Adds up idle_watts(seconds since its making) and what set_load_watts() adds to that.
class FakePowerMeter : public PowerMeter {
 public:
  FakePowerMeter(FakeClock* clock, std::function<double(double seconds)> idle_watts,
                 PowerMeterInfo about = {"fake", "all"})
      : clock_(clock), idle_watts_(std::move(idle_watts)), info_(std::move(about)), start_ns_(clock->monotonic_ns()) {}

  const PowerMeterInfo& info() const override { return info_; }
  Result<EnergyReading> read() override {
    if (reads_left_ == 0) return failure_;
    if (reads_left_ > 0) --reads_left_;
    settle();
    double joules = joules_;
    if (info_.resolution_joules > 0) joules = std::floor(joules / info_.resolution_joules) * info_.resolution_joules;
    if (wrap_joules_ > 0) joules = std::fmod(joules, wrap_joules_);
    return EnergyReading{clock_->monotonic_ns(), joules};
  }

  // From now on.
  void set_load_watts(double watts) {
    settle();
    load_watts_ = watts;
  }
  void fail_after(int reads, Error error) {  // so many more succeed
    reads_left_ = reads;
    failure_ = std::move(error);
  }
  void wrap_at(double joules) { wrap_joules_ = joules; }  // a counter whose owner forgot that it wraps

 private:
  double seconds() const { return static_cast<double>(clock_->monotonic_ns() - start_ns_) / 1e9; }
  // In steps of at most 10 ms, at their middles: exact for what is linear in time.
  void settle() {
    double end = seconds();
    int steps = static_cast<int>((end - settled_s_) * 100) + 1;
    double step = (end - settled_s_) / steps;
    for (int i = 0; i < steps; ++i) joules_ += (idle_watts_(settled_s_ + (i + 0.5) * step) + load_watts_) * step;
    settled_s_ = end;
  }

  FakeClock* clock_;
  std::function<double(double)> idle_watts_;
  PowerMeterInfo info_;
  int64_t start_ns_;
  double settled_s_ = 0, joules_ = 0, load_watts_ = 0, wrap_joules_ = 0;
  int reads_left_ = -1;
  Error failure_{Code::kUnavailable, "fake failure"};
};

class FakePowerMeters : public PowerMeters {
 public:
  std::vector<PowerSource> sources() override { return list; }
  Result<std::unique_ptr<PowerMeter>> open(const std::string& name) override {
    opened.push_back(name);
    if (!make) return Error(Code::kUnsupported, "no power sensor on this machine");
    return make(name);
  }

  std::vector<PowerSource> list;
  std::function<Result<std::unique_ptr<PowerMeter>>(const std::string& name)> make;
  std::vector<std::string> opened;
};

}  // namespace oree
