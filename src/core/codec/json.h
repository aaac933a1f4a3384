// SPDX-License-Identifier: Apache-2.0
// Json: a JSON value of our own, so that no third-party header spreads. Parsing is strict RFC 8259 and bounded
// (kJsonBytesMax, kJsonDepthMax); objects keep the order in which members were set; a repeated key is refused.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace oree {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool v) : v_(v) {}
  Json(int v) : v_(static_cast<int64_t>(v)) {}
  Json(unsigned v) : v_(static_cast<int64_t>(v)) {}
  Json(long v) : v_(static_cast<int64_t>(v)) {}
  Json(long long v) : v_(static_cast<int64_t>(v)) {}
  Json(unsigned long v) : v_(static_cast<int64_t>(v)) {}  // asserted by callers to fit: sizes and counts
  Json(double v) : v_(v) {}                               // NaN and infinities are written as null
  Json(const char* v) : v_(std::string(v)) {}
  Json(std::string v) : v_(std::move(v)) {}
  Json(std::string_view v) : v_(std::string(v)) {}
  Json(Array v) : v_(std::move(v)) {}
  Json(Object v) : v_(std::move(v)) {}
  template <typename T>
  Json(const std::optional<T>& v) : Json(v ? Json(*v) : Json()) {}  // null when absent
  static Json array() { return Json(Array{}); }
  static Json object() { return Json(Object{}); }

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_int() const { return std::holds_alternative<int64_t>(v_); }
  bool is_integral() const;  // an integer, or a double with an integral value: as_int() gives it
  bool is_number() const { return is_int() || std::holds_alternative<double>(v_); }
  bool is_string() const { return std::holds_alternative<std::string>(v_); }
  bool is_array() const { return std::holds_alternative<Array>(v_); }
  bool is_object() const { return std::holds_alternative<Object>(v_); }

  // Lenient looks: the value when it has that type, else the default. A double with an integral value counts as
  // int.
  bool as_bool(bool otherwise = false) const;
  int64_t as_int(int64_t otherwise = 0) const;
  double as_double(double otherwise = 0) const;
  const std::string& as_string() const;                // "" when not a string
  const Array& items() const;                          // empty when not an array
  const Object& members() const;                       // empty when not an object
  const Json* find(std::string_view key) const;        // nullptr when absent or not an object
  const Json& operator[](std::string_view key) const;  // null when absent

  // Strict looks for data from outside: kInvalid with the key's name when absent or of another type.
  Result<std::string> get_string(std::string_view key) const;
  Result<int64_t> get_int(std::string_view key, int64_t min, int64_t max) const;
  Result<double> get_double(std::string_view key) const;  // finite
  Result<bool> get_bool(std::string_view key) const;
  Result<const Json*> get_object(std::string_view key) const;
  Result<const Json*> get_array(std::string_view key) const;

  // Strict looks with a bound; out of it, kInvalid names the key, what was found and what is allowed.
  Result<std::string> get_text(std::string_view key, size_t bytes_max) const;
  Result<double> get_double(std::string_view key, double min, double max) const;
  Result<int> get_int32(std::string_view key, int min, int max) const;
  // A name, or 1 to count_max of them, as check_name() takes it; `what` begins its message.
  Result<std::string> get_name(std::string_view key, std::string_view what) const;
  Result<std::vector<std::string>> get_names(std::string_view key, size_t count_max, std::string_view what) const;
  // Several integers of one range, in this order; those after a wrong one are left as they are.
  Status get_ints(std::initializer_list<std::pair<std::string_view, int64_t*>> members, int64_t min, int64_t max) const;

  Json& set(std::string_view key, Json value);  // object (null becomes one); replaces; returns *this
  Json& push(Json value);                       // array (null becomes one); returns *this

  std::string dump(int indent = -1) const;           // -1: one line; valid UTF-8 out, broken input bytes replaced
  static Result<Json> parse(std::string_view text);  // kInvalid names the byte offset

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> v_;
};

// kInvalid that names a member: "'key' what".
Error member_error(std::string_view key, std::string_view what);

// TOML 1.0 as the same value (dates become strings). kInvalid names the line.
Result<Json> parse_toml(std::string_view text);

}  // namespace oree
