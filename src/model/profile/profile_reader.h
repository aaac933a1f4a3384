// SPDX-License-Identifier: Apache-2.0
// ProfileTable: one table of a profile's TOML, read key by key. Keeps the first error, so that the readers stay lists
// of keys; finish() also refuses keys that nobody asked for: a misspelt limit must not be a missing one. Internal to
// model/profile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/codec/json.h"

namespace oree {

class ProfileTable {
 public:
  // `place` leads messages: "", "[memory]", "[[engine]] 2". `table` may be nullptr: an absent table has no keys.
  ProfileTable(const Json* table, std::string place);

  void text(const char* key, std::string& out, bool needed = false);
  void word(const char* key, std::string& out, const std::vector<std::string>& words, bool needed = false);
  void texts(const char* key, std::vector<std::string>& out, bool needed = false);
  void words(const char* key, std::vector<std::string>& out, const std::vector<std::string>& words,
             bool needed = false);
  void flag(const char* key, bool& out);
  void integer(const char* key, int64_t& out, int64_t min, int64_t max, bool needed = false);
  void integer(const char* key, std::optional<int64_t>& out, int64_t min, int64_t max);
  void number(const char* key, double& out, double min, double max, bool needed = false);
  void number(const char* key, std::optional<double>& out, double min, double max);
  template <typename T>
  void numbers(const char* key, std::vector<T>& out, T min, T max);

  const Json* take(const char* key, bool needed = false);  // known from now on
  void fail(std::string_view key, std::string_view why);
  Status finish();

 private:
  const Json* json_;
  std::string place_;
  std::vector<std::string> known_;
  Status status_;
};

}  // namespace oree
