// SPDX-License-Identifier: Apache-2.0
// profiles/*.toml, built into the program by cmake/EmbedFiles.cmake.
#pragma once

#include <string_view>
#include <vector>

namespace oree {

struct ProfileFile {
  std::string_view name;  // "raspberry-pi-4.toml"
  std::string_view bytes;
};
const std::vector<ProfileFile>& profile_files();

}  // namespace oree
