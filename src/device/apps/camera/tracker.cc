// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/tracker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace oree {
namespace {

// Distances in sizes (box_motion.h): of a person about metres.
// A detector gives one box for two who touch, or one beside them; when it has two again, one may begin a body's width
// or two beside where it was lost. Beyond that, an unseen walker strays from the prediction by up to his pace.
constexpr double kReach = 1.25, kReachSpeed = 1, kReachMax = 2.5;
constexpr double kReachEntering = 0.75;  // who begins at the picture's edge has most likely just come in
constexpr double kReachStill = 0.5;
constexpr int64_t kStillMs = 2000;  // within kReachStill for so long: standing
// A new track may begin so long before the old one, misled by a neighbour's boxes, loses its last detection. Where
// others are close, a new one is doubtful for that time.
constexpr int64_t kDoubtMs = 500;
constexpr double kNeighbour = 1.5;
// A box that lies to such a part in a followed one, or it in that, is a second box of the same object for all we know.
constexpr double kCovered = 0.5;
constexpr double kEdge = 0.1;  // so near to the picture's edge, a box is cut off by it

double area(const Box& b) { return (b.x1 - b.x0) * (b.y1 - b.y0); }

// Part of the smaller box that lies in the other.
double cover(const Box& a, const Box& b) {
  double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  double smaller = std::min(area(a), area(b));
  return width <= 0 || height <= 0 || smaller <= 0 ? 0 : width * height / smaller;
}

double apart(const BoxMotion& a, const BoxMotion& b) {
  return std::hypot(a.x() - b.x(), a.y() - b.y()) / std::sqrt(a.size() * b.size());
}

}  // namespace

void Tracker::take(Track& track, const Detection& detection) {
  if (track.hits > 0) {
    track.motion_.correct(detection.box, detection.score < rules_.score_new);
  } else {
    track.motion_ = BoxMotion(detection.box);
  }
  track.seen_motion_ = track.motion_;
  double moved = std::hypot(track.motion_.x() - track.anchor_x_, track.motion_.y() - track.anchor_y_);
  if (track.hits == 0 || moved > kReachStill * track.motion_.size()) {
    track.anchor_x_ = track.motion_.x();
    track.anchor_y_ = track.motion_.y();
    track.anchor_ms_ = now_ms_;
  }
  track.box = detection.box;
  track.score = detection.score;
  track.score_max = std::max(track.score_max, detection.score);
  track.seen_ms = now_ms_;
  track.seen = true;
  ++track.hits;
  track.window_sum_ += detection.score;
  ++track.window_count_;
}

// Best fit first, each track and detection once.
void Tracker::associate(const std::vector<Detection>& detections, Round round, std::vector<bool>& used) {
  struct Pair {
    double mismatch;
    size_t track, detection;
  };
  double overlap_min = round.weak ? std::min(rules_.iou_min * 2, 0.9) : 0;
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks_.size(); ++t) {
    const Track& track = tracks_[t];
    if (track.seen || track.confirmed != round.confirmed) continue;
    for (size_t d = 0; d < detections.size(); ++d) {
      const Detection& found = detections[d];
      if (used[d] || found.label != track.label || (found.score < rules_.score_new) != round.weak) continue;
      if (round.weak && iou(track.box, found.box) < overlap_min) continue;
      if (auto mismatch = track.motion_.mismatch(found.box, round.weak, rules_.iou_min))
        pairs.push_back({*mismatch, t, d});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.mismatch < b.mismatch; });
  for (const Pair& pair : pairs) {
    if (tracks_[pair.track].seen || used[pair.detection]) continue;
    take(tracks_[pair.track], detections[pair.detection]);
    used[pair.detection] = true;
  }
}

bool Tracker::outside(const BoxMotion& motion) const {
  if (picture_.width <= 0 || picture_.height <= 0) return false;
  return motion.x() < 0 || motion.y() < 0 || motion.x() > picture_.width || motion.y() > picture_.height;
}

bool Tracker::still(const Track& track) { return track.seen_ms - track.anchor_ms_ >= kStillMs; }

