// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr size_t kDeviceTypesMax = 64;
constexpr size_t kDescriptionCharsMax = 4096;
constexpr int kGoldenSamplesMax = 1000;
constexpr int kGoldenRunsMax = 100000;
constexpr int64_t kProbationSecondsMax = 30 * 24 * 3600;

Error bad(std::string_view key, std::string_view what) {
  return Error(Code::kInvalid, fmt::format("'{}' {}", key, what));
}

Result<int> small_int(const Json& json, std::string_view key, int min, int max) {
  OREE_TRY_ASSIGN(int64_t n, json.get_int(key, min, max));
  return static_cast<int>(n);
}

Result<double> number_between(const Json& json, std::string_view key, double min, double max) {
  OREE_TRY_ASSIGN(double v, json.get_double(key));
  if (v < min || v > max) return bad(key, fmt::format("is {}; expected {} to {}", v, min, max));
  return v;
}

Result<std::string> short_text(const Json& json, std::string_view key, size_t chars_max) {
  OREE_TRY_ASSIGN(std::string text, json.get_string(key));
  if (text.size() > chars_max) return bad(key, fmt::format("has {} bytes; the limit is {}", text.size(), chars_max));
  return text;
}

Json golden_to_json(const GoldenRules& rules) {
  return Json()
      .set("samples", rules.samples)
      .set("relative_error_max", rules.relative_error_max)
      .set("cosine_min", rules.cosine_min)
      .set("latency_ms_p95_max", rules.latency_ms_p95_max)
      .set("memory_bytes_max", rules.memory_bytes_max)
      .set("warmup_runs", rules.warmup_runs)
      .set("runs", rules.runs)
      .set("random_inputs", rules.random_inputs);
}

Result<GoldenRules> golden_from_json(const Json& json) {
  GoldenRules rules;
  OREE_TRY_ASSIGN(rules.samples, small_int(json, "samples", 0, kGoldenSamplesMax));
  OREE_TRY_ASSIGN(rules.relative_error_max, number_between(json, "relative_error_max", 0, 1e6));
  OREE_TRY_ASSIGN(rules.cosine_min, number_between(json, "cosine_min", -1, 1));
  OREE_TRY_ASSIGN(rules.latency_ms_p95_max, number_between(json, "latency_ms_p95_max", 0, 1e9));
  OREE_TRY_ASSIGN(rules.memory_bytes_max, json.get_int("memory_bytes_max", 0, INT64_MAX));
  OREE_TRY_ASSIGN(rules.warmup_runs, small_int(json, "warmup_runs", 0, kGoldenRunsMax));
  OREE_TRY_ASSIGN(rules.runs, small_int(json, "runs", 1, kGoldenRunsMax));
  if (json.find("random_inputs")) {
    OREE_TRY_ASSIGN(rules.random_inputs, json.get_bool("random_inputs"));
  }
  return rules;
}

Json members_to_json(const std::vector<BundleMember>& members) {
  Json list = Json::array();
  for (const BundleMember& m : members) {
    list.push(Json().set("path", m.path).set("size", m.size).set("sha256", m.sha256));
  }
  return list;
}

Result<std::vector<BundleMember>> members_from_json(const Json& json) {
  OREE_TRY_ASSIGN(const Json* list, json.get_array("members"));
  if (list->items().size() > static_cast<size_t>(kTarEntriesMax) - 2) return bad("members", "has too many entries");
  std::vector<BundleMember> members;
  std::unordered_set<std::string> paths;
  int64_t total = 0;
  for (const Json& item : list->items()) {
    BundleMember m;
    OREE_TRY_ASSIGN(m.path, item.get_string("path"));
    OREE_TRY(check_member_path(m.path));
    if (m.path == kManifestPath || m.path == kSignaturesPath)
      return bad("members", fmt::format("must not list {}", m.path));
    if (!paths.insert(m.path).second) return bad("members", fmt::format("lists {} twice", m.path));
    OREE_TRY_ASSIGN(m.size, item.get_int("size", 0, kBundleBytesMax));
    total += m.size;
    if (total > kBundleBytesMax) return bad("members", fmt::format("are over {} bytes together", kBundleBytesMax));
    OREE_TRY_ASSIGN(m.sha256, item.get_string("sha256"));
    auto digest = parse_digest(m.sha256);
    // One spelling only, so that texts can be compared.
    if (!digest.ok() || digest_text(*digest) != m.sha256) return bad("sha256", "must be 64 lower-case hex digits");
    members.push_back(std::move(m));
  }
  for (const BundleMember& m : members) {
    for (std::string::size_type i = m.path.find('/'); i != std::string::npos; i = m.path.find('/', i + 1)) {
      if (paths.contains(m.path.substr(0, i)))
        return bad("members", fmt::format("{} is both file and folder", m.path.substr(0, i)));
    }
  }
  return members;
}

