// SPDX-License-Identifier: Apache-2.0
// Target: the machine that candidates are measured on: this one, or a device through its agent. Called by measure() and
// tune(). For one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/eval/energy.h"
#include "model/eval/worker_client.h"
#include "model/runtime/backend.h"

namespace oree {

struct TargetDescription {
  std::string name;  // "this machine", or the device's own identity
  SystemIdentity machine;
  std::vector<RuntimeInfo> runtimes;  // every backend that its program knows, available or not
  int64_t workers_bytes_max = 0;      // resident memory that it lends to all workers together; 0: it sets no bound
};

class Target {
 public:
  virtual ~Target() = default;
  virtual Result<TargetDescription> describe() = 0;
  virtual Result<SystemReading> read() = 0;
  virtual Result<std::unique_ptr<Worker>> start(const WorkerSettings& settings) = 0;
  // How it measures energy ("rapl package-0"), by the meter of that name (PowerMeters::open); an error says why it
  // can't.
  virtual Result<std::string> meter(const std::string& name) = 0;
  // Joules of one inference, the candidate in a worker of its own. "Not measurable", with the reason, is an answer.
  virtual EnergyEstimate energy(const WorkerSettings& settings, const Candidate& candidate,
                                const std::string& input_npz, uint64_t seed, const std::string& meter,
                                const EnergyPlan& plan) = 0;
  // Asked after a worker's failure: is it the candidate's own, or is the target gone? Waits up to wait_ms for it to
  // come back. Ok with `false`: it never was away. Ok with `true`: it is back, and every worker of before is lost.
  // kUnavailable: it is still gone, and what is known of why.
  virtual Result<bool> recover(int64_t wait_ms) = 0;
};

// This machine. Ports are borrowed.
class LocalTarget : public Target {
 public:
  explicit LocalTarget(const Ports& ports) : ports_(ports) {}
  Result<TargetDescription> describe() override;
  Result<SystemReading> read() override { return ports_.sensors->read(); }
  Result<std::unique_ptr<Worker>> start(const WorkerSettings& settings) override {
    return Worker::start(ports_, settings);
  }
  Result<std::string> meter(const std::string& name) override;
  EnergyEstimate energy(const WorkerSettings& settings, const Candidate& candidate, const std::string& input_npz,
                        uint64_t seed, const std::string& meter, const EnergyPlan& plan) override;
  Result<bool> recover(int64_t) override { return false; }

 private:
  Ports ports_;
};

}  // namespace oree
