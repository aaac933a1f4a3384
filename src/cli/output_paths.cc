// SPDX-License-Identifier: Apache-2.0
#include "cli/output_paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace oree::cli {
namespace {

// Of a file that may not be there yet: its folder's.
std::string real_path(const std::string& path) {
  char found[PATH_MAX];
  if (realpath(path.c_str(), found) != nullptr) return found;
  return realpath(path_parent(path).c_str(), found) != nullptr ? path_join(found, path_name(path)) : path;
}

Status remove_scratch(Files& files, const std::string& folder) {
  OREE_TRY_ASSIGN(const std::vector<std::string> names, files.list(folder));
  for (const std::string& name : names) {
    if (name.starts_with(".scratch-")) OREE_TRY(files.remove_all(path_join(folder, name)));
  }
  return {};
}

}  // namespace

Status check_outputs(Files& files, const std::vector<NamedPath>& outputs, const std::vector<NamedPath>& inputs) {
  std::vector<NamedPath> taken = inputs;
  for (const NamedPath& output : outputs) {
    if (output.path.empty()) continue;
    for (const NamedPath& other : taken) {
      if (other.path.empty() || real_path(other.path) != real_path(output.path)) continue;
      return Error(Code::kUsage, fmt::format("{}: {} is what {} names; it would be overwritten", output.option,
                                             output.path, other.option));
    }
    taken.push_back(output);
    const std::string folder = path_parent(output.path);
    OREE_TRY_ASSIGN(const FileInfo info, files.info(folder));
    if (!info.directory) return Error(Code::kUsage, fmt::format("{}: {} is no folder", output.option, folder));
  }
  return {};
}

Result<std::unique_ptr<FolderLock>> FolderLock::take(Files& files, const std::string& folder) {
  OREE_TRY(files.make_dirs(folder));
  const std::string path = path_join(folder, ".lock");
  const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    const Code code = errno == ENOSPC || errno == EDQUOT ? Code::kExhausted : Code::kUnavailable;
    return Error(code, path + ": " + std::strerror(errno));
  }
  auto lock = std::unique_ptr<FolderLock>(new FolderLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0)
    return Error(Code::kConflict, fmt::format("{}: another process works there", folder));
  OREE_TRY(remove_scratch(files, folder));
  return lock;
}

FolderLock::~FolderLock() { close(fd_); }

}  // namespace oree::cli
