// SPDX-License-Identifier: Apache-2.0
// oree: the toolchain. Wiring only.
#include "cli/context.h"
#include "os/http/beast_http_client.h"
#include "os/posix/posix_ports.h"
#ifdef OREE_VIDEO
#include "os/gstreamer/gst_frame_source.h"
#endif

int main(int argc, char** argv) {
  oree::PosixPorts posix;
  oree::BeastHttpClient http;
  oree::Ports ports = posix.ports();
  ports.http = &http;
  oree::OpenVideo open_video;
#ifdef OREE_VIDEO
  open_video = [&](const std::string& path) { return oree::open_gst_source({path, true, 0, 0}, *ports.clock); };
#endif
  return oree::cli::run(ports, argc, argv, open_video);
}
