// SPDX-License-Identifier: Apache-2.0
// The dashboard's files (web/), built into the program by cmake/EmbedFiles.cmake.
#pragma once

#include <string_view>
#include <vector>

namespace oree {

struct Asset {
  std::string_view name;  // "index.html"
  std::string_view bytes;
};
const std::vector<Asset>& web_assets();

}  // namespace oree
