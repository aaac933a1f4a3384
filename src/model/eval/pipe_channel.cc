// SPDX-License-Identifier: Apache-2.0
#include "model/eval/pipe_channel.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace oree {
namespace {

constexpr size_t kLastWordsMax = 5;
constexpr int64_t kPollMs = 200;

class PipeChannel : public WorkerChannel {
 public:
  PipeChannel(const Ports& ports, std::unique_ptr<Process> process) : ports_(ports), process_(std::move(process)) {}
  Result<Json> ask(const Json& command, int64_t timeout_ms) override;

 private:
  Result<Json> fail(std::string text);
  void keep_last_words();

  Ports ports_;
  std::unique_ptr<Process> process_;
  std::optional<Error> failed_;
  std::vector<std::string> last_words_;  // the end of the child's output, for the reason of a crash
};

// Also empties the pipe: an engine that talks much must not block on it.
void PipeChannel::keep_last_words() {
  for (std::string& line : process_->read_output(0)) {
    if (last_words_.size() == kLastWordsMax) last_words_.erase(last_words_.begin());
    last_words_.push_back(std::move(line));
  }
}

Result<Json> PipeChannel::fail(std::string text) {
  if (process_) keep_last_words();
  for (const std::string& line : last_words_) text += "; it said: " + line.substr(0, 300);
  process_.reset();
  failed_ = Error(Code::kUnsupported, std::move(text));
  return *failed_;
}

Result<Json> PipeChannel::ask(const Json& command, int64_t timeout_ms) {
  if (failed_) return *failed_;
  const std::string& name = command["cmd"].as_string();
  // A refused write means that the child is gone; its exit is looked at below, where the reason is.
  Status sent = process_->send(command.dump());
  int64_t deadline = ports_.clock->monotonic_ns() + timeout_ms * 1'000'000;
  while (true) {
    bool exited = process_->poll_exit().has_value();
    std::vector<std::string> lines = process_->read_messages(exited ? 0 : kPollMs);
    keep_last_words();
    if (!lines.empty()) {
      auto reply = Json::parse(lines.front());
      if (!reply.ok() || !reply->is_object()) return fail(fmt::format("answered nonsense to '{}'", name));
      return reply;
    }
    if (exited) {
      ProcessExit exit = *process_->poll_exit();
      if (exit.signal != 0) return fail(fmt::format("crashed during '{}': {}", name, strsignal(exit.signal)));
      return fail(fmt::format("ended during '{}' with status {}", name, exit.code));
    }
    if (!sent.ok()) return fail(sent.error().message());
    if (ports_.clock->monotonic_ns() >= deadline) {
      return fail(fmt::format("hung: no answer to '{}' within {} s", name, static_cast<double>(timeout_ms) / 1000));
    }
  }
}

}  // namespace

Result<std::unique_ptr<WorkerChannel>> start_channel(const Ports& ports, const WorkerSettings& settings) {
  ProcessSpec spec;
  spec.argv = settings.argv;
  if (spec.argv.empty()) {
    // The small program beside this one, where it is installed; else this one's own way to be a worker.
    const std::string own = ports.processes->own_path();
    const std::string small = own + "-worker";
    spec.argv = ports.files->exists(small) ? std::vector<std::string>{small} : std::vector<std::string>{own, "worker"};
  }
  spec.message_pipe = spec.input_pipe = spec.output_pipe = true;
  spec.memory_bytes_max = settings.memory_bytes_max;
  OREE_TRY_ASSIGN(auto process, ports.processes->spawn(spec));
  return std::unique_ptr<WorkerChannel>(std::make_unique<PipeChannel>(ports, std::move(process)));
}

Code code_from_name(std::string_view name) {
  for (Code code : {Code::kUsage, Code::kInvalid, Code::kIntegrity, Code::kUnsupported, Code::kUnavailable,
                    Code::kExhausted, Code::kNotFound, Code::kConflict, Code::kRefused}) {
    if (name == code_name(code)) return code;
  }
  return Code::kInternal;
}

}  // namespace oree
