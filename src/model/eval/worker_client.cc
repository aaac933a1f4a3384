// SPDX-License-Identifier: Apache-2.0
#include "model/eval/worker_client.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace oree {
namespace {

Code code_from_name(const std::string& name) {
  for (Code code : {Code::kUsage, Code::kInvalid, Code::kIntegrity, Code::kUnsupported, Code::kUnavailable,
                    Code::kExhausted, Code::kNotFound, Code::kConflict, Code::kRefused}) {
    if (name == code_name(code)) return code;
  }
  return Code::kInternal;
}

Result<std::vector<TensorInfo>> tensor_infos(const Json& reply, std::string_view key) {
  OREE_TRY_ASSIGN(const Json* list, reply.get_array(key));
  std::vector<TensorInfo> infos;
  for (const Json& item : list->items()) {
    TensorInfo info;
    OREE_TRY_ASSIGN(info.name, item.get_string("name"));
    OREE_TRY_ASSIGN(std::string dtype, item.get_string("dtype"));
    OREE_TRY_ASSIGN(info.dtype, dtype_from_name(dtype));
    if (double scale = item["scale"].as_double(0); scale > 0)
      info.reals = RealScale{static_cast<float>(scale), item["zero_point"].as_int()};
    for (const Json& dimension : item["shape"].items()) info.shape.push_back(dimension.as_int(-1));
    infos.push_back(std::move(info));
  }
  return infos;
}

constexpr size_t kLastWordsMax = 5;
constexpr int64_t kPollMs = 200;

// A child of this process: commands by its standard input, answers by its message pipe.
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

Result<std::unique_ptr<Worker>> Worker::start(const Ports& ports, const WorkerSettings& settings) {
  ProcessSpec spec;
  spec.argv = settings.argv;
  if (spec.argv.empty()) spec.argv = {ports.processes->own_path(), "worker"};
  spec.message_pipe = spec.input_pipe = spec.output_pipe = true;
  spec.memory_bytes_max = settings.memory_bytes_max;
  OREE_TRY_ASSIGN(auto process, ports.processes->spawn(spec));
  return std::make_unique<Worker>(std::make_unique<PipeChannel>(ports, std::move(process)), settings);
}

Result<Json> Worker::ask(const Json& command, int64_t timeout_ms) {
  OREE_TRY_ASSIGN(Json reply, channel_->ask(command, timeout_ms));
  if (reply["ok"].as_bool()) return reply;
  const Json& error = reply["error"];
  return Error(code_from_name(error["code"].as_string()), error["message"].as_string());
}

Result<Worker::Opened> Worker::open(const Candidate& candidate) {
  Json command = Json::object();
  command.set("cmd", "open");
  Json fields = candidate_to_json(candidate);
  for (const auto& [key, value] : fields.members()) command.set(key, value);
  OREE_TRY_ASSIGN(Json reply, ask(command, settings_.open_timeout_ms));
  Opened opened;
  OREE_TRY_ASSIGN(opened.load_ms, reply.get_double("load_ms"));
  opened.rss_bytes_baseline = reply["rss_bytes_baseline"].as_int();
  opened.engine_version = reply["engine_version"].as_string();
  for (const auto& [key, value] : reply["facts"].members()) opened.facts[key] = value.as_string();
  OREE_TRY_ASSIGN(opened.inputs, tensor_infos(reply, "inputs"));
  OREE_TRY_ASSIGN(opened.outputs, tensor_infos(reply, "outputs"));
  return opened;
}

Status Worker::set_input(const std::string& npz, uint64_t seed) {
  auto reply = ask(Json().set("cmd", "input").set("npz", npz).set("seed", static_cast<int64_t>(seed >> 1)),
                   settings_.run_timeout_ms);
  return reply.ok() ? Status() : Status(reply.error());
}

Result<Worker::Turn> Worker::run(int warmup, int runs) {
  OREE_TRY_ASSIGN(Json reply,
                  ask(Json().set("cmd", "run").set("warmup", warmup).set("runs", runs), settings_.run_timeout_ms));
  Turn turn;
  OREE_TRY_ASSIGN(const Json* latencies, reply.get_array("latency_us"));
  for (const Json& latency : latencies->items()) turn.latency_ms.push_back(latency.as_double() / 1000);
  if (turn.latency_ms.size() != static_cast<size_t>(runs)) {
    return Error(Code::kUnsupported, "the worker answered another number of runs");
  }
  turn.rss_bytes_peak = reply["rss_bytes_peak"].as_int();
  turn.idle_cpu_ms = reply["idle_cpu_ms"].as_int();
  turn.idle_wall_ms = reply["idle_wall_ms"].as_int();
  return turn;
}

Status Worker::outputs(const std::string& input_npz, const std::string& output_npz, bool reals) {
  auto reply = ask(Json().set("cmd", "outputs").set("input", input_npz).set("output", output_npz).set("reals", reals),
                   settings_.run_timeout_ms);
  return reply.ok() ? Status() : Status(reply.error());
}

}  // namespace oree
