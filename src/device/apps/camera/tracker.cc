// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/tracker.h"

#include <algorithm>
#include <utility>

namespace oree {
namespace {

constexpr double kVelocitySmoothing = 0.4;  // weight of the newest displacement

double centre_x(const Box& b) { return (b.x0 + b.x1) / 2; }
double centre_y(const Box& b) { return (b.y0 + b.y1) / 2; }

}  // namespace

void Tracker::predict(Track& track, int64_t now_ms) const {
  auto dt = static_cast<double>(now_ms - track.predicted_ms_);
  double dx = track.velocity_x_ * dt, dy = track.velocity_y_ * dt;
  track.box = {track.box.x0 + dx, track.box.y0 + dy, track.box.x1 + dx, track.box.y1 + dy};
  track.predicted_ms_ = now_ms;
  track.seen = false;
}

void Tracker::take(Track& track, const Detection& detection, int64_t now_ms) {
  int64_t gap = now_ms - track.seen_ms;
  if (track.hits > 0 && gap > 0) {
    // The predicted box is velocity * gap from the last seen one, so the miss corrects the velocity.
    double off_x = (centre_x(detection.box) - centre_x(track.box)) / static_cast<double>(gap);
    double off_y = (centre_y(detection.box) - centre_y(track.box)) / static_cast<double>(gap);
    track.velocity_x_ += kVelocitySmoothing * off_x;
    track.velocity_y_ += kVelocitySmoothing * off_y;
  }
  track.box = detection.box;
  track.score = detection.score;
  track.score_max = std::max(track.score_max, detection.score);
  track.seen_ms = track.predicted_ms_ = now_ms;
  track.seen = true;
  ++track.hits;
  track.window_sum_ += detection.score;
  ++track.window_count_;
  if (!track.confirmed && track.hits >= rules_.hits_confirm) {
    track.confirmed = true;
    ++confirmed_total_;
  }
}

// Best overlap first, each track and detection once.
void Tracker::associate(const std::vector<Detection>& detections, double score_min, double iou_min,
                        std::vector<bool>& used, int64_t now_ms) {
  struct Pair {
    double overlap;
    size_t track, detection;
  };
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks_.size(); ++t) {
    if (tracks_[t].seen) continue;
    for (size_t d = 0; d < detections.size(); ++d) {
      if (used[d] || detections[d].label != tracks_[t].label || detections[d].score < score_min) continue;
      double overlap = iou(tracks_[t].box, detections[d].box);
      if (overlap >= iou_min) pairs.push_back({overlap, t, d});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.overlap > b.overlap; });
  for (const Pair& pair : pairs) {
    if (tracks_[pair.track].seen || used[pair.detection]) continue;
    take(tracks_[pair.track], detections[pair.detection], now_ms);
    used[pair.detection] = true;
  }
}

void Tracker::close_window(Track& track, int64_t now_ms, bool last) {
  // A track's tail gives a sample only when it is long enough to mean something.
  bool enough = last ? track.window_count_ >= rules_.hits_confirm : track.window_count_ > 0;
  if (track.confirmed && enough) samples_.push_back(track.window_sum_ / track.window_count_);
  track.window_sum_ = 0;
  track.window_count_ = 0;
  track.window_start_ms_ = now_ms;
}

void Tracker::watch_emptiness(const std::vector<Detection>& detections, int64_t now_ms) {
  bool busy = std::any_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.confirmed; });
  if (busy || empty_since_ms_ < 0) {
    empty_since_ms_ = busy ? -1 : now_ms;
    empty_best_ = 0;
  }
  if (busy || !rules_.sample_empty) return;
  for (const Detection& d : detections) empty_best_ = std::max(empty_best_, d.score);
  if (now_ms - empty_since_ms_ < rules_.sample_ms) return;
  samples_.push_back(empty_best_);
  empty_since_ms_ = -1;
}

void Tracker::update(const std::vector<Detection>& detections, int64_t now_ms) {
  if (now_ms < now_ms_) finish();  // the video began again
  now_ms_ = now_ms;
  for (Track& track : tracks_) predict(track, now_ms);
  std::vector<bool> used(detections.size(), false);
  associate(detections, rules_.score_new, rules_.iou_min, used, now_ms);
  associate(detections, 0, std::min(rules_.iou_min * 2, 0.9), used, now_ms);

  // One missed frame ends a track that was never confirmed: noise flickers.
  auto gone = [&](Track& track) {
    bool lost = track.confirmed ? now_ms - track.seen_ms > rules_.lost_ms : !track.seen;
    if (lost) close_window(track, now_ms, true);
    return lost;
  };
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), gone), tracks_.end());
  for (Track& track : tracks_) {
    if (track.confirmed && now_ms - track.window_start_ms_ >= rules_.sample_ms) close_window(track, now_ms, false);
  }
  for (size_t d = 0; d < detections.size(); ++d) {
    if (used[d] || detections[d].score < rules_.score_new) continue;
    if (tracks_.size() >= static_cast<size_t>(rules_.tracks_max)) break;
    Track track;
    track.id = next_id_++;
    track.label = detections[d].label;
    track.first_ms = track.window_start_ms_ = now_ms;
    take(track, detections[d], now_ms);
    tracks_.push_back(track);
  }
  watch_emptiness(detections, now_ms);
}

std::vector<double> Tracker::take_samples() { return std::exchange(samples_, {}); }

void Tracker::finish() {
  for (Track& track : tracks_) close_window(track, now_ms_, true);
  tracks_.clear();
  empty_since_ms_ = -1;
}

}  // namespace oree
