// SPDX-License-Identifier: Apache-2.0
#include "device/measure/measure_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/measure_limits.h"
#include "core/base/text.h"
#include "device/measure/measure_answer.h"
#include "model/eval/pipe_channel.h"
#include "model/runtime/runtime_info.h"

namespace oree {
namespace {

constexpr char kHashPrefix[] = "sha256:";
constexpr int64_t kLookMs = 100'000;  // at the engines, by a child

RequestPlan refuse(const ServerResponse& response) {
  RequestPlan plan;
  plan.answer = response;
  return plan;
}

int64_t seconds(int64_t ns) { return ns / 1'000'000'000; }

}  // namespace

// A small JSON body, answered when it is whole.
class MeasureServer::BodySink : public RequestSink {
 public:
  BodySink(MeasureServer& server, MeasureRoute route) : server_(server), route_(std::move(route)) {}
  std::optional<ServerResponse> write(ByteView chunk) override {
    body_ += as_text(chunk);
    return std::nullopt;
  }
  ServerResponse finish() override { return server_.answer(route_, body_); }

 private:
  MeasureServer& server_;
  MeasureRoute route_;
  std::string body_;
};

class MeasureServer::FileSink : public RequestSink {
 public:
  FileSink(std::shared_ptr<Job> job, Clock& clock, std::unique_ptr<FileCache::Upload> upload)
      : job_(std::move(job)), clock_(clock), upload_(std::move(upload)) {}
  std::optional<ServerResponse> write(ByteView chunk) override {
    job_->heard_ns = clock_.monotonic_ns();  // a long file is no silence
    if (Status written = upload_->write(chunk); !written.ok()) return error_response(written.error());
    return std::nullopt;
  }
  ServerResponse finish() override {
    auto fresh = upload_->finish();
    job_->heard_ns = clock_.monotonic_ns();
    if (!fresh.ok()) return error_response(fresh.error());
    return json_response(*fresh ? 201 : 200, Json::object());
  }

