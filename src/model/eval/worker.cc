// SPDX-License-Identifier: Apache-2.0
#include "model/eval/worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/eval/batch.h"
#include "model/eval/candidate.h"
#include "model/eval/energy.h"
#include "model/eval/measure.h"
#include "model/eval/noise.h"
#include "model/eval/worker_client.h"
#include "model/runtime/files/real_values.h"
#include "model/runtime/registry.h"
#include "model/runtime/runtime_info.h"

namespace oree {
namespace {

Json tensor_infos_json(const std::vector<TensorInfo>& infos) {
  Json list = Json::array();
  for (const TensorInfo& info : infos) {
    Json shape = Json::array();
    for (int64_t dimension : info.shape) shape.push(dimension);
    Json item = Json().set("name", info.name).set("dtype", dtype_name(info.dtype)).set("shape", shape);
    if (info.reals) item.set("scale", static_cast<double>(info.reals->scale)).set("zero_point", info.reals->zero_point);
    list.push(item);
  }
  return list;
}

bool shapes_known(const std::vector<TensorInfo>& infos) {
  for (const TensorInfo& info : infos) {
    for (int64_t dimension : info.shape) {
      if (dimension < 0) return false;
    }
  }
  return true;
}

}  // namespace

struct WorkerCore::State {
  Ports ports;
  std::unique_ptr<Session> session;
  size_t batch = 1;
  NamedTensors inputs;           // of a batch
  std::vector<Tensor*> buffers;  // the engine's own input memory, where it offers it; same order as `inputs`
  int64_t idle_since_ns = 0, idle_since_cpu_ms = 0;

