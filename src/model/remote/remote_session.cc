// SPDX-License-Identifier: Apache-2.0
#include "model/remote/remote_session.h"

#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/digest/file_digest.h"

namespace oree {
namespace {

constexpr int64_t kBeginMs = 180'000;  // the application there may take its time to end
constexpr int64_t kStoreMs = 120'000;  // a slow card syncs what was sent
constexpr size_t kContentsMax = 4096;

}  // namespace

Result<HttpResponse> RemoteSession::ask(const DeviceRequest& request, const HttpSink& sink) {
  auto response = http.send(request, sink);
  if (!response.ok()) {
    if (response.error().code() == Code::kUnavailable) away = response.error();
    return response.error();
  }
  if (response->status != 410) return response;
  auto json = Json::parse(response->body);
  time_over = json.ok() && (*json)["ended"].as_string() == "time";
  Error over = http.refusal(*response, "the job on the device is over");
  away = Error(Code::kUnavailable, over.message());
  return *away;
}

Status RemoteSession::begin_job() {
  std::string id = fmt::format("{:016x}{:016x}", ports.random->next_u64(), ports.random->next_u64());
  DeviceRequest request{"PUT", "/jobs/" + id, job_request_to_json({http.settings().by, http.settings().time_ms_max}),
                        "", kBeginMs};
  OREE_TRY_ASSIGN(HttpResponse response, http.send(request));
  if (response.status / 100 != 2) return http.refusal(response, http.settings().url);
  OREE_TRY_ASSIGN(Json json, Json::parse(response.body));
  auto grant = job_grant_from_json(json);
  if (!grant.ok()) return grant.error().within(http.settings().url);
  job = id;
  boot_id = grant->boot_id;
  workers = 0;
  sent_.clear();
  away.reset();
  time_over = false;
  return {};
}

void RemoteSession::end_job() {
  if (job.empty()) return;
  // Unheard, it may live on there until its lease is over: it is named again the next time.
  if (http.send_once({"DELETE", path(""), {}, "", 10'000}).ok()) job.clear();
}

Result<FileRef> RemoteSession::refer(const std::string& file, const std::string& name) {
  OREE_TRY_ASSIGN(FileInfo info, ports.files->info(file));
  auto known = contents_.find(file);
  // A file written again within one tick of its clock, with the same size, would go unseen: only what is old enough to
  // be told apart is believed.
  bool same = known != contents_.end() && known->second.size == info.size && known->second.mtime_ms == info.mtime_ms &&
              ports.clock->wall_ms() - info.mtime_ms > 2000;
  if (!same) {
    OREE_TRY_ASSIGN(std::string digest, file_digest(*ports.files, file));
    if (contents_.size() >= kContentsMax) contents_.clear();
    contents_[file] = {digest, info.size, info.mtime_ms};
  }
  const std::string& digest = contents_[file].digest;
  if (paths_.size() >= kContentsMax) paths_.clear();
  paths_[digest] = file;
  return FileRef{name, digest};
}

Status RemoteSession::send_file(const std::string& digest) {
  auto found = paths_.find(digest);
  if (found == paths_.end())
    return Error(Code::kInvalid, "the device asks for a file that was not spoken of: " + digest);
  std::string where = path("/files/" + digest);
  if (!sent_.contains(digest)) {
    OREE_TRY_ASSIGN(HttpResponse there, ask({"HEAD", where, {}, "", 30'000}));
    if (there.status == 200) {
      sent_.insert(digest);
      return {};
    }
  }
  OREE_TRY_ASSIGN(HttpResponse stored, ask({"PUT", where, {}, found->second, kStoreMs}));
  if (stored.status / 100 != 2) return http.refusal(stored, "sending " + path_name(found->second) + " to the device");
  sent_.insert(digest);
  return {};
}

}  // namespace oree
