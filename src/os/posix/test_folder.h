// SPDX-License-Identifier: Apache-2.0
// For tests: a real folder of the test's own, removed with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace oree {

struct TestFolder {
  TestFolder() : path(std::filesystem::temp_directory_path() / "oree-test-XXXXXX") {
    OREE_ASSERT(mkdtemp(path.data()) != nullptr);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string operator/(const std::string& name) const { return path + "/" + name; }

  std::string path;
};

}  // namespace oree
