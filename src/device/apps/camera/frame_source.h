// SPDX-License-Identifier: Apache-2.0
// What the camera application does with a FrameSource: keep a frame, and come back after a cut.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/result.h"
#include "core/io/clock.h"
#include "model/recipe/frame_source.h"

namespace oree {

// The same picture in memory of its own.
Frame copy_frame(const Frame& frame);

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
