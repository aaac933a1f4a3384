// SPDX-License-Identifier: Apache-2.0
// Children that follow a script instead of being programs. Time is the FakeClock's: a child "runs" while it passes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/fake/fake_clock.h"
#include "core/io/process.h"

namespace oree {

// What a child does. Times are milliseconds after its start.
struct FakeChild {
  struct Line {
    int64_t at_ms = 0;
    std::string text;
  };
  std::vector<Line> messages;  // on the message pipe, in order of time
  std::vector<Line> output;    // on standard output
  int64_t exit_at_ms = -1;     // -1: runs until a signal ends it
  int exit_code = 0;
  int exit_signal = 0;        // when not 0: it dies of this one instead of exiting
  bool ignores_term = false;  // only SIGKILL ends it: a hang
  int64_t rss_bytes = int64_t{10} << 20;
  int64_t cpu_ms = 0;
  // Lines that a line on standard input is answered with, on standard output and at once.
  std::function<std::vector<std::string>(const std::string& line)> answer;
  // The same on the message pipe. Nothing: it dies there, of exit_signal or with exit_code.
  std::function<std::optional<std::vector<std::string>>(const std::string& line)> reply;
};

class FakeProcesses : public Processes {
 public:
  using Launch = std::function<Result<FakeChild>(const ProcessSpec& spec)>;

  explicit FakeProcesses(FakeClock* clock) : clock_(clock) {}
  // Asked at every spawn which script the child follows; an error is spawn's.
  void on_spawn(Launch launch) { launch_ = std::move(launch); }

  Result<std::unique_ptr<Process>> spawn(const ProcessSpec& spec) override;
  std::string own_path() override { return "/fake/bin/oree"; }
  Result<ProcessUsage> own_usage() override { return usage; }

  std::vector<ProcessSpec> spawned;
  std::vector<int> signals;  // every one that was sent, to any child, SIGKILL by a destructor included
  ProcessUsage usage{int64_t{5} << 20, int64_t{6} << 20, 100};
  int running() const { return *running_; }  // children that still exist

 private:
  FakeClock* clock_;
  Launch launch_;
  std::shared_ptr<int> running_ = std::make_shared<int>(0);
  int64_t next_pid_ = 1000;
};

}  // namespace oree
