// SPDX-License-Identifier: Apache-2.0
#include "os/posix/link_file.h"

#include <unistd.h>

#include <cerrno>

#include "os/posix/posix_fd.h"

namespace oree {

Status link_or_copy_file(Files& files, const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  int number = errno;
  if (number == EEXIST) return Error(Code::kConflict, to + ": exists already");
  if (number == ENOENT || number == ENOSPC) return posix_error(to, number);
  return copy_file(files, from, to);
}

}  // namespace oree
