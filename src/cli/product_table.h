// SPDX-License-Identifier: Apache-2.0
// ProductTable: one table of oree.toml, read key by key. For product.cc.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/codec/json.h"
#include "core/io/files.h"

namespace oree::cli {

inline constexpr size_t kTableListMax = 64;

// One table of the file. Keeps the first error, so that the readers below stay lists of keys; finish() also refuses
// keys that nobody asked for: a misspelt bound must not be a missing one.
class ProductTable {
 public:
  ProductTable(const Json& root, std::string section) : ProductTable(root.find(section), "[" + section + "]") {}
  ProductTable(const Json* table, std::string place) : place_(std::move(place)), json_(table) {
    if (json_ && !json_->is_object()) {
      fail("", "must be a table");
      json_ = nullptr;
    }
  }
  bool present() const { return json_ != nullptr; }

  bool text(const char* key, std::string& out) {
    const Json* v = take(key);
    if (!v) return false;
    if (!v->is_string() || v->as_string().size() > static_cast<size_t>(kTarPathMax)) {
      fail(key, "must be a text");
      return false;
    }
    out = v->as_string();
    return true;
  }
  void path(const char* key, const std::string& folder, std::string& out) {
    if (text(key, out)) out = joined(folder, out);
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const Json* v = take(key);
    if (!v) return;
    Json one = Json::array();
    if (v->is_string()) one.push(*v);  // a single text stands for a list of one
    const Json& list = v->is_string() ? one : *v;
    if (!list.is_array() || list.items().size() > kTableListMax) return fail(key, "must be a list of texts");
    for (const Json& item : list.items()) {
      if (!item.is_string()) return fail(key, "must be a list of texts");
      out.push_back(item.as_string());
    }
  }
  void paths(const char* key, const std::string& folder, std::vector<std::string>& out) {
    texts(key, out);
    for (std::string& path : out) path = joined(folder, path);
  }
  void integers(const char* key, std::vector<int>& out, int min, int max) {
    const Json* v = take(key);
    if (!v) return;
    if (!v->is_array() || v->items().size() > kTableListMax) return fail(key, "must be a list of whole numbers");
    for (const Json& item : v->items()) {
      if (!item.is_int() || item.as_int() < min || item.as_int() > max) {
        return fail(key, fmt::format("must hold whole numbers from {} to {}", min, max));
      }
      out.push_back(static_cast<int>(item.as_int()));
    }
  }
  template <typename Integer>
  void integer(const char* key, Integer& out, int64_t min, int64_t max) {
    const Json* v = take(key);
    if (!v) return;
    if (!v->is_int() || v->as_int() < min || v->as_int() > max) {
      return fail(key, fmt::format("must be a whole number from {} to {}", min, max));
    }
    out = static_cast<Integer>(v->as_int());
  }
  void number(const char* key, double& out, double min, double max) {
    const Json* v = take(key);
    if (!v) return;
    if (!v->is_number() || !(v->as_double() >= min && v->as_double() <= max)) {
      return fail(key, fmt::format("must be a number from {} to {}", min, max));
    }
    out = v->as_double();
  }
  void number(const char* key, std::optional<double>& out, double min, double max) {
    double value = 0;
    if (!json_ || !json_->find(key)) return;
    number(key, value, min, max);
    out = value;
  }
  const Json* take(const char* key) {
    known_.emplace_back(key);
    return json_ ? json_->find(key) : nullptr;
  }
  void need(const char* key, const std::string& value) {
    if (value.empty()) fail(key, "is missing");
  }
  void fail(std::string_view key, std::string_view why) {
    if (status_.ok()) status_ = Error(Code::kUsage, fmt::format("{} {}{}{}", place_, key, key.empty() ? "" : " ", why));
  }
  Status finish() {
    if (!json_) return status_;
    for (const auto& [key, value] : json_->members()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) fail(key, "is not a known key");
    }
    return status_;
  }

 private:
  static std::string joined(const std::string& folder, const std::string& path) {
    return path.empty() || path[0] == '/' || folder == "." ? path : path_join(folder, path);
  }

  std::string place_;
  const Json* json_;
  std::vector<std::string> known_;
  Status status_;
};

}  // namespace oree::cli