int64_t Tracker::memory_ms(const Track& track) const {
  return still(track) ? std::max(rules_.refind_ms, rules_.refind_still_ms) : rules_.refind_ms;
}

void Tracker::drop_lost() {
  auto gone = [&](Track& track) {
    // One missed frame ends a track that was never confirmed: noise flickers.
    if (!track.confirmed) return !track.seen;
    bool left = !track.seen && outside(track.motion_);
    if (!left && now_ms_ - track.seen_ms <= rules_.lost_ms) return false;
    close_window(track, true);
    if (!left) lost_.push_back(track);
    return true;
  };
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), gone), tracks_.end());
  int64_t open_ms = now_ms_;  // when the oldest of those began whose identity is open
  for (const Track& track : tracks_) {
    if (!track.confirmed || track.doubtful) open_ms = std::min(open_ms, track.found_ms_);
  }
  auto forgotten = [&](const Track& track) { return open_ms - track.seen_ms > memory_ms(track); };
  lost_.erase(std::remove_if(lost_.begin(), lost_.end(), forgotten), lost_.end());
}

void Tracker::confirm() {
  for (Track& track : tracks_) {
    if (track.confirmed || !track.seen || track.hits < rules_.hits_confirm) continue;
    bool covered = false, close = false;
    for (const Track& other : tracks_) {
      if (!other.confirmed || other.label != track.label) continue;
      covered = covered || cover(other.box, track.box) > kCovered;
      close = close || apart(other.motion_, track.motion_) < kNeighbour;
    }
    if (covered) continue;
    track.confirmed = true;
    track.doubtful = close;
    ++confirmed_total_;
    settle(track);
  }
  for (Track& track : tracks_) {
    if (track.doubtful && track.seen) settle(track);
  }
  // What was found again left its old self behind.
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.id == 0; }),
                tracks_.end());
}

void Tracker::settle(Track& track) {
  if (Track* lost = find_lost(track)) {
    adopt(track, *lost);
    lost->id = 0;
    lost->confirmed = lost->doubtful = false;
    lost_.erase(std::remove_if(lost_.begin(), lost_.end(), [](const Track& t) { return t.id == 0; }), lost_.end());
    return;
  }
  if (now_ms_ - track.found_ms_ >= kDoubtMs) track.doubtful = false;
}

// How far the fresh track began from where the lost one should have been, as part of what is allowed.
std::optional<double> Tracker::strangeness(const Track& lost, const Track& fresh) const {
  if (lost.label != fresh.label || lost.seen_ms >= fresh.found_ms_ + kDoubtMs) return std::nullopt;
  int64_t gap_ms = std::max<int64_t>(fresh.found_ms_ - lost.seen_ms, 0);
  if (gap_ms > memory_ms(lost)) return std::nullopt;
  BoxMotion motion = lost.seen_motion_;
  double gap_s = static_cast<double>(gap_ms) / 1000, reach = std::min(kReach + kReachSpeed * gap_s, kReachMax);
  if (gap_ms > rules_.refind_ms) {
    reach = kReachStill;
  } else {
    motion.advance(gap_s);
  }
  if (outside(motion)) return std::nullopt;
  if (fresh.at_edge_) reach = std::min(reach, kReachEntering);
  std::optional<double> distance = motion.distance(fresh.first_box_);
  return distance && *distance <= reach ? std::optional(*distance / reach) : std::nullopt;
}

Track* Tracker::find_lost(const Track& fresh) {
  Track* best = nullptr;
  double best_strangeness = 0;
  auto consider = [&](Track& lost) {
    auto strange = strangeness(lost, fresh);
    if (!strange || (best != nullptr && *strange >= best_strangeness)) return;
    best = &lost;
    best_strangeness = *strange;
  };
  for (Track& track : tracks_) {
    if (track.confirmed && !track.seen) consider(track);
  }
  for (Track& track : lost_) consider(track);
  return best;
}

