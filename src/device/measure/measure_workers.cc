// SPDX-License-Identifier: Apache-2.0
// MeasureServer: the workers of a job, their commands and files.
#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/measure_limits.h"
#include "core/digest/file_digest.h"
#include "device/measure/measure_answer.h"
#include "device/measure/measure_server.h"

namespace oree {
namespace {

constexpr int64_t kOutputBytesExpected = 1 << 20;  // of free disk before a child writes outputs

}  // namespace

std::string MeasureServer::worker_folder(int64_t worker) const {
  return path_join(options_.data, fmt::format("job/{}", worker));
}

WorkerSettings MeasureServer::worker_settings(int64_t address_space_bytes_max) const {
  WorkerSettings settings;
  if (!options_.worker_program.empty()) settings.argv = {options_.worker_program, "worker"};
  settings.memory_bytes_max = address_space_bytes_max;
  return settings;
}

ServerResponse MeasureServer::start_worker(const MeasureRoute& route, const std::string& body) {
  auto job = job_of(route.job);
  if (!job) return gone(route.job);
  auto json = Json::parse(body);
  auto memory = json.ok() ? json->get_int("memory_bytes_max", 0, int64_t{1} << 50) : Result<int64_t>(json.error());
  if (!memory.ok()) return error_response(memory.error());
  {
    std::lock_guard lock(mutex_);
    if (job->workers.contains(route.worker)) return json_response(200, Json::object());
    if (route.worker <= job->started)
      return error_response(Error(Code::kConflict, fmt::format("worker {} is over", route.worker)));
    if (job->workers.size() >= static_cast<size_t>(kMeasureWorkersMax)) {
      return error_response(
          Error(Code::kExhausted, fmt::format("{} workers are alive, which is the most", kMeasureWorkersMax)));
    }
    job->started = route.worker;
  }
  auto lane = WorkerLane::start(ports_, static_cast<int>(route.worker), worker_settings(*memory), job->budget);
  if (!lane.ok()) return error_response(lane.error().within("starting a worker"));
  std::shared_ptr<WorkerLane> late;  // the job ended meanwhile: this one ends, too, outside of the lock
  {
    std::lock_guard lock(mutex_);
    if (job_ == job && !ending_) {
      job->workers[route.worker].lane = std::move(*lane);
      return json_response(201, Json::object());
    }
    late = std::move(*lane);
  }
  late.reset();
  return gone(route.job);
}

ServerResponse MeasureServer::end_worker(const MeasureRoute& route) {
  auto job = job_of(route.job);
  if (!job) return gone(route.job);
  Held held;
  {
    std::lock_guard lock(mutex_);
    auto found = job->workers.find(route.worker);
    if (found == job->workers.end()) return json_response(200, Json::object());
    held = std::move(found->second);
    job->workers.erase(found);
  }
  held.lane->stop();
  if (auto s = ports_.files->remove_all(worker_folder(route.worker)); !s.ok()) log_warn("measure", s.error().message());
  return json_response(200, Json::object());
}

// ---- commands

ServerResponse MeasureServer::command(const MeasureRoute& route, const std::string& body) {
  auto job = job_of(route.job);
  if (!job) return gone(route.job);
  auto json = Json::parse(body);
  auto request = json.ok() ? remote_command_from_json(*json) : Result<RemoteCommand>(json.error());
  if (!request.ok()) return error_response(request.error());
  std::shared_ptr<WorkerLane> lane;
  {
    std::lock_guard lock(mutex_);
    auto found = job->workers.find(route.worker);
    if (found != job->workers.end()) lane = found->second.lane;
  }
  if (!lane) return error_response(Error(Code::kConflict, fmt::format("there is no worker {}", route.worker)));
  auto turn = lane->look(route.command, request->wait_ms);
  if (!turn) {
    if (auto refused = give(job, *lane, route, *request)) return *refused;
    turn = lane->look(route.command, request->wait_ms);
  }
  job->heard_ns = now_ns();
  if (turn->kind == WorkerLane::Turn::kAnswered) return json_response(200, remote_answer_to_json(turn->answer));
  if (turn->kind == WorkerLane::Turn::kRunning) return json_response(202, Json::object());
  return error_response(Error(Code::kConflict, fmt::format("worker {} expects command {}, not {}", route.worker,
                                                           turn->expected, route.command)));
}

// Nothing when the lane has the command now.
std::optional<ServerResponse> MeasureServer::give(const std::shared_ptr<Job>& job, WorkerLane& lane,
                                                  const MeasureRoute& route, const RemoteCommand& request) {
  std::lock_guard one(giving_);
  if (lane.look(route.command, 0)) return std::nullopt;  // the same request, twice at once
  Json missing = Json::array();
  Held kept;
  auto take = [&](const std::string& digest) {
    auto pin = cache_.pin(digest);
    if (!pin) missing.push(digest);
    return pin;
  };
  for (const FileRef& file : request.model) kept.model.push_back(take(file.digest));
  if (!request.input.empty()) kept.input = take(request.input);
  if (!missing.items().empty()) {
    Json lacking = error_to_json(Error(Code::kNotFound, "files are not on the device"));
    return json_response(404, lacking.set("missing", missing));
  }
  auto ready = prepare(*job, route.worker, request, kept);
  if (!ready.ok()) return error_response(ready.error());
  std::function<Status(RemoteAnswer&)> after;
  if ((*ready)["cmd"].as_string() == "outputs") {
    after = [this, job, worker = route.worker, path = (*ready)["output"].as_string()](RemoteAnswer& answer) {
      return name_output(path, worker, job, answer);
    };
  }
  lane.give(route.command, *ready, request.timeout_ms, std::move(after));
  return std::nullopt;
}

// The command as the child understands it: paths of this machine for digests. The worker keeps what it needs of `kept`.
Result<Json> MeasureServer::prepare(Job& job, int64_t worker, const RemoteCommand& command, Held& kept) {
  std::string folder = worker_folder(worker);
  Json ready = command.command;
  std::string name = ready["cmd"].as_string();
  if (name == "open") {
    std::string models = path_join(folder, "model");
    OREE_TRY(place_model(command.model, models));
    ready.set("model", path_join(models, command.model.front().name));
  } else if (name == "input") {
    ready.set("npz", command.input.empty() ? "" : cache_.path(command.input));
  } else if (name == "meter" || name == "energy") {
    // The device's own words: whoever measures must not name a program to run here.
    const bool own = ready["meter"].as_string().empty() && !options_.power_meter.empty();
    ready.set("named", !own);
    if (own) ready.set("meter", options_.power_meter);
  } else if (name == "outputs") {
    OREE_TRY(ports_.files->make_dirs(folder));
    OREE_TRY(cache_.make_room(kOutputBytesExpected));
    ready.set("input", cache_.path(command.input)).set("output", path_join(folder, "out.npz"));
  }
  std::lock_guard lock(mutex_);
  auto found = job.workers.find(worker);
  if (found == job.workers.end()) return Error(Code::kConflict, fmt::format("worker {} was ended", worker));
  if (name == "open") found->second.model = std::move(kept.model);
  found->second.input = std::move(kept.input);
  found->second.output.clear();
  return ready;
}

Status MeasureServer::place_model(const std::vector<FileRef>& model, const std::string& folder) {
  OREE_TRY(ports_.files->remove_all(folder));
  for (const FileRef& file : model) {
    std::string path = path_join(folder, file.name);
    OREE_TRY(ports_.files->make_dirs(path_parent(path)));
    OREE_TRY(place_(*ports_.files, cache_.path(file.digest), path));
  }
  return {};
}

// On the worker's thread, once its child has written the outputs.
Status MeasureServer::name_output(const std::string& path, int64_t worker, const std::shared_ptr<Job>& job,
                                  RemoteAnswer& answer) {
  if (Status room = cache_.make_room(0); !room.ok()) {
    (void)ports_.files->remove(path);
    return room;
  }
  OREE_TRY_ASSIGN(FileInfo info, ports_.files->info(path));
  OREE_TRY_ASSIGN(answer.output_digest, file_digest(*ports_.files, path));
  answer.output_bytes = info.size;
  std::lock_guard lock(mutex_);
  auto found = job->workers.find(worker);
  if (found != job->workers.end()) found->second.output = path;
  return {};
}

ServerResponse MeasureServer::output(const MeasureRoute& route) {
  auto job = job_of(route.job);
  if (!job) return gone(route.job);
  std::string path;
  {
    std::lock_guard lock(mutex_);
    auto found = job->workers.find(route.worker);
    if (found != job->workers.end()) path = found->second.output;
  }
  if (path.empty()) return error_response(Error(Code::kNotFound, "the worker has no outputs"));
  auto file = ports_.files->open(path);
  if (!file.ok()) return error_response(file.error());
  ServerResponse response;
  response.headers["content-type"] = "application/octet-stream";
  response.file = std::move(*file);
  response.length = response.file->size();
  return response;
}

}  // namespace oree
