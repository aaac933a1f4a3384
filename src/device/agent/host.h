// SPDX-License-Identifier: Apache-2.0
// HostTuner: sets the device to what a bundle asks for while its model runs, as far as the agent's configuration
// allows, and back. What is not allowed or not possible is said in the log, once, and is never a reason to refuse a
// model: it proves itself in what it finds.
#pragma once

#include <string>

#include "core/io/governor.h"
#include "deliver/bundle/manifest.h"

namespace oree {

struct HostLimits {
  bool governor = false;  // a bundle may choose the CPUs' governor
  int nice_least = 0;     // the most favourable niceness that a bundle may have
};

class HostTuner {
 public:
  // `governor` may be null: this program sets none. Restores at its end.
  HostTuner(Governor* governor, HostLimits limits) : governor_(governor), limits_(limits) {}
  ~HostTuner() { restore(); }
  HostTuner(const HostTuner&) = delete;
  HostTuner& operator=(const HostTuner&) = delete;

  // Returns the niceness to start the model's process with.
  int apply(const HostSettings& wanted);
  void restore();  // the governor of before

 private:
  void say(const std::string& text);
  void set_governor(const std::string& name);
  Governor* governor_;
  HostLimits limits_;
  std::string before_;  // the governor that ours took the place of; "": ours is not there
  std::string said_;
};

}  // namespace oree
