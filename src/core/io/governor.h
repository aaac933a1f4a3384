// SPDX-License-Identifier: Apache-2.0
// What chooses the CPUs' frequency. Implementations: os/posix/linux_governor.h, io/fake.
#pragma once

#include <string>

#include "core/base/result.h"

namespace oree {

class Governor {
 public:
  virtual ~Governor() = default;
  // The governor that all CPUs have; "" when they have several, or the kernel has none to choose.
  virtual std::string get() = 0;
  // For all CPUs, or none. kUnsupported: the kernel has no such governor here, with those that it has; kRefused: it is
  // not for us to set.
  virtual Status set(const std::string& name) = 0;
};

}  // namespace oree
