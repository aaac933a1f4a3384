// SPDX-License-Identifier: Apache-2.0
#include "model/eval/worker_client.h"

#include <fmt/format.h>

#include <charconv>

#include "model/eval/pipe_channel.h"

namespace oree {
namespace {

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

}  // namespace

Result<std::unique_ptr<Worker>> Worker::start(const Ports& ports, const WorkerSettings& settings) {
  OREE_TRY_ASSIGN(auto channel, start_channel(ports, settings));
  return std::make_unique<Worker>(std::move(channel), settings);
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

Status Worker::outputs_of(size_t samples, const std::string& input_npz, const std::string& output_npz, bool reals) {
  Json command = Json().set("cmd", "outputs").set("input", input_npz).set("output", output_npz);
  command.set("reals", reals).set("samples", static_cast<int64_t>(samples));
  auto reply = ask(command, settings_.run_timeout_ms);
  return reply.ok() ? Status() : Status(reply.error());
}

Result<std::string> Worker::meter(const std::string& name) {
  OREE_TRY_ASSIGN(Json reply, ask(Json().set("cmd", "meter").set("meter", name), settings_.run_timeout_ms));
  return reply.get_string("method");
}

Result<Json> Worker::energy(const std::string& meter, const Json& plan, int64_t timeout_ms) {
  OREE_TRY_ASSIGN(Json reply, ask(Json().set("cmd", "energy").set("meter", meter).set("plan", plan), timeout_ms));
  return reply["energy"];
}

std::string sample_name(size_t index, std::string_view name) { return fmt::format("{}/{}", index, name); }

Result<std::vector<NamedTensors>> split_samples(NamedTensors tensors, size_t count) {
  std::vector<NamedTensors> samples(count);
  for (NamedTensor& t : tensors) {
    size_t index = count;
    const char* end = t.name.data() + t.name.size();
    auto [rest, error] = std::from_chars(t.name.data(), end, index);
    if (error != std::errc() || rest == end || *rest != '/' || index >= count)
      return Error(Code::kInvalid, fmt::format("expected tensors of samples 0 to {}, found '{}'", count - 1, t.name));
    samples[index].push_back({std::string(rest + 1, end), std::move(t.tensor)});
  }
  for (size_t i = 0; i < count; ++i) {
    if (samples[i].empty()) return Error(Code::kInvalid, fmt::format("sample {} of {} has no tensor", i, count));
  }
  return samples;
}

}  // namespace oree
