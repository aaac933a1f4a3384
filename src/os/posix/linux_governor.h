// SPDX-License-Identifier: Apache-2.0
// The governors of Linux's cpufreq: one file a policy, whose CPUs change their frequency together.
#pragma once

#include <string>
#include <vector>

#include "core/io/governor.h"

namespace oree {

class LinuxGovernor : public Governor {
 public:
  explicit LinuxGovernor(const std::string& root = "") : folder_(root + "/sys/devices/system/cpu/cpufreq") {}
  std::string get() override;
  Status set(const std::string& name) override;

 private:
  std::vector<std::string> policies() const;  // folders
  std::string folder_;
};

}  // namespace oree
