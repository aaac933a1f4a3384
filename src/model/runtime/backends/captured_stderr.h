// SPDX-License-Identifier: Apache-2.0
// What an engine writes to standard error while it fails, for the Error instead: some have no other way to say it, and
// a command's output stays its own.
#pragma once

#include <string>

namespace oree {

class CapturedStderr {
 public:
  CapturedStderr();
  ~CapturedStderr();
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  // The lines so far, at most 2 KiB, joined by "; ".
  std::string text() const;

 private:
  int saved_ = -1;
  int file_ = -1;
};

}  // namespace oree
