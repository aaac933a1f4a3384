// SPDX-License-Identifier: Apache-2.0
#include "core/io/http_server.h"

#include "core/base/text.h"

namespace oree {

std::string bearer_token(const std::map<std::string, std::string>& headers) {
  auto found = headers.find("authorization");
  if (found == headers.end()) return "";
  std::string_view value = found->second;
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() <= kScheme.size()) return "";
  for (size_t i = 0; i < kScheme.size(); ++i) {
    char c = value[i] >= 'A' && value[i] <= 'Z' ? static_cast<char>(value[i] - 'A' + 'a') : value[i];
    if (c != kScheme[i]) return "";
  }
  return std::string(trim(value.substr(kScheme.size())));
}

}  // namespace oree
