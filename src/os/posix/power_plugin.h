// SPDX-License-Identifier: Apache-2.0
// A meter outside of this machine, read by a program that the user names: docs/formats/power-meter.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/io/clock.h"
#include "core/io/power.h"
#include "core/io/process.h"
#include "os/posix/power_sampler.h"

namespace oree {

// What the program's lines say, each with the time at which it came; no process, no clock.
class PluginReadings {
 public:
  Status feed(std::string_view line, int64_t time_ns);  // kInvalid: no such line, or it contradicts an earlier one
  bool empty() const { return kind_ == Kind::kNone; }
  EnergyReading reading() const { return kind_ == Kind::kJoules ? counter_ : integral_.reading(); }
  const std::string& name() const { return name_; }      // "" when it never said
  const std::string& covers() const { return covers_; }  // the same
  bool sampled() const { return kind_ == Kind::kWatts; }

 private:
  enum class Kind { kNone, kJoules, kWatts };
  Kind kind_ = Kind::kNone;
  EnergyReading counter_;
  PowerIntegral integral_;
  std::string name_, covers_;
};

struct PluginTimes {
  int64_t first_line_ms = 10'000;  // after the start: it may have to connect to something
  int64_t silence_ms = 3'000;      // between lines: longer is a hang
  int64_t end_ms = 1'000;          // between SIGTERM and SIGKILL
};

// Starts the command by /bin/sh and waits for its first line. A thread reads it from then on. The destructor sends it
// SIGTERM, and SIGKILL when that does not help. An error of read(): it ended, it fell silent, or it said nonsense.
Result<std::unique_ptr<PowerMeter>> start_plugin(Processes* processes, Clock* clock, const std::string& command,
                                                 const PluginTimes& times = {});

}  // namespace oree
