// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/clock.h"
#include "core/io/power.h"
#include "core/io/process.h"

namespace oree {

// What Linux offers, in this order: current sensors on an input rail (Jetson's ina3221 VDD_IN), the power chip of a
// Raspberry Pi 5, RAPL counters (Intel, AMD), other rails. And plug-ins. The ports must outlive it and its meters.
class LinuxPower : public PowerMeters {
 public:
  LinuxPower(Processes* processes, Clock* clock, std::string root = "")  // tests put a folder before "/sys/…"
      : processes_(processes), clock_(clock), root_(std::move(root)) {}
  std::vector<PowerSource> sources() override;
  Result<std::unique_ptr<PowerMeter>> open(const std::string& name) override;

 private:
  struct Found {
    PowerSource source;
    std::function<Result<std::unique_ptr<PowerMeter>>()> open;
  };
  std::vector<Found> find();
  void find_rapl(std::vector<Found>& found) const;
  void find_rails(std::vector<Found>& inputs, std::vector<Found>& others) const;
  void find_raspberry(std::vector<Found>& found) const;

  Processes* processes_;
  Clock* clock_;
  std::string root_;
};

// The watts of all rails that `vcgencmd pmic_read_adc` tells both voltage and current of. Firmwares write a line as
// "VDD_CORE_A current(7)=1.23A" or as "VDD_CORE_A=1.23A". kInvalid when a value is none, or no rail has both.
Result<double> pmic_rail_watts(std::string_view text);

// A Raspberry Pi 5's input out of that: the rails leave out the 5 V one, and what the converters lose. A straight line
// fitted to one board and a USB-C power meter, not the maker's: github.com/jfikar/RPi5-power.
inline constexpr double kPmicFitSlope = 1.1451;
inline constexpr double kPmicFitWatts = 0.5879;

}  // namespace oree
