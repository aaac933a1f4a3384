// SPDX-License-Identifier: Apache-2.0
// RemoteTarget: a device that lends itself for measuring through its agent (docs/formats/measure.md). Made by the
// commands that take --device. Files go there by their SHA-256, each once; what the device says in words comes back as
// the text of an Error. The first start() begins the job, and the destructor ends it.
//
//   kUsage        the token is not accepted, the certificate not trusted
//   kConflict     the device is busy: with whom and since when, or with an update
//   kUnavailable  it cannot be reached, or was lost in the middle: recover() waits for it
//   kExhausted    its disk, or its memory, which ended a worker
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/digest/model_files.h"
#include "model/eval/target.h"
#include "model/remote/device_http.h"

namespace oree {

struct RemoteSession;

class RemoteTarget : public Target {
 public:
  // Which files a model has; a function, so that tests do without models.
  using FilesOf = std::function<Result<std::vector<ModelFile>>(const std::string& model)>;

  // Ports are borrowed: clock, random, files and http.
  RemoteTarget(const Ports& ports, RemoteSettings settings, FilesOf files_of = model_files);
  ~RemoteTarget() override;
  Result<TargetDescription> describe() override;
  Result<SystemReading> read() override;
  Result<std::unique_ptr<Worker>> start(const WorkerSettings& settings) override;
  // The protocol carries no energy: kUnsupported, and "not measurable".
  Result<std::string> meter(const std::string& name) override;
  EnergyEstimate energy(const WorkerSettings& settings, const Candidate& candidate, const std::string& input_npz,
                        uint64_t seed, const std::string& meter, const EnergyPlan& plan) override;
  // Tries again with pauses of 1 s that double up to 30 s, and begins a new job. A reboot, and how long the device was
  // away, is a line in the log.
  Result<bool> recover(int64_t wait_ms) override;

 private:
  std::shared_ptr<RemoteSession> session_;  // the workers' channels have it, too
};

}  // namespace oree
