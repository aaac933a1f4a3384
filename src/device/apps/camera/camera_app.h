// SPDX-License-Identifier: Apache-2.0
// CameraApp: frame -> model -> tracks -> alarms -> store, agent and webhook, until the source ends or it is stopped.
// Owns none of what it is given. The thread that calls run() watches; recording has a thread of its own.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/io/ports.h"
#include "device/apps/camera/agent_link.h"
#include "device/apps/camera/alarm.h"
#include "device/apps/camera/event_store.h"
#include "device/apps/camera/frame_model.h"
#include "device/apps/camera/frame_source.h"
#include "device/apps/camera/recorder.h"

namespace oree {

struct CameraParts {
  Ports ports;  // clock, random, files
  FrameModel* model = nullptr;
  FrameSource* source = nullptr;
  EventStore* store = nullptr;
  std::string model_name, model_version;
  AgentLink::Send tell_agent;                       // may be empty
  std::function<void(const Json& event)> on_event;  // stored; may be empty
  std::function<bool()> stop;                       // asked between frames
};

inline constexpr size_t kSamplesKeptMax = 1 << 20;

struct CameraLimits {
  int64_t frames_max = 0;     // 0: none
  std::string frames_folder;  // "": no frames are written
  int64_t frames_every = 1;   // each N-th processed frame is written there
  bool frames_plain = false;  // as it came; else with boxes and zones drawn
};

struct CameraSummary {
  int64_t frames = 0, dropped = 0, detections = 0, tracks = 0, events = 0, record_failures = 0;
  int width = 0, height = 0;  // of the last frame
  double seconds = 0;         // first frame to last decision
  double fps = 0;
  std::map<std::string, ExponentialHistogram> stage_ms;  // capture, preprocess, infer, decode, total
  ConfidenceHistogram confidence;                        // one sample a track and stretch
  std::vector<double> samples;  // the same in order, the first kSamplesKeptMax of them: a drift reference
};
Json summary_to_json(const CameraSummary& summary);
std::string summary_to_text(const CameraSummary& summary);

// Errors: kUsage (classes that the model does not have), and the source's, model's own. A summary of what was done
// until then is lost with an error.
Result<CameraSummary> run_camera(const CameraParts& parts, const CameraConfig& config, const CameraLimits& limits);

}  // namespace oree
