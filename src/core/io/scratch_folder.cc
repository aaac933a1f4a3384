// SPDX-License-Identifier: Apache-2.0
#include "core/io/scratch_folder.h"

#include <fmt/format.h>

namespace oree {

Result<ScratchFolder> ScratchFolder::beside(Files& files, const std::string& path) {
  std::string folder = path + ".scratch";
  for (int i = 1; files.exists(folder); ++i) folder = fmt::format("{}.scratch-{}", path, i);
  OREE_TRY(files.make_dirs(folder));
  return ScratchFolder(files, std::move(folder));
}

ScratchFolder::~ScratchFolder() {
  if (!path_.empty()) (void)files_.remove_all(path_);
}

}  // namespace oree
