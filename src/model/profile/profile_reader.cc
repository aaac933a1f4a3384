// SPDX-License-Identifier: Apache-2.0
#include "model/profile/profile_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {

ProfileTable::ProfileTable(const Json* table, std::string place) : json_(table), place_(std::move(place)) {
  if (json_ != nullptr && !json_->is_object()) fail("", "must be a table");
}

const Json* ProfileTable::take(const char* key, bool needed) {
  known_.emplace_back(key);
  const Json* found = json_ != nullptr ? json_->find(key) : nullptr;
  if (found == nullptr && needed) fail(key, "is missing");
  return found;
}

void ProfileTable::fail(std::string_view key, std::string_view why) {
  if (!status_.ok()) return;
  std::string where = place_;
  for (std::string_view part : {key, why}) {
    if (!where.empty() && !part.empty()) where += ' ';
    where += part;
  }
  status_ = Error(Code::kUsage, where);
}

Status ProfileTable::finish() {
  if (json_ == nullptr) return status_;
  for (const auto& [key, value] : json_->members()) {
    if (std::ranges::find(known_, key) == known_.end()) fail("'" + key + "'", "is not a known key");
  }
  return status_;
}

void ProfileTable::text(const char* key, std::string& out, bool needed) {
  const Json* v = take(key, needed);
  if (v == nullptr) return;
  const std::string& text = v->as_string();
  const bool printable = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= ' '; });
  if (!v->is_string() || text.empty() || text.size() > kProfileTextMax || !printable) {
    return fail(key, fmt::format("must be a text of one line, of 1 to {} bytes", kProfileTextMax));
  }
  out = text;
}

void ProfileTable::word(const char* key, std::string& out, const std::vector<std::string>& words, bool needed) {
  text(key, out, needed);
  if (!out.empty() && std::ranges::find(words, out) == words.end()) {
    fail(key, fmt::format("is '{}'; expected one of {}", out, fmt::join(words, ", ")));
  }
}

void ProfileTable::texts(const char* key, std::vector<std::string>& out, bool needed) {
  const Json* v = take(key, needed);
  if (v == nullptr) return;
  const auto good = [](const Json& item) {
    return item.is_string() && !item.as_string().empty() && item.as_string().size() <= kProfileTextMax;
  };
  if (!v->is_array() || v->items().empty() || v->items().size() > kProfileListMax ||
      !std::ranges::all_of(v->items(), good)) {
    return fail(key, fmt::format("must be a list of 1 to {} texts", kProfileListMax));
  }
  for (const Json& item : v->items()) out.push_back(item.as_string());
}

void ProfileTable::words(const char* key, std::vector<std::string>& out, const std::vector<std::string>& words,
                         bool needed) {
  texts(key, out, needed);
  for (const std::string& word : out) {
    if (std::ranges::find(words, word) == words.end()) {
      fail(key, fmt::format("has '{}'; expected of {}", word, fmt::join(words, ", ")));
    }
  }
}

void ProfileTable::flag(const char* key, bool& out) {
  const Json* v = take(key);
  if (v == nullptr) return;
  if (!v->is_bool()) return fail(key, "must be true or false");
  out = v->as_bool();
}

void ProfileTable::integer(const char* key, int64_t& out, int64_t min, int64_t max, bool needed) {
  const Json* v = take(key, needed);
  if (v == nullptr) return;
  if (!v->is_int() || v->as_int() < min || v->as_int() > max) {
    return fail(key, fmt::format("must be a whole number from {} to {}", min, max));
  }
  out = v->as_int();
}

void ProfileTable::integer(const char* key, std::optional<int64_t>& out, int64_t min, int64_t max) {
  int64_t value = 0;
  integer(key, value, min, max);
  if (json_ != nullptr && json_->find(key) != nullptr) out = value;
}

void ProfileTable::number(const char* key, double& out, double min, double max, bool needed) {
  const Json* v = take(key, needed);
  if (v == nullptr) return;
  if (!v->is_number() || !(v->as_double() >= min && v->as_double() <= max)) {
    return fail(key, fmt::format("must be a number from {} to {}", min, max));
  }
  out = v->as_double();
}

void ProfileTable::number(const char* key, std::optional<double>& out, double min, double max) {
  double value = 0;
  number(key, value, min, max);
  if (json_ != nullptr && json_->find(key) != nullptr) out = value;
}

template <typename T>
void ProfileTable::numbers(const char* key, std::vector<T>& out, T min, T max) {
  const Json* v = take(key);
  if (v == nullptr) return;
  const auto value = [](const Json& item) {
    if constexpr (std::is_integral_v<T>) {
      return item.is_int() ? item.as_int() : T{-1};
    } else {
      return item.is_number() ? item.as_double() : T{-1};
    }
  };
  std::vector<T> read;
  for (const Json& item : v->items()) read.push_back(value(item));
  const bool within = std::ranges::all_of(read, [&](T x) { return x >= min && x <= max; });
  const bool ascending = std::ranges::adjacent_find(read, std::ranges::greater_equal()) == read.end();
  if (!v->is_array() || read.empty() || read.size() > kProfileListMax || !within || !ascending) {
    return fail(key, fmt::format("must be a list of numbers from {} to {}, ascending", min, max));
  }
  out = std::move(read);
}

template void ProfileTable::numbers<int64_t>(const char*, std::vector<int64_t>&, int64_t, int64_t);
template void ProfileTable::numbers<double>(const char*, std::vector<double>&, double, double);

}  // namespace oree
