// SPDX-License-Identifier: Apache-2.0
#include "core/io/inner_path.h"

#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/text.h"

namespace oree {

Status check_inner_path(std::string_view path) {
  if (path.empty() || path.size() > static_cast<size_t>(kTarPathMax)) {
    return Error(Code::kInvalid, fmt::format("a path has {} bytes; 1 to {} are allowed", path.size(), kTarPathMax));
  }
  for (char c : path) {
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f || c == '\\')
      return Error(Code::kInvalid, "a path has a control character or a backslash");
  }
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return Error(Code::kInvalid, fmt::format("path '{}' is absolute or has an empty, '.' or '..' part", path));
    }
  }
  return {};
}

}  // namespace oree
