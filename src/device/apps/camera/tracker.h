// SPDX-License-Identifier: Apache-2.0
// Tracker follows objects from frame to frame, so that one person is one event and one confidence sample a while.
// Association in two rounds as in ByteTrack (Zhang et al. 2022): confident detections first, then weak ones for the
// tracks that are left. Motion: constant velocity. Time is the stream's, so dropped frames do not confuse it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/recipe/detect.h"

namespace oree {

struct TrackerRules {
  double score_new = 0.3;    // a detection under it continues a track, but never starts one
  double iou_min = 0.2;      // predicted box to detection, first round; second round asks for twice as much
  int hits_confirm = 3;      // detections until a track is believed
  int64_t lost_ms = 1500;    // a confirmed track without detection lives that long
  int64_t sample_ms = 5000;  // a track gives a confidence sample each such stretch of its life
  // A stretch without any confirmed track gives the best score that was seen in it, 0 when there was none: a model
  // that went blind must not go silent. A reference from the same stream holds its quiet hours too.
  bool sample_empty = true;
  int tracks_max = 1024;  // new ones beyond are not followed
};

struct Track {
  int64_t id = 0;  // 1, 2, 3 … never used again
  int label = -1;
  Box box;           // the last detection's, or predicted while unseen
  double score = 0;  // of the last detection
  double score_max = 0;
  int hits = 0;  // detections so far
  int64_t first_ms = 0, seen_ms = 0;
  bool confirmed = false;
  bool seen = false;     // in this frame
  bool alarmed = false;  // for the alarm's use: kept, never looked at here

 private:
  friend class Tracker;
  double velocity_x_ = 0, velocity_y_ = 0;  // pixels a millisecond, of the centre
  int64_t predicted_ms_ = 0;                // `box` is where it is at that time
  double window_sum_ = 0;
  int window_count_ = 0;
  int64_t window_start_ms_ = 0;
};

class Tracker {
 public:
  explicit Tracker(TrackerRules rules) : rules_(rules) {}

  // Detections of one frame at stream time now_ms (not falling; a jump back starts anew).
  void update(const std::vector<Detection>& detections, int64_t now_ms);
  std::vector<Track>& tracks() { return tracks_; }
  // Confidence samples since the last call. A sample is the mean score of a confirmed track over a stretch: the mean,
  // not the maximum, so that a fall of the scores is seen in full.
  std::vector<double> take_samples();
  void finish();  // the stream ended: every confirmed track gives its last sample
  int64_t confirmed_total() const { return confirmed_total_; }

 private:
  void predict(Track& track, int64_t now_ms) const;
  void associate(const std::vector<Detection>& detections, double score_min, double iou_min, std::vector<bool>& used,
                 int64_t now_ms);
  void take(Track& track, const Detection& detection, int64_t now_ms);
  void close_window(Track& track, int64_t now_ms, bool last);
  void watch_emptiness(const std::vector<Detection>& detections, int64_t now_ms);

  TrackerRules rules_;
  std::vector<Track> tracks_;
  std::vector<double> samples_;
  int64_t next_id_ = 1, now_ms_ = 0, confirmed_total_ = 0;
  double empty_best_ = 0;        // since empty_since_ms_
  int64_t empty_since_ms_ = -1;  // -1: not empty
};

}  // namespace oree
