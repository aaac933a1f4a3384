// SPDX-License-Identifier: Apache-2.0
// Runs the application as a child: starts it again after a crash, with growing pauses; ends it when it is silent for
// too long; reads what it says. Never waits longer than it is told to. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/clock.h"
#include "core/io/process.h"
#include "device/agent/config.h"
#include "monitor/telemetry/app_protocol.h"

namespace oree {

struct RunTarget {
  std::string folder;  // unpacked bundle; "" is: nothing shall run
  std::string version, digest;
  bool operator==(const RunTarget&) const = default;
};

struct AppEvent {
  enum Kind { kReady, kStats, kAlarm, kCrashed, kHung, kNotReady, kStartFailed, kFinished };
  Kind kind = kReady;
  RunTarget target;    // what ran when it was said
  AppStats stats;      // kStats
  std::string detail;  // for people
};

class Supervisor {
 public:
  Supervisor(Clock& clock, Processes& processes, const AgentConfig& config);

  // Ends what runs and makes `target` due. The same target again is a restart.
  void run(const RunTarget& target);
  void stop() { run(RunTarget{}); }

  // The application should be started now. The caller may write its journal first, and then calls start().
  bool wants_start();
  const RunTarget& target() const { return target_; }  // what start() would start
  std::optional<AppEvent> start(int nice = 0);

  // Reads messages, waiting up to wait_ms for the first when a child runs; then looks after exits and deadlines.
  std::vector<AppEvent> turn(int64_t wait_ms);

  bool has_child() const { return child_ != nullptr; }
  bool finished() const { return want_ == Want::kFinished; }  // it came to its own end and is not started again
  std::optional<ProcessUsage> usage();

 private:
  enum class Want { kNothing, kStart, kFinished };
  int64_t now_ms() { return clock_.monotonic_ns() / 1'000'000; }
  void read_line(const std::string& line, std::vector<AppEvent>& events);
  void look_at_exit(std::vector<AppEvent>& events);
  void look_at_deadlines(std::vector<AppEvent>& events);
  void end_child();
  void pause_before_restart();

  Clock& clock_;
  Processes& processes_;
  const AgentConfig& config_;
  RunTarget target_;   // what shall run
  RunTarget running_;  // what child_ runs
  std::unique_ptr<Process> child_;
  bool ending_ = false;  // SIGTERM was sent: whatever it says of itself now is no event
  bool killed_ = false;
  bool ready_ = false, said_done_ = false;
  Want want_ = Want::kNothing;
  int64_t start_due_ms_ = 0, started_ms_ = 0, heard_ms_ = 0, ending_ms_ = 0, turned_ms_ = 0;
  int failures_ = 0;
  int64_t bad_lines_ = 0;
};

}  // namespace oree
