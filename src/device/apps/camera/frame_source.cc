// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/frame_source.h"

#include <algorithm>

#include "core/base/log.h"

namespace oree {

Frame copy_frame(const Frame& frame) {
  const YuvView& from = frame.view;
  int chroma_rows = (from.height + 1) / 2;
  auto chroma_columns = static_cast<size_t>((from.width + 1) / 2);
  bool pairs = from.cr == nullptr;
  size_t chroma_row = pairs ? chroma_columns * 2 : chroma_columns;
  auto luma_row = static_cast<size_t>(from.width);
  auto pixels = std::make_shared<Bytes>();
  pixels->resize(luma_row * static_cast<size_t>(from.height) + chroma_columns * 2 * static_cast<size_t>(chroma_rows));
  uint8_t* to = pixels->data();
  auto copy_plane = [&](const uint8_t* plane, int64_t stride, size_t row, int rows) {
    const uint8_t* start = to;
    for (int y = 0; y < rows; ++y, to += row) std::copy_n(plane + y * stride, row, to);
    return start;
  };
  Frame out = frame;
  out.view.luma = copy_plane(from.luma, from.luma_stride, luma_row, from.height);
  out.view.luma_stride = static_cast<int64_t>(luma_row);
  out.view.cb = copy_plane(from.cb, from.chroma_stride, chroma_row, chroma_rows);
  if (!pairs) out.view.cr = copy_plane(from.cr, from.chroma_stride, chroma_row, chroma_rows);
  out.view.chroma_stride = static_cast<int64_t>(chroma_row);
  out.owner = pixels;
  return out;
}

void ReconnectingSource::close() {
  if (!source_) return;
  dropped_before_ += source_->dropped();
  source_.reset();
  index_base_ = index_next_;
}

Result<Fetch> ReconnectingSource::lost(const Error& error) {
  close();
  if (!rules_.live || error.code() == Code::kUsage || error.code() == Code::kUnsupported) return error;
  wait_ms_ = wait_ms_ == 0 ? rules_.wait_ms_first : std::min(wait_ms_ * 2, rules_.wait_ms_max);
  retry_at_ns_ = clock_.monotonic_ns() + wait_ms_ * 1'000'000;
  log_warn("camera", "the source is gone, next try in " + std::to_string(wait_ms_) + " ms: " + error.message());
  return Fetch::kTimeout;
}

Result<Fetch> ReconnectingSource::next(Frame& frame, int64_t timeout_ms) {
  if (!source_) {
    int64_t wait_ms = (retry_at_ns_ - clock_.monotonic_ns()) / 1'000'000;
    if (retry_at_ns_ > 0 && wait_ms > 0) {
      clock_.sleep_ms(std::min(wait_ms, timeout_ms));
      return Fetch::kTimeout;
    }
    auto opened = open_();
    if (!opened.ok()) return lost(opened.error());
    source_ = std::move(opened).value();
    last_frame_ns_ = clock_.monotonic_ns();
    frame_since_open_ = false;
  }
  auto fetched = source_->next(frame, timeout_ms);
  if (!fetched.ok()) return lost(fetched.error());
  switch (*fetched) {
    case Fetch::kFrame:
      frame.index += index_base_;
      index_next_ = frame.index + 1;
      last_frame_ns_ = clock_.monotonic_ns();
      if (!frame_since_open_ && retry_at_ns_ > 0) ++reconnects_;
      frame_since_open_ = true;
      wait_ms_ = 0;
      return Fetch::kFrame;
    case Fetch::kEnd:
      if (rules_.live) return lost(Error(Code::kUnavailable, "the stream ended"));
      // An empty video must not spin.
      if (!rules_.loop || !frame_since_open_) return Fetch::kEnd;
      close();
      retry_at_ns_ = 0;
      return next(frame, timeout_ms);
    case Fetch::kTimeout: break;
  }
  if (rules_.live && clock_.monotonic_ns() - last_frame_ns_ > rules_.silence_ms_max * 1'000'000) {
    return lost(Error(Code::kUnavailable, "no frame for " + std::to_string(rules_.silence_ms_max) + " ms"));
  }
  return Fetch::kTimeout;
}

}  // namespace oree
