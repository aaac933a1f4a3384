// SPDX-License-Identifier: Apache-2.0
#include "core/io/fake/fake_processes.h"

#include <algorithm>

namespace oree {
namespace {

constexpr int kSigKill = 9;
constexpr int kSigTerm = 15;

class ScriptedProcess : public Process {
 public:
  ScriptedProcess(FakeClock* clock, FakeChild child, int64_t pid, std::vector<int>* signals,
                  std::shared_ptr<int> running)
      : clock_(clock),
        child_(std::move(child)),
        pid_(pid),
        start_ns_(clock->monotonic_ns()),
        signals_(signals),
        running_(std::move(running)) {
    ++*running_;
  }
  ~ScriptedProcess() override {
    if (!poll_exit()) (void)signal(kSigKill);
    (void)poll_exit();
  }

  int64_t pid() const override { return pid_; }

  std::optional<ProcessExit> poll_exit() override {
    if (!exit_ && child_.exit_at_ms >= 0 && age_ms() >= child_.exit_at_ms) {
      end({child_.exit_code, child_.exit_signal, child_.rss_bytes});
    }
    return exit_;
  }

  Result<ProcessExit> wait(int64_t timeout_ms) override {
    if (!poll_exit()) {
      int64_t left = child_.exit_at_ms < 0 ? timeout_ms : std::min(timeout_ms, child_.exit_at_ms - age_ms());
      clock_->sleep_ms(left);
    }
    if (!poll_exit()) return Error(Code::kUnavailable, "process is still running");
    return *exit_;
  }

  Status signal(int number) override {
    if (poll_exit()) return Error(Code::kNotFound, "process has ended");
    signals_->push_back(number);
    if (number == kSigKill || (number == kSigTerm && !child_.ignores_term)) end({0, number, child_.rss_bytes});
    return {};
  }

  std::vector<std::string> read_messages(int64_t timeout_ms) override {
    return read(child_.messages, next_message_, timeout_ms);
  }
  std::vector<std::string> read_output(int64_t timeout_ms) override {
    return read(child_.output, next_output_, timeout_ms);
  }

  Status send(const std::string& line) override {
    if (poll_exit()) return Error(Code::kUnavailable, "process has ended");
    if (child_.answer) {
      for (std::string& text : child_.answer(line)) child_.output.push_back({age_ms(), std::move(text)});
    }
    if (child_.reply) {
      auto texts = child_.reply(line);
      if (!texts) end({child_.exit_code, child_.exit_signal, child_.rss_bytes});
      for (std::string& text : texts.value_or(std::vector<std::string>()))
        child_.messages.push_back({age_ms(), std::move(text)});
    }
    return {};
  }

  Result<ProcessUsage> usage() override {
    if (poll_exit()) return Error(Code::kNotFound, "process has ended");
    return ProcessUsage{child_.rss_bytes, child_.rss_bytes, child_.cpu_ms};
  }

 private:
  int64_t age_ms() const { return (clock_->monotonic_ns() - start_ns_) / 1'000'000; }

  void end(ProcessExit how) {
    exit_ = how;
    end_ms_ = age_ms();
    --*running_;
  }

  std::vector<std::string> read(const std::vector<FakeChild::Line>& lines, size_t& next, int64_t timeout_ms) {
    if (next < lines.size() && lines[next].at_ms > age_ms() && !poll_exit()) {
      clock_->sleep_ms(std::min(timeout_ms, lines[next].at_ms - age_ms()));
    } else if (next >= lines.size() && !poll_exit()) {
      clock_->sleep_ms(timeout_ms);
    }
    std::vector<std::string> out;
    (void)poll_exit();
    int64_t until = exit_ ? std::min(age_ms(), exit_->signal ? end_ms_ : child_.exit_at_ms) : age_ms();
    for (; next < lines.size() && lines[next].at_ms <= until; ++next) out.push_back(lines[next].text);
    return out;
  }

  FakeClock* clock_;
  FakeChild child_;
  int64_t pid_;
  int64_t start_ns_;
  std::vector<int>* signals_;
  std::shared_ptr<int> running_;
  std::optional<ProcessExit> exit_;
  int64_t end_ms_ = 0;
  size_t next_message_ = 0;
  size_t next_output_ = 0;
};

}  // namespace

Result<std::unique_ptr<Process>> FakeProcesses::spawn(const ProcessSpec& spec) {
  spawned.push_back(spec);
  if (!launch_) return Error(Code::kNotFound, "no such program");
  OREE_TRY_ASSIGN(FakeChild child, launch_(spec));
  return std::unique_ptr<Process>(
      std::make_unique<ScriptedProcess>(clock_, std::move(child), next_pid_++, &signals, running_));
}

}  // namespace oree