Status check_members_present(const Manifest& manifest) {
  auto need = [&](std::string_view path) -> Status {
    if (find_member(manifest, path)) return {};
    return bad("members", fmt::format("lacks {}", path));
  };
  OREE_TRY(need(manifest.model_path));
  OREE_TRY(need(kRecipePath));
  for (int i = 0; i < manifest.golden.samples; ++i) {
    OREE_TRY(need(golden_input_path(i)));
    OREE_TRY(need(golden_expected_path(i)));
  }
  return {};
}

}  // namespace

Status check_member_path(std::string_view path) {
  if (path.empty() || path.size() > static_cast<size_t>(kTarPathMax)) {
    return Error(Code::kInvalid, fmt::format("a path has {} bytes; 1 to {} are allowed", path.size(), kTarPathMax));
  }
  for (char c : path) {
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f || c == '\\')
      return Error(Code::kInvalid, "a path has a control character or a backslash");
  }
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return Error(Code::kInvalid, fmt::format("path '{}' is absolute or has an empty, '.' or '..' part", path));
    }
  }
  return {};
}

std::string golden_input_path(int sample) { return fmt::format("golden/{}.input.npz", sample); }
std::string golden_expected_path(int sample) { return fmt::format("golden/{}.expected.npz", sample); }

const BundleMember* find_member(const Manifest& manifest, std::string_view path) {
  auto it = std::find_if(manifest.members.begin(), manifest.members.end(),
                         [&](const BundleMember& m) { return m.path == path; });
  return it == manifest.members.end() ? nullptr : &*it;
}

Json manifest_to_json(const Manifest& manifest) {
  Json types = Json::array();
  for (const std::string& type : manifest.device_types) types.push(type);
  return Json()
      .set("format", manifest.format)
      .set("model", manifest.model)
      .set("version", manifest.version)
      .set("device_types", types)
      .set("runtime", manifest.runtime)
      .set("options", session_options_to_json(manifest.options))
      .set("model_path", manifest.model_path)
      .set("created", manifest.created)
      .set("description", manifest.description)
      .set("golden", golden_to_json(manifest.golden))
      .set("probation_seconds", manifest.probation_seconds)
      .set("members", members_to_json(manifest.members));
}

Result<Manifest> manifest_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "a manifest must be a JSON object");
  Manifest m;
  OREE_TRY_ASSIGN(m.format, small_int(json, "format", 1, INT32_MAX));
  if (m.format != kBundleFormat) {
    return Error(Code::kUnsupported,
                 fmt::format("bundle format {} is not known; this program reads {}", m.format, kBundleFormat));
  }
  OREE_TRY_ASSIGN(m.model, json.get_string("model"));
  OREE_TRY(check_name(m.model, "'model'"));
  OREE_TRY_ASSIGN(m.version, json.get_string("version"));
  OREE_TRY(check_name(m.version, "'version'"));
  OREE_TRY_ASSIGN(const Json* types, json.get_array("device_types"));
  if (types->items().empty() || types->items().size() > kDeviceTypesMax) {
    return bad("device_types",
               fmt::format("has {} names; 1 to {} are allowed", types->items().size(), kDeviceTypesMax));
  }
  for (const Json& type : types->items()) {
    if (!type.is_string()) return bad("device_types", "must hold strings");
    OREE_TRY(check_name(type.as_string(), "a name in 'device_types'"));
    m.device_types.push_back(type.as_string());
  }
  OREE_TRY_ASSIGN(m.runtime, json.get_string("runtime"));
  OREE_TRY(check_name(m.runtime, "'runtime'"));
  OREE_TRY_ASSIGN(const Json* options, json.get_object("options"));
  OREE_TRY_ASSIGN(m.options, session_options_from_json(*options));
  OREE_TRY_ASSIGN(m.model_path, json.get_string("model_path"));
  OREE_TRY_ASSIGN(m.created, short_text(json, "created", static_cast<size_t>(kNameCharsMax)));
  OREE_TRY_ASSIGN(m.description, short_text(json, "description", kDescriptionCharsMax));
  OREE_TRY_ASSIGN(const Json* golden, json.get_object("golden"));
  OREE_TRY_ASSIGN(m.golden, golden_from_json(*golden));
  OREE_TRY_ASSIGN(m.probation_seconds, json.get_int("probation_seconds", 0, kProbationSecondsMax));
  OREE_TRY_ASSIGN(m.members, members_from_json(json));
  OREE_TRY(check_members_present(m));
  return m;
}

}  // namespace oree
