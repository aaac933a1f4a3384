// SPDX-License-Identifier: Apache-2.0
#include "model/remote/device_http.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "model/eval/pipe_channel.h"
#include "model/remote/protocol.h"

namespace oree {
namespace {

constexpr int kAttempts = 3;
constexpr int64_t kPauseMs = 500;           // before the second attempt; then twice as long
constexpr int64_t kRetryWithinMs = 35'000;  // what took longer, a long silence included, is not a stumble
constexpr size_t kReasonBytesMax = 1000;

// The device's own words: they go to a terminal.
std::string clean(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  text.resize(std::min(text.size(), kReasonBytesMax));
  return utf8_text(text);
}

Error unreachable(const RemoteSettings& settings, const Error& why) {
  const std::string& text = why.message();
  bool tls = settings.url.starts_with("https") && text.find("TLS with ") != std::string::npos;
  if (tls && text.find("ertificate") != std::string::npos) {
    return {Code::kUsage, fmt::format("{}: its certificate is not trusted ({}); name the authority that signed it",
                                      settings.url, text)};
  }
  if (why.code() == Code::kUsage) return why;  // it was not even asked
  return {Code::kUnavailable, fmt::format("the device does not answer: {}", text)};
}

}  // namespace

Result<HttpResponse> DeviceHttp::send_once(const DeviceRequest& request, const HttpSink& sink) {
  HttpRequest http;
  http.method = request.method;
  http.url = settings_.url + kPathMeasure + request.path;
  http.headers["Authorization"] = "Bearer " + settings_.token;
  http.timeout_ms = request.timeout_ms;
  http.body_file = request.body_file;
  if (!request.body.is_null()) {
    http.headers["Content-Type"] = "application/json";
    http.body = request.body.dump();
  } else if (!request.body_file.empty()) {
    http.headers["Content-Type"] = "application/octet-stream";
  }
  auto response = ports_.http->send(http, {}, sink);
  if (!response.ok()) return unreachable(settings_, response.error());
  if (response->status == 401) {
    return Error(Code::kUsage, settings_.token.empty() ? settings_.url + ": the device asks for a token"
                                                       : settings_.url + ": the device does not accept this token");
  }
  return response;
}

Result<HttpResponse> DeviceHttp::send(const DeviceRequest& request, const HttpSink& sink) {
  int64_t start = ports_.clock->monotonic_ns();
  for (int attempt = 1;; ++attempt) {
    auto response = send_once(request, sink);
    bool stumbled = !response.ok() && response.error().code() == Code::kUnavailable;
    bool late = (ports_.clock->monotonic_ns() - start) / 1'000'000 > kRetryWithinMs;
    if (!stumbled || late || attempt == kAttempts || sink) return response;
    ports_.clock->sleep_ms(kPauseMs << (attempt - 1));
  }
}

Error DeviceHttp::refusal(const HttpResponse& response, const std::string& what) const {
  auto json = Json::parse(response.body);
  std::string reason = json.ok() ? clean((*json)["reason"].as_string()) : "";
  if (json.ok() && !reason.empty()) {
    // One that this program knows; what a device says of itself is never a mistake of its user's.
    Code code = code_from_name((*json)["error"].as_string());
    return {code, fmt::format("{}: {}", what, reason)};
  }
  if (response.status == 404) {
    return {Code::kNotFound,
            fmt::format("{}: {} answers, but not as an agent that measures (status 404)", what, settings_.url)};
  }
  return {response.status >= 500 ? Code::kUnavailable : Code::kInvalid,
          fmt::format("{}: {} answered with status {}", what, settings_.url, response.status)};
}

}  // namespace oree
