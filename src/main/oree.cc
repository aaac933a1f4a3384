// SPDX-License-Identifier: Apache-2.0
// oree: the toolchain. Wiring only.
#include "cli/context.h"
#include "os/http/beast_http_client.h"
#include "os/posix/posix_ports.h"

int main(int argc, char** argv) {
  oree::PosixPorts posix;
  oree::BeastHttpClient http;
  oree::Ports ports = posix.ports();
  ports.http = &http;
  return oree::cli::run(ports, argc, argv);
}
