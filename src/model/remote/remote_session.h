// SPDX-License-Identifier: Apache-2.0
// RemoteSession: what a RemoteTarget and the channels of its workers share: the device, the job, which files it has.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "model/remote/device_http.h"
#include "model/remote/protocol.h"
#include "model/remote/remote_target.h"

namespace oree {

struct RemoteSession {
  RemoteSession(const Ports& borrowed, RemoteSettings settings, RemoteTarget::FilesOf model_files)
      : ports(borrowed), http(borrowed, std::move(settings)), files_of(std::move(model_files)) {}

  // One request; the device's absence, or the job's, becomes `away`.
  Result<HttpResponse> ask(const DeviceRequest& request, const HttpSink& sink = {});
  Status begin_job();
  void end_job();
  std::string path(const std::string& below) const { return "/jobs/" + job + below; }

  Result<FileRef> refer(const std::string& path, const std::string& name);  // by its content
  Status send_file(const std::string& digest);                              // one that was referred to

  Ports ports;
  DeviceHttp http;
  RemoteTarget::FilesOf files_of;
  std::string job;      // "": none
  std::string boot_id;  // at the last grant
  int64_t workers = 0;  // started in this job
  std::optional<Error> away;
  bool time_over = false;  // the device ended the job for its length

 private:
  struct Content {
    std::string digest;
    int64_t size = 0, mtime_ms = 0;
  };
  std::map<std::string, Content> contents_;   // by path, as long as size and time of change are the same
  std::map<std::string, std::string> paths_;  // by digest
  std::set<std::string> sent_;                // in this job
};

// The channel to the worker that was started as number `worker`.
std::unique_ptr<WorkerChannel> remote_channel(std::shared_ptr<RemoteSession> session, int64_t worker);

}  // namespace oree
