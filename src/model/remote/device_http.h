// SPDX-License-Identifier: Apache-2.0
// DeviceHttp: the talk with one device's agent, and its failures in words. Every question of the protocol may be asked
// twice, so a network that stumbles is asked again for a while. For one thread.
#pragma once

#include <string>

#include "core/codec/json.h"
#include "core/io/ports.h"

namespace oree {

struct RemoteSettings {
  std::string url;  // http(s)://host:port
  std::string token;
  std::string by;           // "ada@laptop": what others are told who find the device busy
  int64_t time_ms_max = 0;  // of the job; 0: as long as the device lends itself
};

struct DeviceRequest {
  std::string method, path;  // below /measure/v1
  Json body;                 // null: none
  std::string body_file;
  int64_t timeout_ms = 30'000;  // longest silence
};

class DeviceHttp {
 public:
  DeviceHttp(const Ports& ports, RemoteSettings settings) : ports_(ports), settings_(std::move(settings)) {}
  // The answer, whatever its status but 401. kUnavailable: the device is not there (or no longer); kUsage: it refuses
  // the token, or its certificate is not trusted.
  Result<HttpResponse> send(const DeviceRequest& request, const HttpSink& sink = {});
  // The same, once: for goodbyes.
  Result<HttpResponse> send_once(const DeviceRequest& request, const HttpSink& sink = {});
  // What an answer that is no success means; `what` says what was asked for.
  Error refusal(const HttpResponse& response, const std::string& what) const;
  const RemoteSettings& settings() const { return settings_; }

 private:
  Ports ports_;
  RemoteSettings settings_;
};

}  // namespace oree