void Tracker::adopt(Track& fresh, const Track& lost) {
  fresh.id = lost.id;
  fresh.first_ms = lost.first_ms;
  fresh.hits += lost.hits;
  fresh.score_max = std::max(fresh.score_max, lost.score_max);
  fresh.alarmed = lost.alarmed;
  if (lost.due) fresh.due = lost.due;
  fresh.doubtful = lost.doubtful;
  fresh.anchor_x_ = lost.anchor_x_;
  fresh.anchor_y_ = lost.anchor_y_;
  fresh.anchor_ms_ = lost.anchor_ms_;
  if (lost.window_count_ > 0) {
    fresh.window_sum_ += lost.window_sum_;
    fresh.window_count_ += lost.window_count_;
    fresh.window_start_ms_ = lost.window_start_ms_;
  }
  --confirmed_total_;
}

void Tracker::start(const std::vector<Detection>& detections, const std::vector<bool>& used) {
  for (size_t d = 0; d < detections.size(); ++d) {
    const Box& box = detections[d].box;
    if (used[d] || detections[d].score < rules_.score_new) continue;
    bool covered = std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& t) {
      return t.seen && t.label == detections[d].label && cover(t.box, box) > kCovered;
    });
    if (covered) continue;
    auto most = static_cast<size_t>(rules_.tracks_max);
    if (tracks_.size() >= most) break;
    if (tracks_.size() + lost_.size() >= most) lost_.erase(lost_.begin());
    Track track;
    track.id = next_id_++;
    track.label = detections[d].label;
    track.first_ms = track.found_ms_ = track.window_start_ms_ = now_ms_;
    track.first_box_ = box;
    take(track, detections[d]);
    double edge = kEdge * track.motion_.size();
    track.at_edge_ = picture_.width > 0 && (box.x0 < edge || box.y0 < edge || box.x1 > picture_.width - edge ||
                                            box.y1 > picture_.height - edge);
    tracks_.push_back(track);
  }
}

void Tracker::update(const std::vector<Detection>& detections, int64_t now_ms, PictureSize picture) {
  if (now_ms < now_ms_) finish();  // the video began again
  for (Track& track : tracks_) {
    track.motion_.advance(static_cast<double>(now_ms - now_ms_) / 1000);
    track.box = track.motion_.box();
    track.seen = false;
  }
  now_ms_ = now_ms;
  picture_ = picture;
  std::vector<bool> used(detections.size(), false);
  for (bool weak : {false, true}) {
    for (bool confirmed : {true, false}) associate(detections, {weak, confirmed}, used);
  }
  drop_lost();
  confirm();
  for (Track& track : tracks_) {
    if (track.confirmed && now_ms - track.window_start_ms_ >= rules_.sample_ms) close_window(track, false);
  }
  start(detections, used);
  if (rules_.hits_confirm <= 1) confirm();
  watch_emptiness(detections);
}

void Tracker::close_window(Track& track, bool last) {
  // A track's tail gives a sample only when it is long enough to mean something.
  bool enough = last ? track.window_count_ >= rules_.hits_confirm : track.window_count_ > 0;
  if (track.confirmed && enough) samples_.push_back(track.window_sum_ / track.window_count_);
  track.window_sum_ = 0;
  track.window_count_ = 0;
  track.window_start_ms_ = now_ms_;
}

void Tracker::watch_emptiness(const std::vector<Detection>& detections) {
  bool busy = std::any_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.confirmed; });
  if (busy || empty_since_ms_ < 0) {
    empty_since_ms_ = busy ? -1 : now_ms_;
    empty_best_ = 0;
  }
  if (busy || !rules_.sample_empty) return;
  for (const Detection& d : detections) empty_best_ = std::max(empty_best_, d.score);
  if (now_ms_ - empty_since_ms_ < rules_.sample_ms) return;
  samples_.push_back(empty_best_);
  empty_since_ms_ = -1;
}

std::vector<double> Tracker::take_samples() { return std::exchange(samples_, {}); }

void Tracker::finish() {
  for (Track& track : tracks_) close_window(track, true);
  tracks_.clear();
  lost_.clear();
  empty_since_ms_ = -1;
}

}  // namespace oree
