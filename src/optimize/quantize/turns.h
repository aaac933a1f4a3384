// SPDX-License-Identifier: Apache-2.0
// Turns: threads work on samples as they come, and what depends on the order is done one sample after the other.
// Internal to optimize/quantize.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>

#include "core/base/result.h"

namespace oree {

class Turns {
 public:
  // Until all before `turn` have ended: the thread then has it for itself. False: some sample has failed.
  bool wait_for(size_t turn);
  void end();  // the turn that was waited for
  // The first failure in the samples' order is told, whichever thread met one first.
  void fail(const Error& error, size_t turn);
  bool failed();
  Status verdict();  // once no thread is at work

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t done_ = 0, failed_turn_ = 0;
  std::optional<Error> failed_;
};

}  // namespace oree
