// SPDX-License-Identifier: Apache-2.0
#include "os/gstreamer/gst_frame_source.h"

#include <fmt/format.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "os/gstreamer/gst_pipeline.h"

namespace oree {
namespace {

constexpr int64_t kPrerollWaitMs = 15000;  // a decoder's first frame; live sources have no preroll

// A mapped sample: the frame's planes stay valid until this goes.
struct MappedSample {
  GstSample* sample = nullptr;
  GstVideoFrame frame{};
  bool mapped = false;
  ~MappedSample() {
    if (mapped) gst_video_frame_unmap(&frame);
    if (sample != nullptr) gst_sample_unref(sample);
  }
};

YuvView view_of(const GstVideoFrame& f) {
  YuvView view;
  view.luma = static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&f, 0));
  view.luma_stride = GST_VIDEO_FRAME_PLANE_STRIDE(&f, 0);
  view.cb = static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&f, 1));
  view.chroma_stride = GST_VIDEO_FRAME_PLANE_STRIDE(&f, 1);
  if (GST_VIDEO_FRAME_FORMAT(&f) == GST_VIDEO_FORMAT_I420)
    view.cr = static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&f, 2));
  view.width = GST_VIDEO_FRAME_WIDTH(&f);
  view.height = GST_VIDEO_FRAME_HEIGHT(&f);
  view.bt709 = f.info.colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709;
  view.full_range = f.info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
  return view;
}

