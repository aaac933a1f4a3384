// SPDX-License-Identifier: Apache-2.0
// JobGate: who is asked before a job of measuring begins, and told when it has ended. Beside an agent this is the
// agent, over the pipes between it and the measuring process, one JSON line a message:
//
//   to the agent    {"type":"begin","job":7,"by":"ada@laptop"}   {"type":"end","job":7}
//   from the agent  {"type":"granted","job":7}                   {"type":"refused","job":7,"reason":"…"}
//
// Granted is said once the application has ended. An agent that sees the process end takes its job as ended.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/result.h"

namespace oree {

class JobGate {
 public:
  virtual ~JobGate() = default;
  virtual Status begin(const std::string& by) = 0;  // kConflict: not now, and why. May wait.
  virtual void end() = 0;
};

// Started by hand: nobody else is there.
class OpenGate : public JobGate {
 public:
  Status begin(const std::string&) override { return {}; }
  void end() override {}
};

class AgentGate : public JobGate {
 public:
  // `say` writes one line to the agent; false: it is gone. begin() waits so long for its word.
  AgentGate(std::function<bool(const std::string& line)> say, int64_t wait_ms)
      : say_(std::move(say)), wait_ms_(wait_ms) {}
  Status begin(const std::string& by) override;
  void end() override;
  void on_line(const std::string& line);  // what the agent said; from any thread

 private:
  const std::function<bool(const std::string&)> say_;
  const int64_t wait_ms_;
  std::mutex mutex_;
  std::condition_variable heard_;
  int64_t job_ = 0;
  std::optional<Status> word_;  // of the agent, on job_
};

}  // namespace oree
