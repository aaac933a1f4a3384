// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/ports.h"
#include "os/posix/linux_sensors.h"
#include "os/posix/posix_clock.h"
#include "os/posix/posix_files.h"
#include "os/posix/posix_processes.h"

namespace oree {

// The real world for main/: everything but HTTP, which a program adds when it needs it. Must outlive the Ports.
class PosixPorts {
 public:
  Ports ports(HttpClient* http = nullptr) { return {&clock_, &random_, &files_, http, &processes_, &sensors_}; }

 private:
  PosixClock clock_;
  PosixRandom random_;
  PosixFiles files_;
  PosixProcesses processes_;
  LinuxSensors sensors_;
};

}  // namespace oree