class GstFrameSource : public FrameSource {
 public:
  GstFrameSource(GstSourceOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

  ~GstFrameSource() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;  // lets go of a decoder that waits at the mailbox
      mailbox_.reset();
    }
    changed_.notify_all();
    if (pipeline_.get() != nullptr) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }

  Status open() {
    live_ = is_live_uri(options_.uri);
    OREE_TRY_ASSIGN(pipeline_,
                    build_pipeline(options_.uri, {[this](GstAppSink* sink) { return take(sink); }, [this] { end(); }}));
    // Paced: the sink lets a file's frames out when they are due. Live ones come when they come.
    g_object_set(pipeline_.sink(), "sync", static_cast<gboolean>(!live_ && !options_.every_frame), nullptr);
    GstStateChangeReturn state = gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED);
    if (state != GST_STATE_CHANGE_FAILURE) {
      state = gst_element_get_state(pipeline_.get(), nullptr, nullptr,
                                    static_cast<GstClockTime>(kPrerollWaitMs) * GST_MSECOND);
    }
    if (state == GST_STATE_CHANGE_FAILURE || state == GST_STATE_CHANGE_ASYNC) {
      OREE_TRY(check_bus());
      if (state == GST_STATE_CHANGE_FAILURE)
        return Error(live_ ? Code::kUnavailable : Code::kInvalid, options_.uri + ": cannot be opened");
      if (!live_) return Error(Code::kInvalid, options_.uri + ": gives no picture");
    }
    if (options_.start_s > 0 || options_.stop_s > 0) OREE_TRY(seek());
    if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
      OREE_TRY(check_bus());
      return Error(live_ ? Code::kUnavailable : Code::kInvalid, options_.uri + ": cannot be played");
    }
    return {};
  }

  Result<Fetch> next(Frame& frame, int64_t timeout_ms) override {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return mailbox_.has_value() || ended_; });
    if (mailbox_) {
      frame = std::move(*mailbox_);
      mailbox_.reset();
      changed_.notify_all();
      return Fetch::kFrame;
    }
    bool ended = ended_;
    int64_t arrived = arrived_;
    lock.unlock();
    OREE_TRY(check_bus());
    if (!ended) return Fetch::kTimeout;
    if (arrived == 0) return Error(Code::kInvalid, options_.uri + ": ended without a picture");
    return Fetch::kEnd;
  }

  int64_t dropped() const override {
    std::lock_guard lock(mutex_);
    return dropped_;
  }

  // From the sink's thread.
  GstFlowReturn take(GstAppSink* sink) {
    auto held = std::make_shared<MappedSample>();
    held->sample = gst_app_sink_pull_sample(sink);
    if (held->sample == nullptr) return GST_FLOW_EOS;
    GstBuffer* buffer = gst_sample_get_buffer(held->sample);
    GstVideoInfo info;
    if (buffer == nullptr || !gst_video_info_from_caps(&info, gst_sample_get_caps(held->sample)) ||
        !gst_video_frame_map(&held->frame, &info, buffer, GST_MAP_READ)) {
      return GST_FLOW_ERROR;
    }
    held->mapped = true;
    Frame frame;
    frame.view = view_of(held->frame);
    stamp(frame, sink, held->sample, buffer);
    frame.owner = held;
    std::unique_lock lock(mutex_);
    if (options_.every_frame && !live_) changed_.wait(lock, [&] { return closing_ || !mailbox_.has_value(); });
    if (closing_) return GST_FLOW_FLUSHING;
    frame.index = arrived_++;
    if (mailbox_) ++dropped_;
    mailbox_ = std::move(frame);
    changed_.notify_all();
    return GST_FLOW_OK;
  }
  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  // A frame is born when its time stamp says it was due, so that slow decoding counts as latency. Without pacing a
  // file's stamps say nothing about now.
  void stamp(Frame& frame, GstAppSink* sink, GstSample* sample, GstBuffer* buffer) {
    frame.born_ns = clock_.monotonic_ns();
    GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (!GST_CLOCK_TIME_IS_VALID(pts)) {
      frame.stream_ms = frame.born_ns / 1'000'000;
      return;
    }
    const GstSegment* segment = gst_sample_get_segment(sample);
    frame.stream_ms = static_cast<int64_t>(gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts) / GST_MSECOND);
    GstClock* clock = gst_element_get_clock(GST_ELEMENT(sink));
    if (clock == nullptr) return;
    GstClockTime base = gst_element_get_base_time(GST_ELEMENT(sink)), now = gst_clock_get_time(clock);
    GstClockTime due = gst_segment_to_running_time(segment, GST_FORMAT_TIME, pts);
    gst_object_unref(clock);
    if ((options_.every_frame && !live_) || !GST_CLOCK_TIME_IS_VALID(due) || now < base) return;
    auto age = static_cast<int64_t>(now - base) - static_cast<int64_t>(due);
    frame.born_ns -= std::max<int64_t>(age, 0);
  }

  Status seek() {
    if (live_) return Error(Code::kUsage, options_.uri + ": only a file has a start and an end");
    auto ns = [](double s) { return static_cast<gint64>(s * 1e9); };
    bool done = gst_element_seek(
        pipeline_.get(), 1.0, GST_FORMAT_TIME, static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE),
        GST_SEEK_TYPE_SET, ns(options_.start_s), options_.stop_s > 0 ? GST_SEEK_TYPE_SET : GST_SEEK_TYPE_NONE,
        options_.stop_s > 0 ? ns(options_.stop_s) : static_cast<gint64>(GST_CLOCK_TIME_NONE));
    if (!done) return Error(Code::kUnsupported, options_.uri + ": cannot be entered at another place than its start");
    gst_element_get_state(pipeline_.get(), nullptr, nullptr, static_cast<GstClockTime>(kPrerollWaitMs) * GST_MSECOND);
    return check_bus();
  }

  Status check_bus() { return bus_error(pipeline_, options_.uri, live_); }

  GstSourceOptions options_;
  Clock& clock_;
  bool live_ = false;
  GstPipelineHandle pipeline_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Frame> mailbox_;
  int64_t arrived_ = 0, dropped_ = 0;
  bool ended_ = false, closing_ = false;
};

}  // namespace

Result<std::unique_ptr<FrameSource>> open_gst_source(const GstSourceOptions& options, Clock& clock) {
  auto source = std::make_unique<GstFrameSource>(options, clock);
  OREE_TRY(source->open());
  return std::unique_ptr<FrameSource>(std::move(source));
}

}  // namespace oree