  explicit State(const Ports& p) : ports(p) {}
  double ms_since(int64_t start_ns) const { return static_cast<double>(ports.clock->monotonic_ns() - start_ns) / 1e6; }
  Result<Json> open(const Json& command);
  Result<Json> set_input(const Json& command);
  Result<Json> run(const Json& command);
  Result<Json> outputs(const Json& command);
  Result<std::vector<NamedTensors>> answers(const std::vector<NamedTensors>& samples);
  Result<Json> energy(const Json& command);
  Result<Json> meter_name(const Json& command) {
    OREE_TRY_ASSIGN(std::unique_ptr<PowerMeter> power, meter(command));
    return Json().set("method", power->info().method);
  }
  Result<std::unique_ptr<PowerMeter>> meter(const Json& command);
  Status bind();
  Status infer_timed(int64_t* ns);
  void mark_idle();
};

Result<Json> WorkerCore::State::open(const Json& command) {
  Json fields = Json::object();
  for (const auto& [key, value] : command.members()) {
    if (key != "cmd") fields.set(key, value);
  }
  OREE_TRY_ASSIGN(Candidate candidate, candidate_from_json(fields));
  bool known = false;
  for (const std::string& name : backend_names()) known = known || name == candidate.runtime;
  if (!known) return Error(Code::kUsage, fmt::format("unknown runtime '{}'", candidate.runtime));
  OREE_TRY_ASSIGN(ProcessUsage baseline, ports.processes->own_usage());
  // The engine's library is loaded outside the clock: load_ms is the model's cost, paid again at every update.
  Backend& engine = backend(candidate.runtime);
  int64_t start = ports.clock->monotonic_ns();
  OREE_TRY_ASSIGN(session, engine.open(candidate.model, candidate.options));
  double load_ms = ms_since(start);
  OREE_TRY(check_batch(session->inputs(), candidate.batch));
  batch = static_cast<size_t>(candidate.batch);
  inputs.clear();
  buffers.clear();
  Json facts = Json::object();
  for (const auto& [key, value] : session->facts()) facts.set(key, value);
  Json reply = Json::object();
  reply.set("load_ms", load_ms).set("rss_bytes_baseline", baseline.rss_bytes).set("facts", facts);
  reply.set("engine_version", engine.info().version);
  reply.set("inputs", tensor_infos_json(session->inputs())).set("outputs", tensor_infos_json(session->outputs()));
  return reply;
}

// Asks the engine for its own input memory; where it has none, run() copies.
Status WorkerCore::State::bind() {
  buffers.clear();
  if (!shapes_known(session->inputs()) || !shapes_known(session->outputs())) return {};
  std::vector<Tensor*> found;
  NamedTensors ordered;
  for (size_t i = 0; i < session->inputs().size(); ++i) {
    const std::string& name = session->inputs()[i].name;
    auto buffer = session->input_buffer(i);
    if (!buffer.ok()) {
      if (buffer.error().code() == Code::kUnsupported) return {};
      return buffer.error();
    }
    for (NamedTensor& input : inputs) {
      bool only = inputs.size() == 1 && session->inputs().size() == 1;
      if ((input.name == name || only) && input.tensor.dtype() == (*buffer)->dtype() &&
          input.tensor.shape() == (*buffer)->shape()) {
        ordered.push_back(input);
        found.push_back(*buffer);
        break;
      }
    }
  }
  // Anything that does not fit is left to run(), whose error names it.
  if (found.size() == session->inputs().size() && inputs.size() == found.size()) {
    inputs = std::move(ordered);
    buffers = std::move(found);
  }
  return {};
}

Result<Json> WorkerCore::State::set_input(const Json& command) {
  if (!session) return Error(Code::kUsage, "no model is open");
  OREE_TRY_ASSIGN(std::string path, command.get_string("npz"));
  if (path.empty()) {
    OREE_TRY_ASSIGN(inputs, noise_tensors(session->inputs(), static_cast<uint64_t>(command["seed"].as_int())));
  } else {
    OREE_TRY_ASSIGN(Bytes file, ports.files->read(path, kModelBytesMax));
    auto tensors = read_npz(file);
    if (!tensors.ok()) return tensors.error().within(path);
    inputs = std::move(tensors).value();
  }
  if (batch > 1) {
    const std::vector<NamedTensors> alike(batch, inputs);
    OREE_TRY_ASSIGN(inputs, stack_samples(alike));
  }
  OREE_TRY(bind());
  return Json::object();
}

Status WorkerCore::State::infer_timed(int64_t* ns) {
  // The input is written again before every run, outside the clock: an engine may compute in place.
  for (size_t i = 0; i < buffers.size(); ++i) {
    std::memcpy(buffers[i]->data(), inputs[i].tensor.data(), inputs[i].tensor.byte_size());
  }
  int64_t start = ports.clock->monotonic_ns();
  if (!buffers.empty()) {
    OREE_TRY(session->run_bound());
    *ns = ports.clock->monotonic_ns() - start;
    return {};
  }
  auto result = session->run(inputs);
  *ns = ports.clock->monotonic_ns() - start;
  return result.ok() ? Status() : Status(result.error());
}

void WorkerCore::State::mark_idle() {
  auto usage = ports.processes->own_usage();
  idle_since_cpu_ms = usage.ok() ? usage->cpu_ms : 0;
  idle_since_ns = ports.clock->monotonic_ns();
}

Result<Json> WorkerCore::State::run(const Json& command) {
  if (!session) return Error(Code::kUsage, "no model is open");
  OREE_TRY_ASSIGN(int64_t warmup, command.get_int("warmup", 0, kTurnRunsMax));
  OREE_TRY_ASSIGN(int64_t runs, command.get_int("runs", 0, kTurnRunsMax));
  OREE_TRY_ASSIGN(ProcessUsage before, ports.processes->own_usage());
  int64_t idle_wall_ms = idle_since_ns == 0 ? 0 : (ports.clock->monotonic_ns() - idle_since_ns) / 1'000'000;
  int64_t idle_cpu_ms = idle_since_ns == 0 ? 0 : before.cpu_ms - idle_since_cpu_ms;
  if (inputs.empty()) OREE_TRY(set_input(Json().set("npz", "").set("seed", 1)));
  Json latencies = Json::array();
  for (int64_t i = 0; i < warmup + runs; ++i) {
    int64_t ns = 0;
    OREE_TRY(infer_timed(&ns));
    // A sample's share; tenths of a microsecond keep a line of kTurnRunsMax figures within the pipe's limit.
    if (i >= warmup) latencies.push(std::round(static_cast<double>(ns) / static_cast<double>(batch) / 100.0) / 10.0);
  }
  OREE_TRY_ASSIGN(ProcessUsage after, ports.processes->own_usage());
  Json reply = Json::object();
  reply.set("latency_us", latencies).set("rss_bytes_peak", after.rss_bytes_peak);
  reply.set("idle_cpu_ms", idle_cpu_ms).set("idle_wall_ms", idle_wall_ms);
  mark_idle();
  return reply;
}

Result<Json> WorkerCore::State::outputs(const Json& command) {
  if (!session) return Error(Code::kUsage, "no model is open");
  OREE_TRY_ASSIGN(std::string in, command.get_string("input"));
  OREE_TRY_ASSIGN(std::string out, command.get_string("output"));
  const bool several = command.find("samples") != nullptr;
  const bool reals = command["reals"].as_bool(false);
  int64_t count = 1;
  if (several) {
    OREE_TRY_ASSIGN(count, command.get_int("samples", 1, kSamplesPerCommandMax));
  }
  OREE_TRY_ASSIGN(Bytes file, ports.files->read(in, kModelBytesMax));
  auto tensors = read_npz(file);
  if (!tensors.ok()) return tensors.error().within(in);
  std::vector<NamedTensors> samples;
  if (several) {
    OREE_TRY_ASSIGN(samples, split_samples(std::move(*tensors), static_cast<size_t>(count)));
  } else {
    samples.push_back(std::move(*tensors));
  }
  OREE_TRY_ASSIGN(std::vector<NamedTensors> found, answers(samples));
  NamedTensors results;
  for (size_t i = 0; i < found.size(); ++i) {
    if (reals) make_real(found[i], session->outputs());
    for (NamedTensor& t : found[i]) {
      if (several) t.name = sample_name(i, t.name);
      results.push_back(std::move(t));
    }
  }
  OREE_TRY_ASSIGN(Bytes written, write_npz(results));
  OREE_TRY_ASSIGN(auto target, ports.files->create(out));
  OREE_TRY(target->write(written));
  mark_idle();
  return Json::object();
}

// As many together as the batch is, the last ones as many as there are.
Result<std::vector<NamedTensors>> WorkerCore::State::answers(const std::vector<NamedTensors>& samples) {
  std::vector<NamedTensors> found;
  for (size_t i = 0; i < samples.size(); i += batch) {
    const size_t count = std::min(batch, samples.size() - i);
    if (batch == 1) {
      OREE_TRY_ASSIGN(NamedTensors own, session->run(samples[i]));
      found.push_back(std::move(own));
      continue;
    }
    OREE_TRY_ASSIGN(const NamedTensors together, stack_samples(std::span(samples).subspan(i, count)));
    OREE_TRY_ASSIGN(const NamedTensors own, session->run(together));
    OREE_TRY_ASSIGN(std::vector<NamedTensors> apart, unstack_samples(own, count));
    std::ranges::move(apart, std::back_inserter(found));
  }
  return found;
}

Result<std::unique_ptr<PowerMeter>> WorkerCore::State::meter(const Json& command) {
  if (ports.power == nullptr) return Error(Code::kUnsupported, "this program measures no energy");
  OREE_TRY_ASSIGN(const std::string name, command.get_text("meter", 4096));
  if (command["named"].as_bool(false) && !name.empty()) {
    bool known = false;
    for (const PowerSource& source : ports.power->sources()) known = known || source.info.method == name;
    if (!known) {
      return Error(Code::kUsage,
                   fmt::format("'{}' is no meter of the device's own; a program of another machine is not "
                               "run there: its [measure] power_meter names one",
                               name));
    }
  }
  return ports.power->open(name);
}

// The load runs here, so that no pipe and no network stands in its windows.
Result<Json> WorkerCore::State::energy(const Json& command) {
  if (!session) return Error(Code::kUsage, "no model is open");
  if (inputs.empty()) return Error(Code::kUsage, "no input is set");
  OREE_TRY_ASSIGN(const Json* asked, command.get_object("plan"));
  OREE_TRY_ASSIGN(const EnergyPlan plan, energy_plan_from_json(*asked));
  OREE_TRY_ASSIGN(std::unique_ptr<PowerMeter> power, meter(command));
  const EnergyLoad load = [this](double seconds) -> Result<int64_t> {
    const int64_t end = ports.clock->monotonic_ns() + static_cast<int64_t>(seconds * 1e9);
    int64_t done = 0, ns = 0;
    while (ports.clock->monotonic_ns() < end) {
      OREE_TRY(infer_timed(&ns));
      done += static_cast<int64_t>(batch);
    }
    return done;
  };
  Json reply = Json().set("energy", measure_energy(*ports.clock, *power, load, plan).to_json());
  mark_idle();
  return reply;
}

WorkerCore::WorkerCore(const Ports& ports) : state_(std::make_unique<State>(ports)) {}
WorkerCore::~WorkerCore() = default;

Json WorkerCore::answer(const Json& command) {
  const std::string& name = command["cmd"].as_string();
  Result<Json> reply = name == "open"       ? state_->open(command)
                       : name == "input"    ? state_->set_input(command)
                       : name == "run"      ? state_->run(command)
                       : name == "outputs"  ? state_->outputs(command)
                       : name == "energy"   ? state_->energy(command)
                       : name == "meter"    ? state_->meter_name(command)
                       : name == "runtimes" ? Result<Json>(Json().set("runtimes", runtimes_to_json(runtimes_here())))
                                            : Error(Code::kUsage, fmt::format("worker: unknown command '{}'", name));
  if (reply.ok()) return reply->set("ok", true);
  return Json().set("error",
                    Json().set("code", code_name(reply.error().code())).set("message", reply.error().message()));
}

namespace {

bool write_line(int out, const std::string& line) {
  std::string text = line + "\n";
  for (size_t done = 0; done < text.size();) {
    ssize_t n = write(out, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

int run_worker(const Ports& ports, int in, int out) {
  WorkerCore core(ports);
  std::string pending;
  char chunk[4096];
  while (true) {
    ssize_t n = read(in, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    pending.append(chunk, static_cast<size_t>(n));
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      auto command = Json::parse(pending.substr(0, end));
      Json reply =
          command.ok()
              ? core.answer(*command)
              : Json().set(
                    "error",
                    Json().set("code", code_name(command.error().code())).set("message", command.error().message()));
      if (!write_line(out, reply.dump())) return 0;
    }
    if (pending.size() > static_cast<size_t>(kAppMessageBytesMax)) return exit_code(Code::kInvalid);
  }
}

int worker_main(const Ports& ports) {
  const char* text = std::getenv("OREE_AGENT_FD");
  int out = -1;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), out);
  if (out < 0) {
    std::fputs("oree worker: started by oree itself, not by hand (no message pipe)\n", stderr);
    return exit_code(Code::kUsage);
  }
  dup2(STDOUT_FILENO, STDERR_FILENO);
  return run_worker(ports, STDIN_FILENO, out);
}

}  // namespace oree
