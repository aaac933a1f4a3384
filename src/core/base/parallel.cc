// SPDX-License-Identifier: Apache-2.0
#include "core/base/parallel.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace oree {

Status each_in_parallel(size_t count, int threads, const std::function<Status(size_t index)>& each) {
  std::mutex mutex;
  size_t next = 0, failed_at = count;
  Status verdict;
  auto work = [&] {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex);
      if (failed_at < count || next >= count) return;
      const size_t index = next++;
      lock.unlock();
      Status done = each(index);
      if (done.ok()) continue;
      lock.lock();
      if (index > failed_at) return;
      failed_at = index;
      verdict = done;
    }
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < std::min(count, static_cast<size_t>(std::max(threads, 1))); ++t) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  return verdict;
}

}  // namespace oree
