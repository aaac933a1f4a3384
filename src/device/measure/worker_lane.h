// SPDX-License-Identifier: Apache-2.0
// WorkerLane: one worker of a job: a child that measures (model/eval/worker.h), on a thread of its own, which starts it
// and ends with it (the kernel's "die with parent" means the thread that forked). Commands are numbered, so that one
// that is asked twice runs once. Whoever holds the lane may call it from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/io/ports.h"
#include "model/eval/worker_client.h"
#include "model/remote/protocol.h"

namespace oree {

// Memory that the workers of a job hold together. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}
  int64_t bytes_max() const { return bytes_max_; }
  int64_t update(int worker, int64_t rss_bytes);  // what all hold now; 0 bytes: it is gone
 private:
  const int64_t bytes_max_;
  std::mutex mutex_;
  std::map<int, int64_t> held_;
};

// What a lane knows of its child, beside the channel.
struct ChildWatch {
  std::atomic<bool> stop{false};         // the lane is to end, and the child with it
  std::atomic<bool> over_memory{false};  // we ended it for what it held
  std::atomic<bool> killed{false};       // SIGKILL, and not ours: the kernel's answer to memory that is used up
  std::atomic<int64_t> rss_bytes{0};     // when last looked at
};

class WorkerLane {
 public:
  // Waits until the child is started, or could not be. `budget` must outlive the lane. Ports are borrowed: processes
  // and clock are used from the lane's thread.
  static Result<std::shared_ptr<WorkerLane>> start(const Ports& ports, int number, const WorkerSettings& settings,
                                                   MemoryBudget& budget);
  ~WorkerLane();  // stop()

  struct Turn {
    enum Kind { kAnswered, kRunning, kOutOfOrder } kind = kRunning;
    RemoteAnswer answer;
    int64_t expected = 0;  // kOutOfOrder: the number that would have been taken
  };
  // Has a command with this number been given? Its turn, waiting up to wait_ms for the end; nothing when it is the next
  // one, and may be given.
  std::optional<Turn> look(int64_t number, int64_t wait_ms);
  // Gives the next one, when it still is that: `after` runs on the lane's thread once the child has
  // answered well, and may add to the answer.
  void give(int64_t number, const Json& command, int64_t timeout_ms, std::function<Status(RemoteAnswer&)> after);
  void stop();  // ends the child, in the middle of a command too, and waits for that

 private:
  WorkerLane(const Ports& ports, int number, MemoryBudget& budget)
      : ports_(ports), number_(number), budget_(budget), watch_(std::make_shared<ChildWatch>()) {}
  void run(const WorkerSettings& settings);
  void perform(WorkerChannel& channel, std::unique_lock<std::mutex>& lock);
  Error explain(const Error& error) const;
  Turn turn_of(int64_t number, int64_t wait_ms, std::unique_lock<std::mutex>& lock);

  struct Order {
    Json command;
    int64_t timeout_ms = 0;
    std::function<Status(RemoteAnswer&)> after;
  };
  Ports ports_;
  int number_;
  MemoryBudget& budget_;
  std::shared_ptr<ChildWatch> watch_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::optional<Status> started_;
  std::optional<Order> order_;
  int64_t given_ = 0, answered_ = 0;  // the last numbers
  RemoteAnswer answer_;               // of number answered_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace oree
