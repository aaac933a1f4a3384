// SPDX-License-Identifier: Apache-2.0
#include "device/agent/jobs.h"

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

using namespace oree;

TEST_CASE("jobs run in order off the loop, their closures on it") {
  ThreadJobs jobs;
  std::vector<int> order;
  std::thread::id loop = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    jobs.submit([&order, i, loop]() -> JobDone {
      bool off = std::this_thread::get_id() != loop;
      return [&order, i, off] { order.push_back(off ? i : -1); };
    });
  }
  while (!jobs.idle()) jobs.run_finished();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("stop does not wait longer than told, and drops what is queued") {
  std::atomic<bool> go{false}, started{false}, second{false};
  {
    ThreadJobs jobs;
    jobs.submit([&]() -> JobDone {
      started = true;
      while (!go) std::this_thread::yield();
      return {};
    });
    jobs.submit([&]() -> JobDone {
      second = true;
      return {};
    });
    while (!started) std::this_thread::yield();
    CHECK_FALSE(jobs.stop(1));
    go = true;
    CHECK(jobs.stop(10'000));
  }
  CHECK_FALSE(second);
}
