// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/publish.h"
#include "core/base/text.h"
#include "deliver/protocol/messages.h"

namespace oree::cli {
namespace {

constexpr int64_t kTokenBytesMax = 4096;

// The server's own words where it gave some: {"error": code, "reason": text}.
std::string reason_of(const HttpResponse& response) {
  auto json = Json::parse(response.body);
  std::string reason = json.ok() ? (*json)["reason"].as_string() : std::string();
  if (reason.empty() && json.ok()) reason = (*json)["error"].as_string();
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';  // it goes to a terminal
  }
  reason.resize(std::min<size_t>(reason.size(), 500));
  return reason.empty() ? "" : ": " + reason;
}

Error refusal(const PublishPlan& plan, const HttpResponse& response, std::string_view what) {
  std::string text = fmt::format("{}: {} was answered {}{}", plan.server, what, response.status, reason_of(response));
  switch (response.status) {
    case 401:
    case 403:
      return {Code::kUsage,
              text + (plan.token.empty() ? "; an operator's token is needed" : "; the token is not accepted")};
    case 404: return {Code::kNotFound, text};
    case 409: return {Code::kConflict, text};
    case 413:
    case 507: return {Code::kExhausted, text};
    case 429: return {Code::kUnavailable, text};
    default: return {response.status >= 500 ? Code::kUnavailable : Code::kInvalid, text};
  }
}

class Client {
 public:
  Client(const Ports& ports, const PublishPlan& plan) : http_(*ports.http), plan_(plan) {}

  Result<bool> has_blob(const BundleInfo& info) {
    HttpRequest request = make("HEAD", kPathBlobs + info.digest);
    OREE_TRY_ASSIGN(HttpResponse response, http_.send(request));
    if (response.status == 200) return true;
    if (response.status == 404) return false;
    return refusal(plan_, response, "the question for the blob");
  }

  Status put_blob(const BundleInfo& info) {
    HttpRequest request = make("PUT", kPathBlobs + info.digest);
    request.headers["Content-Type"] = "application/octet-stream";
    request.body_file = plan_.bundle;
    OREE_TRY_ASSIGN(HttpResponse response, http_.send(request));
    return response.status / 100 == 2 ? Status() : Status(refusal(plan_, response, "the upload"));
  }

  // True when the release is new.
  Result<bool> post_release(const Release& release) {
    HttpRequest request = make("POST", kPathReleases);
    request.headers["Content-Type"] = "application/json";
    request.body = release_to_json(release).dump();
    OREE_TRY_ASSIGN(HttpResponse response, http_.send(request));
    if (response.status / 100 == 2) return response.status == 201;
    if (response.status == 409) {
      return Error(Code::kConflict, fmt::format("{}: {} {} is published there with other content{}. Raise the version",
                                                plan_.server, release.model, release.version, reason_of(response)));
    }
    return refusal(plan_, response, "the release");
  }

 private:
  HttpRequest make(const char* method, const std::string& path) const {
    HttpRequest request;
    request.method = method;
    request.url = plan_.server.substr(0, plan_.server.find_last_not_of('/') + 1) + path;
    if (!plan_.token.empty()) request.headers["Authorization"] = "Bearer " + plan_.token;
    return request;
  }

  HttpClient& http_;
  const PublishPlan& plan_;
};

Result<std::vector<std::string>> device_types_of(const PublishPlan& plan, const Manifest& manifest) {
  if (plan.device_types.empty()) return manifest.device_types;
  for (const std::string& type : plan.device_types) {
    if (std::find(manifest.device_types.begin(), manifest.device_types.end(), type) == manifest.device_types.end()) {
      return Error(Code::kUsage, fmt::format("device type {} is not one that the bundle says it is for", type));
    }
  }
  return plan.device_types;
}

}  // namespace

Result<PublishResult> publish_bundle(const Ports& ports, const PublishPlan& plan) {
  if (auto url = parse_url(plan.server); !url.ok())
    return Error(Code::kUsage, fmt::format("--server: {}", url.error().message()));
  PublishResult result;
  OREE_TRY_ASSIGN(result.info, check_bundle(*ports.files, plan.bundle));
  const Manifest& manifest = result.info.manifest;
  Release release;
  release.model = manifest.model;
  release.version = manifest.version;
  release.digest = result.info.digest;
  release.size = result.info.size;
  release.notes = plan.notes;
  OREE_TRY_ASSIGN(release.device_types, device_types_of(plan, manifest));
  ports.http->set_ca_file(plan.ca_file);
  Client client(ports, plan);
  OREE_TRY_ASSIGN(bool there, client.has_blob(result.info));
  if (!there) OREE_TRY(client.put_blob(result.info));
  result.uploaded = !there;
  OREE_TRY_ASSIGN(result.released, client.post_release(release));
  return result;
}

Result<std::string> find_token(Files& files, const std::string& given, const std::string& file,
                               const std::string& variable) {
  std::string token = given;
  if (token.empty() && !file.empty()) {
    OREE_TRY_ASSIGN(Bytes bytes, files.read(file, kTokenBytesMax));
    token = trim(split(as_text(bytes), '\n')[0]);
    if (token.empty()) return Error(Code::kInvalid, fmt::format("{}: holds no token", file));
  }
  if (token.empty() && !variable.empty()) {
    const char* value = std::getenv(variable.c_str());
    token = value ? value : "";
  }
  for (char c : token) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return Error(Code::kUsage, "the token has a space or a control character");
  }
  return token;
}

}  // namespace oree::cli
