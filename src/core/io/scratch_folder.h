// SPDX-License-Identifier: Apache-2.0
// A folder for what passes between steps or processes; gone with the object.
#pragma once

#include <string>
#include <utility>

#include "core/io/files.h"

namespace oree {

class ScratchFolder {
 public:
  // Beside `path`, of a name that nothing has yet. Errors: those of make_dirs. `files` must outlive it.
  static Result<ScratchFolder> beside(Files& files, const std::string& path);
  ScratchFolder(ScratchFolder&& other) noexcept : files_(other.files_), path_(std::exchange(other.path_, "")) {}
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  ScratchFolder(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  Files& files_;
  std::string path_;  // "": moved from
};

}  // namespace oree
