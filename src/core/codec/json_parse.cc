// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/limits.h"
#include "core/codec/json.h"

namespace oree {
namespace {

// Builds our value from the parser's events: no second tree, and depth is bounded before anything nests.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add(Json()); }
  bool boolean(bool v) override { return add(Json(v)); }
  bool number_integer(number_integer_t v) override { return add(Json(static_cast<int64_t>(v))); }
  bool number_unsigned(number_unsigned_t v) override {
    return add(v <= INT64_MAX ? Json(static_cast<int64_t>(v)) : Json(static_cast<double>(v)));
  }
  bool number_float(number_float_t v, const string_t&) override { return add(Json(v)); }
  bool string(string_t& v) override { return add(Json(std::move(v))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(false); }
  bool start_array(std::size_t) override { return open(true); }
  bool key(string_t& v) override {
    stack_.back().key = std::move(v);
    return true;
  }
  bool end_object() override {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    return unique(level.object) && add(Json(std::move(level.object)));
  }
  bool end_array() override {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    return add(Json(std::move(level.array)));
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    // The parser counts from 1 and names the byte after the last one that it read.
    error = fmt::format("JSON is malformed at byte {}", position > 0 ? position - 1 : 0);
    return false;
  }

  Json root;
  std::string error;

 private:
  struct Level {
    bool is_array;
    std::string key;
    Json::Array array;
    Json::Object object;
  };

  bool open(bool is_array) {
    if (stack_.size() >= static_cast<size_t>(kJsonDepthMax)) {
      error = fmt::format("JSON is nested deeper than {} levels", kJsonDepthMax);
      return false;
    }
    stack_.push_back({is_array, {}, {}, {}});
    return true;
  }

  bool add(Json v) {
    if (stack_.empty()) {
      root = std::move(v);
    } else if (stack_.back().is_array) {
      stack_.back().array.push_back(std::move(v));
    } else {
      stack_.back().object.emplace_back(std::move(stack_.back().key), std::move(v));
    }
    return true;
  }

  // Sorted, not compared pair by pair: a hostile object of a million keys must not take a million million steps.
  bool unique(const Json::Object& object) {
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const Json::Member& m : object) keys.push_back(m.first);
    std::sort(keys.begin(), keys.end());
    auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return true;
    error = fmt::format("JSON object repeats the key {}", Json(twice->substr(0, 64)).dump());
    return false;
  }

  std::vector<Level> stack_;
};

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  if (text.size() > static_cast<size_t>(kJsonBytesMax)) {
    return Error(Code::kInvalid, fmt::format("JSON of {} bytes is above the limit of {}", text.size(), kJsonBytesMax));
  }
  // The parser would skip a byte-order mark and stop at a NUL as if the text ended there; RFC 8259 has neither.
  if (text.starts_with("\xef\xbb\xbf")) return Error(Code::kInvalid, "JSON is malformed at byte 0: byte-order mark");
  size_t nul = text.find('\0');
  if (nul != std::string_view::npos) return Error(Code::kInvalid, fmt::format("JSON is malformed at byte {}", nul));
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return Error(Code::kInvalid, builder.error.empty() ? "JSON is malformed" : builder.error);
  }
  return std::move(builder.root);
}

}  // namespace oree
