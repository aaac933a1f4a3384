// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/turns.h"

namespace oree {

bool Turns::wait_for(size_t turn) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return done_ == turn || failed_; });
  return !failed_;
}

void Turns::end() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++done_;
  changed_.notify_all();
}

void Turns::fail(const Error& error, size_t turn) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!failed_ || turn < failed_turn_) {
    failed_ = error;
    failed_turn_ = turn;
  }
  changed_.notify_all();
}

bool Turns::failed() {
  std::lock_guard<std::mutex> lock(mutex_);
  return failed_.has_value();
}

Status Turns::verdict() {
  std::lock_guard<std::mutex> lock(mutex_);
  return failed_ ? Status(*failed_) : Status();
}

}  // namespace oree
