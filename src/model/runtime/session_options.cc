// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/session_options.h"

#include <fmt/format.h>

#include "core/base/limits.h"

namespace oree {

Json session_options_to_json(const SessionOptions& options) {
  Json json = Json::object();
  json.set("threads", options.threads).set("provider", options.provider).set("precision", options.precision);
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
    } else if (key == "fused") {
      OREE_TRY_ASSIGN(options.fused, json.get_bool(key));
    } else {
      return Error(Code::kInvalid, fmt::format("session options: unknown key '{}'", key));
    }
  }
  return options;
}

Result<std::string> parse_precision(std::string_view text) {
  for (const char* known : {"f32", "default", "bf16", "f16"}) {
    if (text == known) return std::string(text);
  }
  return Error(Code::kUsage, fmt::format("precision: expected f32, default, bf16 or f16, found '{}'", text));
}

}  // namespace oree
