// SPDX-License-Identifier: Apache-2.0
// oree-worker: one candidate's process, started by oree. A program of its own, because oree's libraries (pictures,
// videos) would add a sixth of a second and tens of megabytes to each candidate that is measured.
#include "model/eval/worker.h"
#include "os/posix/linux_power.h"
#include "os/posix/posix_ports.h"

int main() {
  oree::PosixPorts posix;
  oree::Ports ports = posix.ports();
  oree::LinuxPower power(ports.processes, ports.clock);
  ports.power = &power;
  return oree::worker_main(ports);
}
