// SPDX-License-Identifier: Apache-2.0
#include "os/posix/posix_clock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "core/base/result.h"

namespace oree {
namespace {

// A pipe that becomes readable once, for good: poll() on it is a sleep that a signal handler can end from any thread.
int g_stop_pipe[2] = {-1, -1};
std::atomic<bool> g_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

int64_t read_clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

PosixClock::PosixClock() {
  static const bool opened = pipe2(g_stop_pipe, O_CLOEXEC | O_NONBLOCK) == 0;
  OREE_ASSERT(opened);
}

int64_t PosixClock::wall_ms() { return read_clock_ns(CLOCK_REALTIME) / 1'000'000; }
int64_t PosixClock::monotonic_ns() { return read_clock_ns(CLOCK_BOOTTIME); }

void PosixClock::sleep_ms(int64_t ms) {
  int64_t until = monotonic_ns() + std::max<int64_t>(ms, 0) * 1'000'000;
  while (!g_stop) {
    int64_t left_ns = until - monotonic_ns();
    if (left_ns <= 0) return;
    pollfd p{g_stop_pipe[0], POLLIN, 0};
    // Rounded up, so that a sleep is never short; in pieces of a day, since poll counts in int.
    poll(&p, 1, static_cast<int>(std::min<int64_t>((left_ns + 999'999) / 1'000'000, 86'400'000)));
  }
}

void PosixClock::request_stop() {
  int saved = errno;
  g_stop = true;
  if (g_stop_pipe[1] >= 0) {
    ssize_t ignored = write(g_stop_pipe[1], "x", 1);
    (void)ignored;
  }
  errno = saved;
}

bool PosixClock::stop_requested() { return g_stop; }

uint64_t PosixRandom::next_u64() {
  uint64_t v = 0;
  ssize_t n = 0;
  do {
    n = getrandom(&v, sizeof v, 0);
  } while (n < 0 && errno == EINTR);
  OREE_ASSERT(n == sizeof v);  // the kernel promises up to 256 bytes whole
  return v;
}

}  // namespace oree
