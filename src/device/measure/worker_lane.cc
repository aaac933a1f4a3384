// SPDX-License-Identifier: Apache-2.0
#include "device/measure/worker_lane.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>

#include "core/base/text.h"
#include "model/eval/pipe_channel.h"

namespace oree {
namespace {

constexpr int64_t kLookMs = 500;  // between two looks at what a child holds

// The child as the channel sees it, under the lane's eye: whenever the channel asks whether it has ended, it is ended
// if it must be.
class WatchedProcess : public Process {
 public:
  WatchedProcess(std::unique_ptr<Process> process, Clock& clock, int number, MemoryBudget& budget,
                 std::shared_ptr<ChildWatch> watch)
      : process_(std::move(process)), clock_(clock), number_(number), budget_(budget), watch_(std::move(watch)) {}
  ~WatchedProcess() override { budget_.update(number_, 0); }

  int64_t pid() const override { return process_->pid(); }
  std::optional<ProcessExit> poll_exit() override {
    auto exit = process_->poll_exit();
    if (!exit) {
      look();
      exit = process_->poll_exit();
    }
    if (exit && exit->signal == SIGKILL && !ours_) watch_->killed = true;
    return exit;
  }
  Result<ProcessExit> wait(int64_t timeout_ms) override { return process_->wait(timeout_ms); }
  Status signal(int number) override { return process_->signal(number); }
  std::vector<std::string> read_messages(int64_t timeout_ms) override { return process_->read_messages(timeout_ms); }
  std::vector<std::string> read_output(int64_t timeout_ms) override { return process_->read_output(timeout_ms); }
  Status send(const std::string& line) override { return process_->send(line); }
  Result<ProcessUsage> usage() override { return process_->usage(); }

 private:
  void look() {
    if (watch_->stop) return end();
    int64_t now = clock_.monotonic_ns() / 1'000'000;
    if (now < look_due_ms_) return;
    look_due_ms_ = now + kLookMs;
    auto usage = process_->usage();
    if (!usage.ok()) return;
    watch_->rss_bytes = usage->rss_bytes;
    if (budget_.update(number_, usage->rss_bytes) <= budget_.bytes_max()) return;
    watch_->over_memory = true;
    end();
  }
  void end() {
    ours_ = true;
    (void)process_->signal(SIGKILL);
  }

  std::unique_ptr<Process> process_;
  Clock& clock_;
  int number_;
  MemoryBudget& budget_;
  std::shared_ptr<ChildWatch> watch_;
  int64_t look_due_ms_ = 0;
  bool ours_ = false;
};

class WatchedProcesses : public Processes {
 public:
  WatchedProcesses(const Ports& ports, int number, MemoryBudget& budget, std::shared_ptr<ChildWatch> watch)
      : ports_(ports), number_(number), budget_(budget), watch_(std::move(watch)) {}
  Result<std::unique_ptr<Process>> spawn(const ProcessSpec& spec) override {
    OREE_TRY_ASSIGN(auto process, ports_.processes->spawn(spec));
    return std::unique_ptr<Process>(
        std::make_unique<WatchedProcess>(std::move(process), *ports_.clock, number_, budget_, watch_));
  }
  std::string own_path() override { return ports_.processes->own_path(); }
  Result<ProcessUsage> own_usage() override { return ports_.processes->own_usage(); }

