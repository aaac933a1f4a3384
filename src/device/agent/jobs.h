// SPDX-License-Identifier: Apache-2.0
// Jobs: work that waits (network, hashing, unpacking) off the loop, in the order it was given, one at a time. A job
// owns copies of what it needs and gives back a closure that the loop runs: all of the agent's state stays on the loop
// thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace oree {

using JobDone = std::function<void()>;  // run on the loop thread
using Job = std::function<JobDone()>;   // run on the job thread

class Jobs {
 public:
  virtual ~Jobs() = default;
  virtual void submit(Job job) = 0;
  virtual int run_finished() = 0;  // runs the closures of finished jobs; how many
  virtual bool idle() = 0;         // nothing queued, running or waiting for run_finished()
};

class ThreadJobs : public Jobs {
 public:
  ThreadJobs();
  ~ThreadJobs() override;  // waits for the running job, drops the queued
  void submit(Job job) override;
  int run_finished() override;
  bool idle() override;
  // Drops the queued and waits for the running job at most so long. False: it still runs, and the process may only
  // be left by _exit (everything on disk is fit for that).
  bool stop(int64_t timeout_ms);

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<Job> queue_;
  std::deque<JobDone> finished_;
  bool stopping_ = false, running_ = false, gone_ = false;
  std::thread thread_;
};

// The same on the loop thread, one job a turn: for simulations, where everything must happen in one order.
class InlineJobs : public Jobs {
 public:
  void submit(Job job) override { queue_.push_back(std::move(job)); }
  int run_finished() override;
  bool idle() override { return queue_.empty(); }

 private:
  std::deque<Job> queue_;
};

}  // namespace oree
