// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/session_options.h"

#include <fmt/format.h>

#include "core/base/limits.h"

namespace oree {

namespace {

// Rising, so that a set has one form.
Result<std::vector<int>> cpus_from_json(const Json& json) {
  OREE_TRY_ASSIGN(const Json* list, json.get_array("cpus"));
  std::vector<int> cpus;
  for (const Json& cpu : list->items()) {
    const int64_t number = cpu.is_int() ? cpu.as_int() : -1;
    if (number < 0 || number > kCpuMax || (!cpus.empty() && number <= cpus.back()))
      return member_error("cpus", fmt::format("must be rising numbers of 0 to {}", kCpuMax));
    cpus.push_back(static_cast<int>(number));
  }
  if (cpus.empty()) return member_error("cpus", "must name at least one");
  return cpus;
}

}  // namespace

Json session_options_to_json(const SessionOptions& options) {
  Json json = Json::object();
  json.set("threads", options.threads).set("provider", options.provider).set("precision", options.precision);
  if (!options.cpus.empty()) {
    Json cpus = Json::array();
    for (int cpu : options.cpus) cpus.push(cpu);
    json.set("cpus", cpus);
  }
  if (!options.fused) json.set("fused", false);
  return json;
}

Result<SessionOptions> session_options_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "session options: expected an object");
  SessionOptions options;
  for (const auto& [key, value] : json.members()) {
    if (key == "threads") {
      OREE_TRY_ASSIGN(options.threads, json.get_int32(key, 1, kSessionThreadsMax));
    } else if (key == "provider") {
      OREE_TRY_ASSIGN(options.provider, json.get_string(key));
      if (options.provider.size() > kNameCharsMax) return Error(Code::kInvalid, "provider: longer than a name may be");
    } else if (key == "precision") {
      OREE_TRY_ASSIGN(std::string text, json.get_string(key));
      auto precision = parse_precision(text);
      if (!precision.ok()) return Error(Code::kInvalid, precision.error().message());
      options.precision = *precision;
    } else if (key == "cpus") {
      OREE_TRY_ASSIGN(options.cpus, cpus_from_json(json));
    } else if (key == "fused") {
      OREE_TRY_ASSIGN(options.fused, json.get_bool(key));
    } else {
      return Error(Code::kInvalid, fmt::format("session options: unknown key '{}'", key));
    }
  }
  return options;
}

std::string cpus_text(const std::vector<int>& cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += text.empty() ? "" : ",";
    text += last == i ? std::to_string(cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return text;
}

Result<std::string> parse_precision(std::string_view text) {
  for (const char* known : {"f32", "default", "bf16", "f16"}) {
    if (text == known) return std::string(text);
  }
  return Error(Code::kUsage, fmt::format("precision: expected f32, default, bf16 or f16, found '{}'", text));
}

}  // namespace oree
