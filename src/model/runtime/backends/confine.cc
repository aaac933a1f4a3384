// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/confine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

namespace oree {

Status confine_thread(const std::vector<int>& cpus) {
  if (cpus.empty()) return {};
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  for (int cpu : cpus) {
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &wanted);
  }
  // The kernel takes those of the set that are here, and refuses when there is none.
  if (sched_setaffinity(0, sizeof wanted, &wanted) == 0) return {};
  return Error(Code::kUnsupported,
               fmt::format("cpus {}: cannot be used here: {}", fmt::join(cpus, ","), std::strerror(errno)));
}

}  // namespace oree