 private:
  Ports ports_;
  int number_;
  MemoryBudget& budget_;
  std::shared_ptr<ChildWatch> watch_;
};

}  // namespace

int64_t MemoryBudget::update(int worker, int64_t rss_bytes) {
  std::lock_guard lock(mutex_);
  if (rss_bytes == 0)
    held_.erase(worker);
  else
    held_[worker] = rss_bytes;
  int64_t total = 0;
  for (const auto& [number, bytes] : held_) total += bytes;
  return total;
}

Result<std::shared_ptr<WorkerLane>> WorkerLane::start(const Ports& ports, int number, const WorkerSettings& settings,
                                                      MemoryBudget& budget) {
  std::shared_ptr<WorkerLane> lane(new WorkerLane(ports, number, budget));
  lane->thread_ = std::thread([raw = lane.get(), settings] { raw->run(settings); });
  std::unique_lock lock(lane->mutex_);
  lane->changed_.wait(lock, [&] { return lane->started_.has_value(); });
  if (!lane->started_->ok()) {
    Error failed = lane->started_->error();
    lock.unlock();
    return failed;
  }
  lock.unlock();
  return lane;
}

WorkerLane::~WorkerLane() { stop(); }

void WorkerLane::stop() {
  watch_->stop = true;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  // Two may end a lane at once: the job's end, and a request for this worker's.
  static std::mutex joining;
  std::lock_guard lock(joining);
  if (thread_.joinable()) thread_.join();
}

void WorkerLane::run(const WorkerSettings& settings) {
  WatchedProcesses processes(ports_, number_, budget_, watch_);
  Ports ports = ports_;
  ports.processes = &processes;
  auto channel = start_channel(ports, settings);
  std::unique_lock lock(mutex_);
  started_ = channel.ok() ? Status() : Status(channel.error());
  changed_.notify_all();
  if (!channel.ok()) return;
  while (!stopping_) {
    if (order_)
      perform(**channel, lock);
    else
      changed_.wait(lock);
  }
}

void WorkerLane::perform(WorkerChannel& channel, std::unique_lock<std::mutex>& lock) {
  Order order = std::move(*order_);
  order_.reset();
  lock.unlock();
  RemoteAnswer answer;
  auto reply = channel.ask(order.command, order.timeout_ms);
  if (!reply.ok()) {
    answer.dead = explain(reply.error());
  } else {
    answer.answer = std::move(reply).value();
    bool well = (*answer.answer)["ok"].as_bool();
    Status after = well && order.after ? order.after(answer) : Status();
    if (!after.ok())
      answer.answer = Json().set(
          "error", Json().set("code", code_name(after.error().code())).set("message", after.error().message()));
  }
  order.after = {};  // what it holds goes before anyone sees the answer
  lock.lock();
  answer_ = std::move(answer);
  answered_ = given_;
  changed_.notify_all();
}

Error WorkerLane::explain(const Error& error) const {
  std::string held = human_bytes(watch_->rss_bytes);
  if (watch_->over_memory) {
    return {Code::kExhausted,
            fmt::format("ended on the device for its memory: it held {} when all workers together passed the {} that "
                        "the device lends",
                        held, human_bytes(budget_.bytes_max()))};
  }
  if (watch_->killed) {
    return {Code::kExhausted,
            fmt::format("killed by the device's system, most likely for want of memory: it held {} when last looked "
                        "at; {}",
                        held, error.message())};
  }
  return error;
}

WorkerLane::Turn WorkerLane::turn_of(int64_t number, int64_t wait_ms, std::unique_lock<std::mutex>& lock) {
  changed_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return answered_ == number || stopping_; });
  if (answered_ == number) return {Turn::kAnswered, answer_, 0};
  return {Turn::kRunning, {}, 0};
}

std::optional<WorkerLane::Turn> WorkerLane::look(int64_t number, int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  if (number == given_ && given_ > 0) return turn_of(number, wait_ms, lock);
  if (number == given_ + 1 && answered_ == given_) return std::nullopt;
  return Turn{Turn::kOutOfOrder, {}, answered_ == given_ ? given_ + 1 : given_};
}

void WorkerLane::give(int64_t number, const Json& command, int64_t timeout_ms,
                      std::function<Status(RemoteAnswer&)> after) {
  std::lock_guard lock(mutex_);
  if (number != given_ + 1 || answered_ != given_) return;
  given_ = number;
  order_ = Order{command, timeout_ms, std::move(after)};
  changed_.notify_all();
}

}  // namespace oree
