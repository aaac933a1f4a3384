// SPDX-License-Identifier: Apache-2.0
// Measuring: the agent's side of lending the device (docs/agent.md). `oree-agent measure` is a child of its own: it
// alone listens and starts workers, so whatever happens to it, the agent lives, and its end is a job's end. Here it is
// started, started again with growing pauses, and its jobs are granted. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/clock.h"
#include "core/io/process.h"
#include "device/agent/config.h"

namespace oree {

class Measuring {
 public:
  // Nothing runs, ever, without a [measure] table.
  Measuring(Clock& clock, Processes& processes, const AgentConfig& config)
      : clock_(clock), processes_(processes), config_(config) {}

  enum class Event {
    kAsked,
    kEnded
  };                          // somebody wants to measure: grant() or refuse(); the job that was granted ended
  std::vector<Event> turn();  // starts the child when it is due, reads what it says; never waits
  void grant();
  void refuse(const std::string& reason);
  void stop();  // ends the child and does not start it again
  const std::string& by() const { return by_; }

 private:
  enum class Job { kNone, kAsked, kGranted };
  int64_t now_ms() { return clock_.monotonic_ns() / 1'000'000; }
  void start();
  void read_line(const std::string& line, std::vector<Event>& events);
  void look_at_exit(std::vector<Event>& events);
  void end_of_job(std::vector<Event>& events);
  void answer(const char* type, const std::string& reason);

  Clock& clock_;
  Processes& processes_;
  const AgentConfig& config_;
  std::unique_ptr<Process> child_;
  Job job_ = Job::kNone;
  int64_t number_ = 0;  // of the job, as the child counts
  std::string by_;
  bool stopped_ = false;
  int64_t start_due_ms_ = 0, started_ms_ = 0;
  int failures_ = 0;
};

}  // namespace oree
