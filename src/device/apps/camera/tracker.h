// SPDX-License-Identifier: Apache-2.0
// Tracker follows objects from frame to frame, so that one person is one event and one confidence sample a while.
//
// A frame's detections go to the tracks that they fit best, by place, size and motion: confident ones first, then weak
// ones to the tracks that are left (the idea of ByteTrack, Zhang et al. 2022). What fits nothing begins a track, which
// is believed after some hits. A believed track that is new where another was just lost is that one again, and takes
// its identity. While this cannot be told, because others stand close, it is doubtful for a moment.
//
// Time is the stream's, lengths are in sizes of the box: neither dropped frames nor the distance to the camera confuse
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "device/apps/camera/box_motion.h"
#include "model/recipe/detect.h"

namespace oree {

struct TrackerRules {
  double score_new = 0.3;    // a detection under it continues a track, but never starts one
  double iou_min = 0.2;      // overlap that continues a track however it moved; a weak detection needs twice as much
  int hits_confirm = 3;      // detections until a track is believed
  int64_t lost_ms = 1500;    // a confirmed track without detection is followed that long
  int64_t refind_ms = 3000;  // and known again that long, near where it should be by now
  int64_t refind_still_ms = 30000;  // one that stood still: in its place
  int64_t sample_ms = 5000;         // a track gives a confidence sample each such stretch of its life
  // A stretch without any confirmed track gives the best score that was seen in it, 0 when there was none: a model
  // that went blind must not go silent. A reference from the same stream holds its quiet hours too.
  bool sample_empty = true;
  int tracks_max = 1024;  // followed or known again; new ones beyond are not followed
};

struct PictureSize {  // pixels; 0: unknown, then nothing leaves or enters over the edges
  int width = 0, height = 0;
};

struct Alarm {
  std::string zone;  // "" when there are none
  double score = 0;
};

struct Track {
  int64_t id = 0;  // 1, 2, 3 …; a track that is found again has its old one
  int label = -1;
  Box box;           // the last detection's, or predicted while unseen
  double score = 0;  // of the last detection
  double score_max = 0;
  int hits = 0;  // detections so far
  int64_t first_ms = 0, seen_ms = 0;
  bool confirmed = false;
  bool doubtful = false;  // confirmed, but it may yet turn out to be another one found again
  bool seen = false;      // in this frame
  // For the alarm's use: kept when the track is found again, never looked at here.
  bool alarmed = false;
  std::optional<Alarm> due;

 private:
  friend class Tracker;
  BoxMotion motion_;       // as of now
  BoxMotion seen_motion_;  // as of seen_ms
  Box first_box_;          // since it was last found
  int64_t found_ms_ = 0;   // when that was
  bool at_edge_ = false;   // it was found at the picture's edge
  double anchor_x_ = 0, anchor_y_ = 0;
  int64_t anchor_ms_ = 0;  // it has been near the anchor since
  double window_sum_ = 0;
  int window_count_ = 0;
  int64_t window_start_ms_ = 0;
};

class Tracker {
 public:
  explicit Tracker(TrackerRules rules) : rules_(rules) {}

  // Detections of one frame at stream time now_ms (not falling; a jump back starts anew).
  void update(const std::vector<Detection>& detections, int64_t now_ms, PictureSize picture = {});
  std::vector<Track>& tracks() { return tracks_; }  // those that are followed
  // Confidence samples since the last call. A sample is the mean score of a confirmed track over a stretch: the mean,
  // not the maximum, so that a fall of the scores is seen in full.
  std::vector<double> take_samples();
  void finish();  // the stream ended: every confirmed track gives its last sample
  int64_t confirmed_total() const { return confirmed_total_; }  // a track found again counts once

 private:
  struct Round {
    bool weak, confirmed;  // which detections, which tracks
  };
  void associate(const std::vector<Detection>& detections, Round round, std::vector<bool>& used);
  void take(Track& track, const Detection& detection);
  static bool still(const Track& track);
  int64_t memory_ms(const Track& track) const;
  void drop_lost();
  void confirm();
  void settle(Track& track);
  Track* find_lost(const Track& fresh);
  std::optional<double> strangeness(const Track& lost, const Track& fresh) const;
  void adopt(Track& fresh, const Track& lost);
  void start(const std::vector<Detection>& detections, const std::vector<bool>& used);
  bool outside(const BoxMotion& motion) const;
  void close_window(Track& track, bool last);
  void watch_emptiness(const std::vector<Detection>& detections);

  TrackerRules rules_;
  std::vector<Track> tracks_;
  std::vector<Track> lost_;  // not followed any more, but known again; in the order of their loss
  std::vector<double> samples_;
  PictureSize picture_;
  int64_t next_id_ = 1, now_ms_ = 0, confirmed_total_ = 0;
  double empty_best_ = 0;        // since empty_since_ms_
  int64_t empty_since_ms_ = -1;  // -1: not empty
};

}  // namespace oree
