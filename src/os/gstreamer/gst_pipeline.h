// SPDX-License-Identifier: Apache-2.0
// Builds the pipeline for an address, and reads what went wrong from its bus. Inner header of os/gstreamer.
#pragma once

#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/base/result.h"

namespace oree {

// What the sink calls, from GStreamer's threads. Must outlive the pipeline's running.
struct SinkCalls {
  std::function<GstFlowReturn(GstAppSink*)> sample;
  std::function<void()> end;
};

class GstPipelineHandle {
 public:
  GstPipelineHandle() = default;
  GstPipelineHandle(GstElement* pipeline, GstElement* sink, std::unique_ptr<SinkCalls> calls)
      : pipeline_(pipeline), sink_(sink), calls_(std::move(calls)) {}
  GstPipelineHandle(GstPipelineHandle&& other) noexcept { *this = std::move(other); }
  GstPipelineHandle& operator=(GstPipelineHandle&& other) noexcept {
    std::swap(pipeline_, other.pipeline_);
    std::swap(sink_, other.sink_);
    std::swap(calls_, other.calls_);
    return *this;
  }
  ~GstPipelineHandle() {
    if (sink_ != nullptr) gst_object_unref(sink_);
    if (pipeline_ == nullptr) return;
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
  }
  GstElement* get() const { return pipeline_; }
  GstElement* sink() const { return sink_; }

 private:
  GstElement* pipeline_ = nullptr;
  GstElement* sink_ = nullptr;
  std::unique_ptr<SinkCalls> calls_;
};

Result<GstPipelineHandle> build_pipeline(const std::string& uri, SinkCalls calls);

// The first error that waits on the bus, if any, in our codes.
Status bus_error(const GstPipelineHandle& pipeline, const std::string& uri, bool live);

}  // namespace oree
