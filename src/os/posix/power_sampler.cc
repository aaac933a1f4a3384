// SPDX-License-Identifier: Apache-2.0
#include "os/posix/power_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace oree {

void PowerIntegral::add(int64_t time_ns, double watts) {
  if (!empty_) joules_ += (watts_ + watts) / 2 * static_cast<double>(std::max<int64_t>(time_ns - time_ns_, 0)) / 1e9;
  empty_ = false;
  time_ns_ = std::max(time_ns_, time_ns);
  watts_ = watts;
}

namespace {

class Sampler : public PowerMeter {
 public:
  Sampler(PowerMeterInfo info, Clock* clock, PowerSample sample)
      : info_(std::move(info)), clock_(clock), sample_(std::move(sample)) {}
  ~Sampler() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  Status start() {
    OREE_TRY_ASSIGN(double watts, sample_());
    integral_.add(clock_->monotonic_ns(), watts);
    thread_ = std::thread([this] { work(); });
    return {};
  }

  const PowerMeterInfo& info() const override { return info_; }
  Result<EnergyReading> read() override {
    std::lock_guard lock(mutex_);
    if (failed_) return *failed_;
    EnergyReading reading = integral_.reading();
    int64_t silent_ms = (clock_->monotonic_ns() - reading.time_ns) / 1'000'000;
    if (silent_ms > std::max(2000, 20 * info_.sample_ms))
      return Error(Code::kUnavailable,
                   fmt::format("{}: the sensor has not answered for {} ms", info_.method, silent_ms));
    return reading;
  }

 private:
  void work() {
    int failures = 0;
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::milliseconds(info_.sample_ms), [this] { return stop_; })) {
      lock.unlock();
      Result<double> watts = sample_();
      int64_t now = clock_->monotonic_ns();
      lock.lock();
      failures = watts.ok() ? 0 : failures + 1;
      if (watts.ok()) integral_.add(now, *watts);
      if (failures == kSampleFailuresMax) {
        failed_ = watts.error().within(info_.method);
        return;
      }
    }
  }

  PowerMeterInfo info_;
  Clock* clock_;
  PowerSample sample_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stop_ = false;
  PowerIntegral integral_;
  std::optional<Error> failed_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<PowerMeter>> start_sampler(PowerMeterInfo info, Clock* clock, PowerSample sample) {
  OREE_ASSERT(info.sample_ms > 0);
  auto sampler = std::make_unique<Sampler>(std::move(info), clock, std::move(sample));
  OREE_TRY(sampler->start());
  return std::unique_ptr<PowerMeter>(std::move(sampler));
}

}  // namespace oree
