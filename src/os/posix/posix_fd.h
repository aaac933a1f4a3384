// SPDX-License-Identifier: Apache-2.0
// What the POSIX ports share: an owned file descriptor, and errno as an Error.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "core/base/result.h"

namespace oree {

class PosixFd {
 public:
  PosixFd() = default;
  explicit PosixFd(int fd) : fd_(fd) {}
  PosixFd(PosixFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PosixFd& operator=(PosixFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~PosixFd() { reset(); }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

Error posix_error(const std::string& what, int number);  // number is errno; what is the path

}  // namespace oree
