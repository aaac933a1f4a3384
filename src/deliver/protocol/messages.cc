// SPDX-License-Identifier: Apache-2.0
#include "deliver/protocol/messages.h"

#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr size_t kUrlCharsMax = 2048;
constexpr size_t kTextCharsMax = 4096;  // notes, reasons and machine descriptions

Status check_text(std::string_view text, std::string_view key, size_t chars_max) {
  if (text.size() > chars_max)
    return member_error(key, fmt::format("has {} bytes; the limit is {}", text.size(), chars_max));
  for (char c : text) {
    // Line breaks and tabs belong to a reason; anything else would play tricks in a log or a terminal.
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      return member_error(key, "has a control character");
  }
  return {};
}

// Absent (or null) leaves `out` as it is.
Status read_text(const Json& json, std::string_view key, size_t chars_max, std::string& out) {
  const Json& value = json[key];
  if (value.is_null()) return {};
  if (!value.is_string()) return member_error(key, "must be a string");
  OREE_TRY(check_text(value.as_string(), key, chars_max));
  out = value.as_string();
  return {};
}

// A name, or nothing: absent and "" are the same.
Status read_optional_name(const Json& json, std::string_view key, std::string& out) {
  OREE_TRY(read_text(json, key, static_cast<size_t>(kNameCharsMax), out));
  if (out.empty()) return {};
  return check_name(out, key);
}

Status read_count(const Json& json, std::string_view key, int64_t& out) {
  if (json[key].is_null()) return {};
  OREE_TRY_ASSIGN(out, json.get_int(key, 0, INT64_MAX));
  return {};
}

Result<std::string> read_digest(std::string_view text, std::string_view key) {
  auto digest = parse_digest(text);
  if (!digest.ok()) return digest.error().within(fmt::format("'{}'", key));
  return digest_text(*digest);
}

Status read_optional_digest(const Json& json, std::string_view key, std::string& out) {
  OREE_TRY(read_text(json, key, 128, out));
  if (out.empty()) return {};
  OREE_TRY_ASSIGN(out, read_digest(out, key));
  return {};
}

// What check_text accepts: a device whose status is refused for a stray character would never be heard.
std::string clean_text(std::string_view text) {
  std::string out(text.substr(0, kTextCharsMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = ' ';
  }
  return out;
}

Json device_types_to_json(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push(name);
  return list;
}

// One of `allowed`, or "" where that is allowed.
Status check_word(std::string_view word, std::string_view key, std::initializer_list<std::string_view> allowed) {
  std::string all;
  for (std::string_view one : allowed) {
    if (one == word) return {};
    if (!one.empty()) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", one);
  }
  return member_error(key, fmt::format("must be one of {}", all));
}

Status check_url(std::string_view url) {
  bool path = url.starts_with("/") && !url.starts_with("//");
  if (!path && !url.starts_with("http://") && !url.starts_with("https://")) {
    return member_error("url", "must be a path that starts with one \"/\", or an http:// or https:// address");
  }
  for (char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return member_error("url", "has a space or a control character");
  }
  return {};
}

}  // namespace

Json latest_to_json(const Latest& latest) {
  return Json()
      .set("model", latest.model)
      .set("version", latest.version)
      .set("url", latest.url)
      .set("checksum", latest.checksum)
      .set("size", latest.size)
      .set("compatible_devices", device_types_to_json(latest.compatible_devices))
      .set("release_id", latest.release_id);
}

Result<Latest> latest_from_json(const Json& json) {
  Latest latest;
  OREE_TRY_ASSIGN(latest.model, json.get_name("model", "model"));
  OREE_TRY_ASSIGN(latest.version, json.get_name("version", "version"));
  OREE_TRY_ASSIGN(latest.url, json.get_string("url"));
  OREE_TRY(check_text(latest.url, "url", kUrlCharsMax));
  OREE_TRY(check_url(latest.url));
  OREE_TRY_ASSIGN(std::string checksum, json.get_string("checksum"));
  if (!checksum.starts_with("sha256:")) return member_error("checksum", "must begin with \"sha256:\"");
  OREE_TRY_ASSIGN(std::string digest, read_digest(checksum, "checksum"));
  latest.checksum = "sha256:" + digest;
  OREE_TRY_ASSIGN(latest.size, json.get_int("size", 1, kBundleBytesMax));
  OREE_TRY_ASSIGN(latest.compatible_devices,
                  json.get_names("compatible_devices", kDeviceTypesMax, "compatible_devices"));
  OREE_TRY(read_text(json, "release_id", static_cast<size_t>(kNameCharsMax), latest.release_id));
  return latest;
}

