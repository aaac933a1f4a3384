// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"
#include "core/crypto/crypto.h"
#include "model/remote/remote_session.h"

namespace oree {
namespace {

constexpr int64_t kWaitMs = 10'000;   // one request is held back so long at most: a device that is gone is noticed
constexpr int64_t kGraceMs = 60'000;  // over the child's own time, for the device to say that it is over
constexpr int kSendsMax = 4;          // rounds of files that the device says it lacks

class RemoteChannel : public WorkerChannel {
 public:
  RemoteChannel(std::shared_ptr<RemoteSession> session, int64_t worker)
      : session_(std::move(session)), job_(session_->job), worker_(worker) {}
  ~RemoteChannel() override;
  Result<Json> ask(const Json& command, int64_t timeout_ms) override;

 private:
  Result<Json> carry(const Json& command, int64_t timeout_ms);
  Result<RemoteCommand> translate(const Json& command);
  Result<RemoteAnswer> perform(RemoteCommand& command);
  Status send_missing(const HttpResponse& response);
  Status fetch(const RemoteAnswer& answer, const std::string& path);
  std::string path(const std::string& below) const {
    return session_->path(fmt::format("/workers/{}{}", worker_, below));
  }

  std::shared_ptr<RemoteSession> session_;
  std::string job_;
  int64_t worker_, sequence_ = 0;
  std::optional<Error> failed_;
};

RemoteChannel::~RemoteChannel() {
  // One that is gone, or a job that is over, took the worker along.
  if (session_->away || session_->job != job_) return;
  (void)session_->http.send_once({"DELETE", path(""), {}, "", 10'000});
}

Result<Json> RemoteChannel::ask(const Json& command, int64_t timeout_ms) {
  if (failed_) return *failed_;
  auto reply = session_->job == job_ && !session_->away
                   ? carry(command, timeout_ms)
                   : Result<Json>(Error(Code::kUnavailable, "the worker was lost together with the device"));
  if (!reply.ok()) failed_ = reply.error();
  return reply;
}

Result<Json> RemoteChannel::carry(const Json& command, int64_t timeout_ms) {
  OREE_TRY_ASSIGN(RemoteCommand remote, translate(command));
  remote.timeout_ms = std::min(timeout_ms, kMeasureCommandMsMax);
  ++sequence_;
  OREE_TRY_ASSIGN(RemoteAnswer answer, perform(remote));
  if (answer.dead) return *answer.dead;
  bool wanted = command["cmd"].as_string() == "outputs" && (*answer.answer)["ok"].as_bool();
  if (wanted) OREE_TRY(fetch(answer, command["output"].as_string()));
  return *answer.answer;
}

Result<RemoteCommand> RemoteChannel::translate(const Json& command) {
  RemoteCommand remote;
  remote.command = Json::object();
  for (const auto& [key, value] : command.members()) {
    bool file = key == "model" || key == "npz" || key == "input" || key == "output";
    if (!file) remote.command.set(key, value);
  }
  if (const Json* model = command.find("model")) {
    OREE_TRY_ASSIGN(std::vector<ModelFile> files, session_->files_of(model->as_string()));
    for (const ModelFile& file : files) {
      OREE_TRY_ASSIGN(FileRef ref, session_->refer(file.file, file.name));
      remote.model.push_back(std::move(ref));
    }
  }
  const std::string& input = command[command.find("npz") != nullptr ? "npz" : "input"].as_string();
  if (!input.empty()) {
    OREE_TRY_ASSIGN(FileRef ref, session_->refer(input, ""));
    remote.input = ref.digest;
  }
  return remote;
}

Result<RemoteAnswer> RemoteChannel::perform(RemoteCommand& command) {
  Clock& clock = *session_->ports.clock;
  const std::string& name = command.command["cmd"].as_string();
  std::string where = path(fmt::format("/commands/{}", sequence_));
  int64_t deadline = clock.monotonic_ns() + (command.timeout_ms + kGraceMs) * 1'000'000;
  command.wait_ms = std::min(kWaitMs, command.timeout_ms);
  for (int sends = 0;;) {
    OREE_TRY_ASSIGN(HttpResponse response,
                    session_->ask({"POST", where, remote_command_to_json(command), "", command.wait_ms + 20'000}));
    if (response.status == 404 && sends++ < kSendsMax) {
      OREE_TRY(send_missing(response));
      deadline = clock.monotonic_ns() + (command.timeout_ms + kGraceMs) * 1'000'000;  // sending took its own time
      continue;
    }
    if (response.status != 200 && response.status != 202)
      return session_->http.refusal(response, fmt::format("'{}' on the device", name));
    OREE_TRY_ASSIGN(Json json, Json::parse(response.body));
    auto answer = remote_answer_from_json(json);
    if (!answer.ok()) return answer.error().within(session_->http.settings().url);
    if (answer->answer || answer->dead) return answer;
    if (clock.monotonic_ns() >= deadline) {
      return Error(Code::kUnavailable,
                   fmt::format("the device gave no answer to '{}' within {} s", name, command.timeout_ms / 1000));
    }
  }
}

Status RemoteChannel::send_missing(const HttpResponse& response) {
  auto json = Json::parse(response.body);
  const Json* missing = json.ok() ? json->find("missing") : nullptr;
  if (missing == nullptr || missing->items().empty() || missing->items().size() > kMeasureModelFilesMax)
    return session_->http.refusal(response, "the device");
  for (const Json& digest : missing->items()) OREE_TRY(session_->send_file(digest.as_string()));
  return {};
}

Status RemoteChannel::fetch(const RemoteAnswer& answer, const std::string& output) {
  if (answer.output_digest.empty()) return Error(Code::kInvalid, "the device names no file of outputs");
  for (int attempt = 0;; ++attempt) {
    OREE_TRY_ASSIGN(auto file, session_->ports.files->create(output));
    Sha256 hash;
    int64_t bytes = 0;
    auto sink = [&](ByteView chunk) -> Status {
      bytes += static_cast<int64_t>(chunk.size());
      if (bytes > answer.output_bytes)
        return Error(Code::kIntegrity, "the device sends more outputs than it has named");
      hash.update(chunk);
      return file->write(chunk);
    };
    auto response = session_->ask({"GET", path("/output"), {}, "", 30'000}, sink);
    bool stumbled = !response.ok() && response.error().code() == Code::kUnavailable && attempt < 2;
    if (stumbled) {
      session_->away.reset();
      session_->ports.clock->sleep_ms(500);
      continue;
    }
    if (!response.ok()) return response.error();
    if (response->status != 200) return session_->http.refusal(*response, "fetching outputs from the device");
    if (digest_text(hash.finish()) == answer.output_digest) return {};
    return Error(Code::kIntegrity, "the outputs that came from the device are not those that it has named");
  }
}

}  // namespace

std::unique_ptr<WorkerChannel> remote_channel(std::shared_ptr<RemoteSession> session, int64_t worker) {
  return std::make_unique<RemoteChannel>(std::move(session), worker);
}

}  // namespace oree
