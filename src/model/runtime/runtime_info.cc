// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/runtime_info.h"

#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"
#include "model/runtime/registry.h"

namespace oree {
namespace {

constexpr size_t kTextBytesMax = 4096;
constexpr size_t kWordsMax = 64;

Json list(const std::vector<std::string>& words) {
  Json out = Json::array();
  for (const std::string& word : words) out.push(word);
  return out;
}

Status read_words(const Json& json, const char* key, std::vector<std::string>& out) {
  OREE_TRY_ASSIGN(const Json* items, json.get_array(key));
  if (items->items().size() > kWordsMax)
    return member_error(key, fmt::format("has {} entries; at most {} are allowed", items->items().size(), kWordsMax));
  for (const Json& item : items->items()) {
    if (!item.is_string() || item.as_string().size() > kTextBytesMax)
      return member_error(key, "must be a list of texts");
    out.push_back(item.as_string());
  }
  return {};
}

}  // namespace

Json runtime_info_to_json(const RuntimeInfo& info) {
  Json absent = Json::object();
  for (const auto& [what, why] : info.absent) absent.set(what, why);
  return Json()
      .set("name", info.name)
      .set("available", info.available)
      .set("version", info.version)
      .set("library", info.library)
      .set("origin", info.origin)
      .set("providers", list(info.providers))
      .set("formats", list(info.formats))
      .set("precisions", list(info.precisions))
      .set("absent", absent);
}

Result<RuntimeInfo> runtime_info_from_json(const Json& json) {
  RuntimeInfo info;
  OREE_TRY_ASSIGN(info.name, json.get_name("name", "runtime name"));
  OREE_TRY_ASSIGN(info.available, json.get_bool("available"));
  OREE_TRY_ASSIGN(info.version, json.get_text("version", kTextBytesMax));
  OREE_TRY_ASSIGN(info.library, json.get_text("library", kTextBytesMax));
  OREE_TRY_ASSIGN(info.origin, json.get_text("origin", kTextBytesMax));
  OREE_TRY(read_words(json, "providers", info.providers));
  OREE_TRY(read_words(json, "formats", info.formats));
  OREE_TRY(read_words(json, "precisions", info.precisions));
  OREE_TRY_ASSIGN(const Json* absent, json.get_object("absent"));
  for (const auto& [what, why] : absent->members()) {
    if (!why.is_string() || info.absent.size() >= kWordsMax) return member_error("absent", "must have a few texts");
    info.absent[what.substr(0, kTextBytesMax)] = why.as_string().substr(0, kTextBytesMax);
  }
  return info;
}

std::vector<RuntimeInfo> runtimes_here() {
  std::vector<RuntimeInfo> infos;
  for (const std::string& name : backend_names()) infos.push_back(backend(name).info());
  return infos;
}

Json runtimes_to_json(const std::vector<RuntimeInfo>& infos) {
  Json out = Json::array();
  for (const RuntimeInfo& info : infos) out.push(runtime_info_to_json(info));
  return out;
}

Result<std::vector<RuntimeInfo>> runtimes_from_json(const Json& list) {
  if (!list.is_array() || list.items().size() > kRuntimesMax)
    return Error(Code::kInvalid, fmt::format("runtimes: expected a list of at most {}", kRuntimesMax));
  std::vector<RuntimeInfo> infos;
  for (const Json& item : list.items()) {
    OREE_TRY_ASSIGN(RuntimeInfo info, runtime_info_from_json(item));
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace oree
