// SPDX-License-Identifier: Apache-2.0
// CameraConfig: what the camera application looks at and when it raises an alarm. Read from camera.toml; every key
// and its default is in docs/camera.md, a worked example in examples/camera/camera.toml.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "device/apps/camera/tracker.h"

namespace oree {

struct SourceConfig {
  std::string uri;           // path or file://, rtsp:// or rtsps://, /dev/videoN, or "gst:" and a pipeline's elements
  bool loop = false;         // a file starts again at its end
  bool every_frame = false;  // a file as fast as it can be worked through, nothing dropped; else at its own pace
  double start_s = 0, stop_s = 0;  // part of a file; stop 0: to its end
};

struct Point {
  double x = 0, y = 0;
};  // of the picture's width and height, 0..1, y down
struct Zone {
  std::string name;
  std::vector<Point> polygon;        // at least 3 corners, in order; edges may cross (even-odd rule)
  std::vector<std::string> classes;  // empty: every alarm class
};

struct AlarmConfig {
  std::vector<std::string> classes;  // empty: every class of the model
  double threshold = 0.7;
  std::map<std::string, double> thresholds;  // by class
  std::vector<Zone> zones;                   // none: the whole picture
};

struct StoreConfig {
  std::string folder = "camera-data";
  int64_t events_max = 10000;
  int64_t snapshots_max = 1000;
  int64_t snapshot_bytes_max = int64_t{256} << 20;
  int snapshot_quality = 85;  // JPEG; 0: no snapshots
};

struct WebhookConfig {
  std::string url;  // "": none
  std::map<std::string, std::string> headers;
  int64_t pending_max = 1000;  // undelivered events kept; the oldest give way
};

struct CameraConfig {
  SourceConfig source;
  AlarmConfig alarm;
  TrackerRules track;
  StoreConfig store;
  WebhookConfig webhook;
};

// kUsage names the key that is wrong or unknown.
Result<CameraConfig> parse_camera_config(std::string_view toml);

}  // namespace oree