 private:
  std::shared_ptr<Job> job_;
  Clock& clock_;
  std::unique_ptr<FileCache::Upload> upload_;
};

MeasureServer::MeasureServer(const Ports& ports, MeasureOptions options, const std::string& token, JobGate& gate,
                             PlaceFile place)
    : ports_(ports),
      options_(std::move(options)),
      gate_(gate),
      place_(std::move(place)),
      cache_(*ports.files, *ports.random, options_.data, {options_.disk_bytes_max, options_.reserve_bytes}) {
  std::string text(trim(token));
  if (text.starts_with(kHashPrefix)) {
    token_digest_ = text.substr(sizeof kHashPrefix - 1);
  } else {
    token_digest_ = digest_text(sha256(as_bytes(text)));
    token_chars_ = text.size();
  }
}

MeasureServer::~MeasureServer() { close(); }

Status MeasureServer::open() {
  bool good = token_chars_ ? *token_chars_ >= static_cast<size_t>(kMeasureTokenCharsMin) : is_digest(token_digest_);
  if (!good) {
    return Error(Code::kUsage, fmt::format("{}: expected a token of at least {} characters, or sha256: and its hash",
                                           options_.token_file, kMeasureTokenCharsMin));
  }
  OREE_TRY(ports_.files->make_dirs(options_.data));
  OREE_TRY(ports_.files->remove_all(path_join(options_.data, "job")));
  OREE_TRY(cache_.open());
  machine_ = ports_.sensors->identity();
  if (options_.memory_bytes_max == 0)
    options_.memory_bytes_max = std::max<int64_t>(machine_.memory_total_bytes / 4 * 3, 1);
  return {};
}

void MeasureServer::close() {
  std::shared_ptr<Job> job;
  {
    std::lock_guard lock(mutex_);
    job = job_;
  }
  if (job) end_job(job, "stopped", "measuring was stopped on the device");
}

bool MeasureServer::allowed(const ServerRequest& head) const {
  std::string token = bearer_token(head.headers);
  return !token.empty() && equal_constant_time(digest_text(sha256(as_bytes(token))), token_digest_);
}

RequestPlan MeasureServer::begin(const ServerRequest& head) {
  if (!allowed(head)) {
    ServerResponse response = json_response(401, error_to_json(Error(Code::kRefused, "the token is not accepted")));
    response.headers["www-authenticate"] = "Bearer";
    return refuse(response);
  }
  MeasureRoute route = measure_route(head.method, head.target);
  if (route.kind == MeasureRoute::kUnknown) return refuse(error_response(Error(Code::kNotFound, "no such path here")));
  if (route.kind == MeasureRoute::kWrongMethod)
    return refuse(json_response(405, error_to_json(Error(Code::kInvalid, head.method + " is not for this path"))));
  if (route.kind == MeasureRoute::kPutFile) return put_file(route, head);
  RequestPlan plan;
  plan.body_bytes_max = kMeasureBodyBytesMax;
  plan.sink = std::make_unique<BodySink>(*this, route);
  return plan;
}

ServerResponse MeasureServer::answer(const MeasureRoute& route, const std::string& body) {
  switch (route.kind) {
    case MeasureRoute::kDevice: return describe();
    case MeasureRoute::kReading: {
      std::lock_guard lock(reading_);
      return json_response(200, reading_to_json(ports_.sensors->read()));
    }
    case MeasureRoute::kBeginJob: return begin_job(route, body);
    case MeasureRoute::kLookAtJob: return look_at_job(route);
    case MeasureRoute::kEndJob: {
      auto job = job_of(route.job);
      if (!job) return gone(route.job);
      end_job(job, "asked", "it was ended by whoever began it");
      return json_response(200, Json::object());
    }
    case MeasureRoute::kHasFile: {
      if (!job_of(route.job)) return gone(route.job);
      return json_response(cache_.use(route.digest) ? 200 : 404, Json::object());
    }
    case MeasureRoute::kStartWorker: return start_worker(route, body);
    case MeasureRoute::kEndWorker: return end_worker(route);
    case MeasureRoute::kCommand: return command(route, body);
    case MeasureRoute::kOutput: return output(route);
    default: return error_response(Error(Code::kInternal, "unhandled route"));
  }
}

RequestPlan MeasureServer::put_file(const MeasureRoute& route, const ServerRequest& head) {
  auto job = job_of(route.job);
  if (!job) return refuse(gone(route.job));
  auto length = head.headers.find("content-length");
  bool known = length != head.headers.end() && !length->second.empty() && length->second.size() <= 18 &&
               length->second.find_first_not_of("0123456789") == std::string::npos;
  if (!known) return refuse(json_response(411, error_to_json(Error(Code::kInvalid, "a Content-Length is needed"))));
  int64_t size = std::stoll(length->second);
  if (size > kModelBytesMax)
    return refuse(json_response(413, error_to_json(Error(Code::kExhausted, "the file is too large for any device"))));
  auto upload = cache_.begin(route.digest, size);
  if (!upload.ok()) return refuse(error_response(upload.error()));
  RequestPlan plan;
  plan.body_bytes_max = size;
  plan.sink = std::make_unique<FileSink>(job, *ports_.clock, std::move(*upload));
  return plan;
}

// ---- the device

ServerResponse MeasureServer::describe() {
  std::lock_guard one(looking_);
  bool measuring = false;
  {
    std::lock_guard lock(mutex_);
    measuring = job_ != nullptr;
  }
  // A look starts a child that loads every engine: not beside a measurement, when one was had before.
  if (!seen_ || !measuring) {
    auto seen = look_around();
    if (!seen.ok()) return error_response(seen.error().within("looking at the device's engines"));
    seen_ = std::move(*seen);
  }
  Json json = description_to_json(*seen_);
  std::lock_guard lock(mutex_);
  if (job_) json.set("busy", Json().set("by", job_->by).set("seconds", seconds(now_ns() - job_->begun_ns)));
  return json_response(200, json);
}

Result<TargetDescription> MeasureServer::look_around() {
  TargetDescription description{options_.name, ports_.sensors->identity(), {}, options_.memory_bytes_max};
  OREE_TRY_ASSIGN(auto channel, start_channel(ports_, worker_settings(0)));
  OREE_TRY_ASSIGN(Json reply, channel->ask(Json().set("cmd", "runtimes"), kLookMs));
  OREE_TRY_ASSIGN(description.runtimes, runtimes_from_json(reply["runtimes"]));
  return description;
}

// ---- the job

std::shared_ptr<MeasureServer::Job> MeasureServer::job_of(const std::string& id) {
  std::lock_guard lock(mutex_);
  if (!job_ || ending_ || job_->id != id) return nullptr;
  job_->heard_ns = now_ns();
  return job_;
}

ServerResponse MeasureServer::gone(const std::string& id) {
  std::lock_guard lock(mutex_);
  bool known = ended_ && ended_->id == id;
  Json json = error_to_json(Error(Code::kNotFound, known ? ended_->text
                                                         : "this device knows no such job: it was started anew since, "
                                                           "or the job is long over"));
  return json_response(410, json.set("ended", known ? ended_->how : ""));
}

ServerResponse MeasureServer::busy() const {
  if (job_ && !ending_) {
    int64_t since = seconds(ports_.clock->monotonic_ns() - job_->begun_ns);
    Json json = error_to_json(
        Error(Code::kConflict, fmt::format("the device is busy: {} measures on it since {} s", job_->by, since)));
    return json_response(409, json.set("by", job_->by).set("seconds", since));
  }
  std::string text = ending_ ? "the device is busy: it ends the job before"
                             : "the device is busy: " + beginning_by_ + " begins to measure on it";
  return json_response(409, error_to_json(Error(Code::kConflict, text)));
}

ServerResponse MeasureServer::begin_job(const MeasureRoute& route, const std::string& body) {
  auto json = Json::parse(body);
  auto request = json.ok() ? job_request_from_json(*json) : Result<JobRequest>(json.error());
  if (!request.ok()) return error_response(request.error());
  int64_t time_ms_max =
      request->time_ms_max > 0 ? std::min(request->time_ms_max, options_.job_ms_max) : options_.job_ms_max;
  auto granted = [&](const Job& job, int status) {
    return json_response(status, job_grant_to_json({options_.lease_ms, job.time_ms_max, machine_.boot_id}));
  };
  {
    std::lock_guard lock(mutex_);
    if (job_ && !ending_ && job_->id == route.job) return granted(*job_, 200);
    if (job_ || ending_ || !beginning_.empty()) return busy();
    beginning_ = route.job;
    beginning_by_ = request->by;
  }
  Status status = gate_.begin(request->by);
  std::lock_guard lock(mutex_);
  beginning_.clear();
  if (!status.ok()) return error_response(status.error());
  auto job = std::make_shared<Job>(options_.memory_bytes_max);
  job->id = route.job;
  job->by = request->by;
  job->begun_ns = now_ns();
  job->heard_ns = job->begun_ns;
  job->time_ms_max = time_ms_max;
  job_ = job;
  log_info("measure", fmt::format("a job of {} begins", job->by));
  return granted(*job, 201);
}

ServerResponse MeasureServer::look_at_job(const MeasureRoute& route) {
  auto job = job_of(route.job);
  if (!job) return gone(route.job);
  std::lock_guard lock(mutex_);
  return json_response(
      200,
      Json().set("by", job->by).set("seconds", seconds(now_ns() - job->begun_ns)).set("workers", job->workers.size()));
}

void MeasureServer::tick() {
  std::shared_ptr<Job> job;
  {
    std::lock_guard lock(mutex_);
    job = job_;
  }
  if (!job) return;
  int64_t now = now_ns();
  int64_t silence_ms = (now - job->heard_ns) / 1'000'000, age_ms = (now - job->begun_ns) / 1'000'000;
  if (silence_ms >= options_.lease_ms)
    end_job(job, "lease", fmt::format("no request came for {} s", silence_ms / 1000));
  else if (age_ms >= job->time_ms_max)
    end_job(job, "time",
            fmt::format("the device lends itself for {} s at a time, and they are over", job->time_ms_max / 1000));
}

void MeasureServer::end_job(const std::shared_ptr<Job>& job, const std::string& how, const std::string& text) {
  std::map<int64_t, Held> workers;
  {
    std::lock_guard lock(mutex_);
    if (job_ != job || ending_) return;
    ending_ = true;
    ended_ = Ended{job->id, how, text};
    workers = std::move(job->workers);
    job->workers.clear();
  }
  log_info("measure", fmt::format("the job of {} ends: {}", job->by, text));
  for (auto& [number, held] : workers) held.lane->stop();
  workers.clear();
  if (auto s = ports_.files->remove_all(path_join(options_.data, "job")); !s.ok())
    log_warn("measure", s.error().message());
  if (auto s = cache_.save_order(); !s.ok()) log_warn("measure", s.error().message());
  gate_.end();
  std::lock_guard lock(mutex_);
  job_.reset();
  ending_ = false;
}

}  // namespace oree
