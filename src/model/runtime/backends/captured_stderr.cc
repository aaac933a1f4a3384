// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/captured_stderr.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace oree {

CapturedStderr::CapturedStderr() {
  std::fflush(stderr);
  file_ = memfd_create("stderr", MFD_CLOEXEC);
  saved_ = file_ < 0 ? -1 : fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (saved_ >= 0) dup2(file_, 2);
}

CapturedStderr::~CapturedStderr() {
  std::fflush(stderr);
  if (saved_ >= 0) {
    dup2(saved_, 2);
    ::close(saved_);
  }
  if (file_ >= 0) ::close(file_);
}

std::string CapturedStderr::text() const {
  std::fflush(stderr);
  char bytes[2048];
  const ssize_t size = file_ < 0 ? 0 : pread(file_, bytes, sizeof bytes, 0);
  std::string out;
  for (ssize_t i = 0; i < size; ++i) {
    if (bytes[i] != '\n') {
      out += bytes[i];
    } else if (i + 1 < size) {
      out += "; ";
    }
  }
  return out;
}

}  // namespace oree
