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

int http_status(Code code) {
  switch (code) {
    case Code::kUsage:
    case Code::kInvalid: return 400;
    case Code::kIntegrity: return 422;
    case Code::kUnsupported: return 501;
    case Code::kUnavailable: return 503;
    case Code::kExhausted: return 507;
    case Code::kNotFound: return 404;
    case Code::kConflict: return 409;
    case Code::kRefused: return 403;
    case Code::kInternal: return 500;
  }
  return 500;
}

}  // namespace oree
