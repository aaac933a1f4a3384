// SPDX-License-Identifier: Apache-2.0
#include "core/base/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace oree;

TEST_CASE("each piece is worked on once, however many threads there are") {
  for (int threads : {-1, 1, 2, 8}) {
    CAPTURE(threads);
    std::vector<std::atomic<int>> times(5);
    CHECK(each_in_parallel(times.size(), threads, [&](size_t i) {
            ++times[i];
            return Status();
          }).ok());
    for (const std::atomic<int>& t : times) CHECK(t == 1);
  }
  CHECK(each_in_parallel(0, 2, [](size_t) { return Status(Error(Code::kInternal, "")); }).ok());
}

TEST_CASE("two pieces are worked on at once, one of them on the caller's thread") {
  std::atomic<int> begun = 0;
  std::vector<std::thread::id> who(2);
  CHECK(each_in_parallel(2, 2, [&](size_t i) {
          who[i] = std::this_thread::get_id();
          for (++begun; begun < 2;) std::this_thread::yield();  // each waits for the other
          return Status();
        }).ok());
  CHECK(who[0] != who[1]);
  CHECK((who[0] == std::this_thread::get_id() || who[1] == std::this_thread::get_id()));
}

TEST_CASE("the first failure by index is told, and nothing is begun after one") {
  for (int threads : {1, 2, 4}) {
    CAPTURE(threads);
    std::atomic<size_t> highest = 0;
    std::atomic<bool> late = false;
    Status done = each_in_parallel(1000, threads, [&](size_t i) -> Status {
      size_t seen = highest;
      while (i > seen && !highest.compare_exchange_weak(seen, i)) {
      }
      if (i == 2) {
        // Others may fail before it, if there are any.
        for (int wait = 0; wait < 1000 && threads > 1 && !late; ++wait) std::this_thread::yield();
        return Error(Code::kInvalid, "2");
      }
      if (i < 2) return Status();
      late = true;
      return Error(Code::kInvalid, std::to_string(i));
    });
    REQUIRE_FALSE(done.ok());
    CHECK(done.error().message() == "2");
    CHECK(highest < 2 + static_cast<size_t>(threads));
  }
}
