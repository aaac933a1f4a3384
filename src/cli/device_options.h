// SPDX-License-Identifier: Apache-2.0
// Where to measure: what the commands that measure candidates share.
#pragma once

#include <memory>
#include <string>

#include "core/codec/json.h"
#include "core/io/ports.h"
#include "model/eval/target.h"

namespace CLI {
class App;
}

namespace oree::cli {

struct DeviceOptions {
  std::string url;         // "": this machine
  std::string token_file;  // "": the environment variable OREE_DEVICE_TOKEN
  std::string ca_file;     // "": the system's authorities

  void add(CLI::App& command);  // --device, --device-token-file, --device-ca
  bool remote() const { return !url.empty(); }
};

// This machine, or the device. Nothing is asked of a device yet. Borrows the ports.
Result<std::unique_ptr<Target>> open_target(const Ports& ports, const DeviceOptions& options);

// A target's sensors for who reads some. A reading that did not come is one that tells nothing.
class TargetSensors : public Sensors {
 public:
  TargetSensors(Target& target, SystemIdentity machine) : target_(target), machine_(std::move(machine)) {}
  SystemReading read() override {
    auto reading = target_.read();
    return reading.ok() ? *reading : SystemReading{};
  }
  SystemIdentity identity() override { return machine_; }

 private:
  Target& target_;
  SystemIdentity machine_;
};

// "measured on door-camera-1: Cortex-A76, 4 cores, aarch64, Debian GNU/Linux 12", for people.
std::string target_text(const TargetDescription& description);
Json target_to_json(const TargetDescription& description);  // for reports, without the engines

}  // namespace oree::cli
