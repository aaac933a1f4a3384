// SPDX-License-Identifier: Apache-2.0
#include "cli/shape_options.h"

#include <fmt/format.h>

#include <charconv>

#include "core/base/text.h"

namespace oree::cli {
namespace {

// "name=value" -> both parts; names may hold '=' themselves, values do not.
Result<std::pair<std::string, std::string>> split_setting(const std::string& text, const char* option) {
  size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    return Error(Code::kUsage, fmt::format("{} {}: expected NAME=VALUE", option, text));
  }
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

Result<int64_t> parse_size(const std::string& text, const std::string& where) {
  int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 0) {
    return Error(Code::kUsage, fmt::format("{}: '{}' is no size", where, text));
  }
  return n;
}

}  // namespace

Result<std::map<std::string, int64_t>> parse_dims(const std::vector<std::string>& settings) {
  std::map<std::string, int64_t> dims;
  for (const std::string& text : settings) {
    OREE_TRY_ASSIGN(auto setting, split_setting(text, "--dim"));
    OREE_TRY_ASSIGN(dims[setting.first], parse_size(setting.second, "--dim " + text));
  }
  return dims;
}

Result<std::map<std::string, Shape>> parse_shapes(const std::vector<std::string>& settings) {
  std::map<std::string, Shape> shapes;
  for (const std::string& text : settings) {
    OREE_TRY_ASSIGN(auto setting, split_setting(text, "--shape"));
    Shape shape;
    for (const std::string& part : split(setting.second, ',')) {
      OREE_TRY_ASSIGN(int64_t size, parse_size(part, "--shape " + text));
      shape.push_back(size);
    }
    shapes[setting.first] = std::move(shape);
  }
  return shapes;
}

}  // namespace oree::cli
