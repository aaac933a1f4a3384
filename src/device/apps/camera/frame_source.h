// SPDX-License-Identifier: Apache-2.0
// FrameSource gives the newest picture of a camera or video. Frames that nobody fetched in time are dropped, never
// queued, and counted. Real one: os/gstreamer. One thread fetches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/result.h"
#include "core/io/clock.h"
#include "model/recipe/image.h"

namespace oree {

struct Frame {
  YuvView view;
  std::shared_ptr<const void> owner;  // keeps the pixels of `view`; a source may have few of them, so hold it briefly
  int64_t index = 0;                  // counts what the source delivered, dropped ones included, from 0
  int64_t born_ns = 0;                // by Clock::monotonic_ns: when the picture was due (its time stamp), or arrived
  int64_t stream_ms = 0;              // position in the stream
};
// The same picture in memory of its own.
Frame copy_frame(const Frame& frame);

enum class Fetch { kFrame, kTimeout, kEnd };

class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Waits for the next frame. kEnd: a finite source has no more. Errors: kUnavailable (a camera that may come back),
  // kInvalid (the video is damaged), kUnsupported (no decoder for it), kNotFound.
  virtual Result<Fetch> next(Frame& frame, int64_t timeout_ms) = 0;
  virtual int64_t dropped() const = 0;  // so far
};

struct ReconnectRules {
  bool live = false;  // errors that may pass are waited out; an end is an error; silence is one too
  bool loop = false;  // a finite source starts again at its end
  int64_t silence_ms_max = 10000;
  int64_t wait_ms_first = 500, wait_ms_max = 30000;  // doubles from one to the other, reset by a frame
};

// Opens the source, and opens it again when it went away. Frame indices and drops go on counting over the cuts.
class ReconnectingSource : public FrameSource {
 public:
  using Open = std::function<Result<std::unique_ptr<FrameSource>>()>;
  ReconnectingSource(Clock& clock, ReconnectRules rules, Open open)
      : clock_(clock), rules_(rules), open_(std::move(open)) {}

  // Never waits much longer than timeout_ms: a back-off is spent over several calls, each giving kTimeout.
  Result<Fetch> next(Frame& frame, int64_t timeout_ms) override;
  int64_t dropped() const override { return dropped_before_ + (source_ ? source_->dropped() : 0); }
  int64_t reconnects() const { return reconnects_; }  // times that frames came again after a loss

 private:
  Result<Fetch> lost(const Error& error);
  void close();

  Clock& clock_;
  ReconnectRules rules_;
  Open open_;
  std::unique_ptr<FrameSource> source_;
  int64_t index_base_ = 0, index_next_ = 0, dropped_before_ = 0, reconnects_ = 0;
  int64_t last_frame_ns_ = 0, retry_at_ns_ = 0, wait_ms_ = 0;
  bool frame_since_open_ = false;
};

}  // namespace oree
