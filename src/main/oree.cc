// SPDX-License-Identifier: Apache-2.0
// oree: the toolchain. Wiring only.
#include <string_view>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "cli/context.h"
#include "os/http/beast_http_client.h"
#include "os/posix/linux_power.h"
#include "os/posix/posix_ports.h"
#ifdef OREE_VIDEO
#include "os/gstreamer/gst_frame_source.h"
#endif

int main(int argc, char** argv) {
#if defined(__GLIBC__)
  // What one thread has freed serves the others: 30 MB less at the peak, in the same time. Others measure engines,
  // which are to have what an application gives them.
  if (argc > 1 && argv[1] == std::string_view("quantize")) mallopt(M_ARENA_MAX, 1);
#endif
  oree::PosixPorts posix;
  oree::BeastHttpClient http;
  oree::Ports ports = posix.ports();
  ports.http = &http;
  oree::LinuxPower power(ports.processes, ports.clock);
  ports.power = &power;
  oree::OpenVideo open_video;
#ifdef OREE_VIDEO
  open_video = [&](const std::string& path) { return oree::open_gst_source({path, true, 0, 0}, *ports.clock); };
#endif
  return oree::cli::run(ports, argc, argv, open_video);
}