Json release_to_json(const Release& release) {
  return Json()
      .set("model", release.model)
      .set("version", release.version)
      .set("digest", release.digest)
      .set("size", release.size)
      .set("device_types", device_types_to_json(release.device_types))
      .set("notes", release.notes);
}

Result<Release> release_from_json(const Json& json) {
  Release release;
  OREE_TRY_ASSIGN(release.model, json.get_name("model", "model"));
  OREE_TRY_ASSIGN(release.version, json.get_name("version", "version"));
  OREE_TRY_ASSIGN(std::string digest, json.get_string("digest"));
  OREE_TRY_ASSIGN(release.digest, read_digest(digest, "digest"));
  OREE_TRY_ASSIGN(release.size, json.get_int("size", 1, kBundleBytesMax));
  OREE_TRY_ASSIGN(release.device_types, json.get_names("device_types", kDeviceTypesMax, "device_types"));
  OREE_TRY(read_text(json, "notes", kTextCharsMax, release.notes));
  return release;
}

Json device_status_to_json(const DeviceStatus& status) {
  return Json()
      .set("device_type", status.device_type)
      .set("agent_version", status.agent_version)
      .set("architecture", status.architecture)
      .set("cpu_model", clean_text(status.cpu_model))
      .set("os", clean_text(status.os))
      .set("model", status.model)
      .set("version", status.version)
      .set("bundle_digest", status.bundle_digest)
      .set("state", status.state)
      .set("update_version", status.update_version)
      .set("update_digest", status.update_digest)
      .set("update_outcome", status.update_outcome)
      .set("update_reason", status.update_reason)
      .set("update_detail", clean_text(status.update_detail))
      .set("update_seq", status.update_seq)
      .set("telemetry_pending", status.telemetry_pending);
}

Result<DeviceStatus> device_status_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "a device status must be a JSON object");
  DeviceStatus status;
  OREE_TRY_ASSIGN(status.device_type, json.get_name("device_type", "device_type"));
  OREE_TRY(read_text(json, "agent_version", static_cast<size_t>(kNameCharsMax), status.agent_version));
  OREE_TRY(read_text(json, "architecture", static_cast<size_t>(kNameCharsMax), status.architecture));
  OREE_TRY(read_text(json, "cpu_model", kTextCharsMax, status.cpu_model));
  OREE_TRY(read_text(json, "os", kTextCharsMax, status.os));
  OREE_TRY(read_optional_name(json, "model", status.model));
  OREE_TRY(read_optional_name(json, "version", status.version));
  OREE_TRY(read_optional_digest(json, "bundle_digest", status.bundle_digest));
  OREE_TRY(read_text(json, "state", static_cast<size_t>(kNameCharsMax), status.state));
  OREE_TRY(check_word(status.state, "state",
                      {"", "idle", "downloading", "installing", "proving", "probation", "failed", "measuring"}));
  OREE_TRY(read_optional_name(json, "update_version", status.update_version));
  OREE_TRY(read_optional_digest(json, "update_digest", status.update_digest));
  OREE_TRY(read_text(json, "update_outcome", static_cast<size_t>(kNameCharsMax), status.update_outcome));
  OREE_TRY(check_word(status.update_outcome, "update_outcome", {"", "committed", "rolled_back", "refused"}));
  OREE_TRY(read_optional_name(json, "update_reason", status.update_reason));
  OREE_TRY(read_text(json, "update_detail", kTextCharsMax, status.update_detail));
  OREE_TRY(read_count(json, "update_seq", status.update_seq));
  OREE_TRY(read_count(json, "telemetry_pending", status.telemetry_pending));
  return status;
}

}  // namespace oree
