// SPDX-License-Identifier: Apache-2.0
#include "device/agent/jobs.h"

#include <chrono>

namespace oree {

ThreadJobs::ThreadJobs() : thread_([this] { work(); }) {}

ThreadJobs::~ThreadJobs() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ThreadJobs::submit(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

int ThreadJobs::run_finished() {
  std::deque<JobDone> finished;
  {
    std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (JobDone& done : finished) {
    if (done) done();
  }
  return static_cast<int>(finished.size());
}

bool ThreadJobs::idle() {
  std::lock_guard lock(mutex_);
  return queue_.empty() && finished_.empty() && !running_;
}

bool ThreadJobs::stop(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  queue_.clear();
  wake_.notify_all();
  return ended_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return gone_; });
}

void ThreadJobs::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      wake_.wait(lock);
      continue;
    }
    Job job = std::move(queue_.front());
    queue_.pop_front();
    running_ = true;
    lock.unlock();
    JobDone done = job();
    job = nullptr;  // what it captured goes before anyone sees the queue as idle
    lock.lock();
    running_ = false;
    finished_.push_back(std::move(done));
  }
  gone_ = true;
  ended_.notify_all();
}

int InlineJobs::run_finished() {
  if (queue_.empty()) return 0;
  Job job = std::move(queue_.front());
  queue_.pop_front();
  JobDone done = job();
  if (done) done();
  return 1;
}

}  // namespace oree
