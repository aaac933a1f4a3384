// SPDX-License-Identifier: Apache-2.0
// GstFrameSource: frames from a file, an RTSP or HTTP camera, a V4L2 device, or a pipeline that the user describes.
//
//   source … decoder  ->  I420 or NV12  ->  mailbox of one frame  ->  next()
//                    GStreamer's threads |  the caller's thread
//
// A frame that is still in the mailbox when the next one arrives is dropped and counted. With every_frame the
// decoder waits instead.
#pragma once

#include <memory>
#include <string>

#include "core/io/clock.h"
#include "model/recipe/frame_source.h"

namespace oree {

struct GstSourceOptions {
  // path or file://…, rtsp://… or rtsps://… (over TCP, no jitter buffer), http(s)://…, /dev/videoN, or
  // "gst:" and elements that end in raw video: "gst:videotestsrc ! videobalance brightness=-0.4".
  std::string uri;
  bool every_frame = false;
  double start_s = 0, stop_s = 0;  // of a file; stop 0: to its end
};

// A source that can come back after a cut: rtsp, http, V4L2. A "gst:" pipeline counts as finite.
bool is_live_uri(const std::string& uri);

// Opened and running. kUsage: a "gst:" text that GStreamer cannot parse; kNotFound: no such file or device;
// kInvalid: the file is no video or is damaged; kUnsupported: no decoder on this machine, its name in the message;
// kUnavailable: the camera does not answer. `clock` must outlive the source.
Result<std::unique_ptr<FrameSource>> open_gst_source(const GstSourceOptions& options, Clock& clock);

}  // namespace oree
