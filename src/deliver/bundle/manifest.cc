// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"
#include "core/io/inner_path.h"

namespace oree {
namespace {

constexpr size_t kDescriptionCharsMax = 4096;
constexpr int kGoldenSamplesMax = 1000;
constexpr int kGoldenRunsMax = 100000;
constexpr int64_t kProbationSecondsMax = 30 * 24 * 3600;

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
  OREE_TRY_ASSIGN(rules.samples, json.get_int32("samples", 0, kGoldenSamplesMax));
  OREE_TRY_ASSIGN(rules.relative_error_max, json.get_double("relative_error_max", 0, 1e6));
  OREE_TRY_ASSIGN(rules.cosine_min, json.get_double("cosine_min", -1, 1));
  OREE_TRY_ASSIGN(rules.latency_ms_p95_max, json.get_double("latency_ms_p95_max", 0, 1e9));
  OREE_TRY_ASSIGN(rules.memory_bytes_max, json.get_int("memory_bytes_max", 0, INT64_MAX));
  OREE_TRY_ASSIGN(rules.warmup_runs, json.get_int32("warmup_runs", 0, kGoldenRunsMax));
  OREE_TRY_ASSIGN(rules.runs, json.get_int32("runs", 1, kGoldenRunsMax));
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
  if (list->items().size() > static_cast<size_t>(kTarEntriesMax) - 2)
    return member_error("members", "has too many entries");
  std::vector<BundleMember> members;
  std::unordered_set<std::string> paths;
  int64_t total = 0;
  for (const Json& item : list->items()) {
    BundleMember m;
    OREE_TRY_ASSIGN(m.path, item.get_string("path"));
    OREE_TRY(check_inner_path(m.path));
    if (m.path == kManifestPath || m.path == kSignaturesPath)
      return member_error("members", fmt::format("must not list {}", m.path));
    if (!paths.insert(m.path).second) return member_error("members", fmt::format("lists {} twice", m.path));
    OREE_TRY_ASSIGN(m.size, item.get_int("size", 0, kBundleBytesMax));
    total += m.size;
    if (total > kBundleBytesMax)
      return member_error("members", fmt::format("are over {} bytes together", kBundleBytesMax));
    OREE_TRY_ASSIGN(m.sha256, item.get_string("sha256"));
    auto digest = parse_digest(m.sha256);
    // One spelling only, so that texts can be compared.
    if (!digest.ok() || digest_text(*digest) != m.sha256)
      return member_error("sha256", "must be 64 lower-case hex digits");
    members.push_back(std::move(m));
  }
  for (const BundleMember& m : members) {
    for (std::string::size_type i = m.path.find('/'); i != std::string::npos; i = m.path.find('/', i + 1)) {
      if (paths.contains(m.path.substr(0, i)))
        return member_error("members", fmt::format("{} is both file and folder", m.path.substr(0, i)));
    }
  }
  return members;
}

Status check_members_present(const Manifest& manifest) {
  auto need = [&](std::string_view path) -> Status {
    if (find_member(manifest, path)) return {};
    return member_error("members", fmt::format("lacks {}", path));
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

Status check_governor(std::string_view name) {
  const bool word = !name.empty() && name.size() <= 32 &&
                    std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  if (word) return {};
  return member_error("governor", "must be a word of lower-case letters");
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
  Json json = Json()
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
                  .set("probation_seconds", manifest.probation_seconds);
  if (!(manifest.host == HostSettings{}))
    json.set("host", Json().set("nice", manifest.host.nice).set("governor", manifest.host.governor));
  if (!manifest.unmeasured_profile.empty()) json.set("unmeasured_profile", manifest.unmeasured_profile);
  return json.set("members", members_to_json(manifest.members));
}

Result<Manifest> manifest_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "a manifest must be a JSON object");
  Manifest m;
  OREE_TRY_ASSIGN(m.format, json.get_int32("format", 1, INT32_MAX));
  if (m.format != kBundleFormat) {
    return Error(Code::kUnsupported,
                 fmt::format("bundle format {} is not known; this program reads {}", m.format, kBundleFormat));
  }
  OREE_TRY_ASSIGN(m.model, json.get_name("model", "'model'"));
  OREE_TRY_ASSIGN(m.version, json.get_name("version", "'version'"));
  OREE_TRY_ASSIGN(m.device_types, json.get_names("device_types", kDeviceTypesMax, "a name in 'device_types'"));
  OREE_TRY_ASSIGN(m.runtime, json.get_name("runtime", "'runtime'"));
  OREE_TRY_ASSIGN(const Json* options, json.get_object("options"));
  OREE_TRY_ASSIGN(m.options, session_options_from_json(*options));
  OREE_TRY_ASSIGN(m.model_path, json.get_string("model_path"));
  OREE_TRY_ASSIGN(m.created, json.get_text("created", static_cast<size_t>(kNameCharsMax)));
  OREE_TRY_ASSIGN(m.description, json.get_text("description", kDescriptionCharsMax));
  OREE_TRY_ASSIGN(const Json* golden, json.get_object("golden"));
  OREE_TRY_ASSIGN(m.golden, golden_from_json(*golden));
  OREE_TRY_ASSIGN(m.probation_seconds, json.get_int("probation_seconds", 0, kProbationSecondsMax));
  if (json.find("host") != nullptr) {
    OREE_TRY_ASSIGN(const Json* host, json.get_object("host"));
    OREE_TRY_ASSIGN(m.host.nice, host->get_int32("nice", kNiceMin, kNiceMax));
    OREE_TRY_ASSIGN(m.host.governor, host->get_text("governor", 32));
    if (!m.host.governor.empty()) OREE_TRY(check_governor(m.host.governor));
  }
  if (json.find("unmeasured_profile") != nullptr) {
    OREE_TRY_ASSIGN(m.unmeasured_profile, json.get_name("unmeasured_profile", "'unmeasured_profile'"));
  }
  OREE_TRY_ASSIGN(m.members, members_from_json(json));
  OREE_TRY(check_members_present(m));
  return m;
}

}  // namespace oree
