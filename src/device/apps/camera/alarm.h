// SPDX-License-Identifier: Apache-2.0
// AlarmRules decides when a track is an alarm: a confirmed track of a watched class, seen in this frame, whose score
// reaches its class's threshold while its foot point (middle of the box's lower edge) stands in a zone. Once a track;
// a doubtful one waits until it is known not to be another, and then needs to be seen only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "device/apps/camera/camera_config.h"

namespace oree {

class AlarmRules {
 public:
  // kUsage when the configuration names a class that the labels do not have; all names are listed then.
  static Result<AlarmRules> make(const AlarmConfig& config, const std::vector<std::string>& labels);

  // Nothing when there is no alarm. Marks the track.
  std::optional<Alarm> check(Track& track, int width, int height) const;
  double threshold(int label) const;  // above 1 for a class that raises no alarm

 private:
  struct WatchedZone {
    Zone zone;
    std::vector<bool> labels;  // by class index; empty: all
  };
  std::optional<std::string> zone_of(const Track& track, int width, int height) const;

  std::vector<double> thresholds_;  // by class index
  double threshold_other_ = 0;      // of class indices without a label
  std::vector<WatchedZone> zones_;
};

bool inside(const std::vector<Point>& polygon, Point point);                // even-odd rule
std::string label_name(const std::vector<std::string>& labels, int label);  // "7" when there is no name

}  // namespace oree
