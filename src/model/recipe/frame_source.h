// SPDX-License-Identifier: Apache-2.0
// FrameSource gives the pictures of a camera or video, one after another. Real one: os/gstreamer. One thread fetches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "model/recipe/image.h"

namespace oree {

struct Frame {
  YuvView view;
  std::shared_ptr<const void> owner;  // keeps the pixels of `view`; a source may have few of them, so hold it briefly
  int64_t index = 0;                  // counts what the source delivered, dropped ones included, from 0
  int64_t born_ns = 0;                // by Clock::monotonic_ns: when the picture was due (its time stamp), or arrived
  int64_t stream_ms = 0;              // position in the stream
};

enum class Fetch { kFrame, kTimeout, kEnd };

class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Waits for the next frame. A source that is followed live gives the newest one: frames that nobody fetched in time
  // are dropped, never queued, and counted. One that is opened for every frame waits instead. kEnd: a finite source has
  // no more. Errors: kUnavailable (a camera that may come back), kInvalid (the video is damaged), kUnsupported (no
  // decoder for it), kNotFound.
  virtual Result<Fetch> next(Frame& frame, int64_t timeout_ms) = 0;
  virtual int64_t dropped() const = 0;  // so far
};

// Opens a video file for every frame of it, in order.
using OpenVideo = std::function<Result<std::unique_ptr<FrameSource>>(const std::string& path)>;

}  // namespace oree
