// SPDX-License-Identifier: Apache-2.0
// The strict looks of Json: each error names its member.
#include <fmt/format.h>

#include <cmath>

#include "core/base/text.h"
#include "core/codec/json.h"

namespace oree {
namespace {

Error wrong(std::string_view key, std::string_view wanted, const Json* found) {
  std::string text = found == nullptr ? "is missing" : found->is_null() ? "is null" : "is of another type";
  return member_error(key, fmt::format("{}; expected {}", text, wanted));
}

template <typename T>
Result<T> within(std::string_view key, T value, T min, T max) {
  if (value < min || value > max) return member_error(key, fmt::format("is {}; expected {} to {}", value, min, max));
  return value;
}

}  // namespace

Error member_error(std::string_view key, std::string_view what) {
  return Error(Code::kInvalid, fmt::format("'{}' {}", key, what));
}

Result<std::string> Json::get_string(std::string_view key) const {
  const Json* v = find(key);
  if (!v || !v->is_string()) return wrong(key, "a string", v);
  return v->as_string();
}

Result<int64_t> Json::get_int(std::string_view key, int64_t min, int64_t max) const {
  const Json* v = find(key);
  if (!v || !v->is_integral()) return wrong(key, "an integer", v);
  return within(key, v->as_int(), min, max);
}

Result<double> Json::get_double(std::string_view key) const {
  const Json* v = find(key);
  if (!v || !v->is_number() || !std::isfinite(v->as_double())) return wrong(key, "a finite number", v);
  return v->as_double();
}

Result<bool> Json::get_bool(std::string_view key) const {
  const Json* v = find(key);
  if (!v || !v->is_bool()) return wrong(key, "true or false", v);
  return v->as_bool();
}

Result<const Json*> Json::get_object(std::string_view key) const {
  const Json* v = find(key);
  if (!v || !v->is_object()) return wrong(key, "an object", v);
  return v;
}

Result<const Json*> Json::get_array(std::string_view key) const {
  const Json* v = find(key);
  if (!v || !v->is_array()) return wrong(key, "an array", v);
  return v;
}

Result<std::string> Json::get_text(std::string_view key, size_t bytes_max) const {
  OREE_TRY_ASSIGN(std::string text, get_string(key));
  if (text.size() > bytes_max)
    return member_error(key, fmt::format("has {} bytes; the limit is {}", text.size(), bytes_max));
  return text;
}

Result<double> Json::get_double(std::string_view key, double min, double max) const {
  OREE_TRY_ASSIGN(double number, get_double(key));
  return within(key, number, min, max);
}

Result<int> Json::get_int32(std::string_view key, int min, int max) const {
  OREE_TRY_ASSIGN(int64_t number, get_int(key, min, max));
  return static_cast<int>(number);
}

Result<std::string> Json::get_name(std::string_view key, std::string_view what) const {
  OREE_TRY_ASSIGN(std::string name, get_string(key));
  OREE_TRY(check_name(name, what));
  return name;
}

Result<std::vector<std::string>> Json::get_names(std::string_view key, size_t count_max, std::string_view what) const {
  OREE_TRY_ASSIGN(const Json* list, get_array(key));
  size_t count = list->items().size();
  if (count == 0 || count > count_max)
    return member_error(key, fmt::format("has {} names; 1 to {} are allowed", count, count_max));
  std::vector<std::string> names;
  names.reserve(count);
  for (const Json& item : list->items()) {
    if (!item.is_string()) return member_error(key, "must hold strings");
    OREE_TRY(check_name(item.as_string(), what));
    names.push_back(item.as_string());
  }
  return names;
}

Status Json::get_ints(std::initializer_list<std::pair<std::string_view, int64_t*>> members, int64_t min,
                      int64_t max) const {
  for (const auto& [key, out] : members) {
    OREE_TRY_ASSIGN(*out, get_int(key, min, max));
  }
  return {};
}

}  // namespace oree
