// SPDX-License-Identifier: Apache-2.0
// What a command writes, looked at before it works: what goes wrong with a path should not cost minutes, or a file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/io/files.h"

namespace oree::cli {

struct NamedPath {
  std::string option;  // "--html"
  std::string path;    // "": not given
};
// kUsage when a file to be written is one of the others or one of `inputs`, by whatever name; kNotFound when its folder
// is not there.
Status check_outputs(Files& files, const std::vector<NamedPath>& outputs, const std::vector<NamedPath>& inputs);

// The folder of a long run, made when it is absent, for one process at a time; until the object is gone. Scratch that
// an interrupted run left there is removed.
class FolderLock {
 public:
  // kConflict: another process has it.
  static Result<std::unique_ptr<FolderLock>> take(Files& files, const std::string& folder);
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace oree::cli
