// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/alarm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace oree {
namespace {

constexpr double kNever = 2;  // no score reaches it

Result<std::vector<bool>> pick(const std::vector<std::string>& names, const std::vector<std::string>& labels,
                               const std::string& key) {
  std::vector<bool> picked(labels.size(), false);
  for (const std::string& name : names) {
    auto found = std::find(labels.begin(), labels.end(), name);
    if (found == labels.end()) {
      return Error(Code::kUsage,
                   fmt::format("camera.toml: {} names '{}'; the model's classes are {}", key, name,
                               labels.empty() ? "without names" : fmt::format("{}", fmt::join(labels, ", "))));
    }
    picked[static_cast<size_t>(found - labels.begin())] = true;
  }
  return picked;
}

}  // namespace

std::string label_name(const std::vector<std::string>& labels, int label) {
  auto index = static_cast<size_t>(label);
  return label >= 0 && index < labels.size() ? labels[index] : std::to_string(label);
}

bool inside(const std::vector<Point>& polygon, Point p) {
  bool odd = false;
  for (size_t i = 0, j = polygon.size() - 1; i < polygon.size(); j = i++) {
    const Point& a = polygon[i];
    const Point& b = polygon[j];
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) odd = !odd;
  }
  return odd;
}

Result<AlarmRules> AlarmRules::make(const AlarmConfig& config, const std::vector<std::string>& labels) {
  AlarmRules rules;
  rules.thresholds_.assign(labels.size(), config.threshold);
  rules.threshold_other_ = config.threshold;
  if (!config.classes.empty()) {
    OREE_TRY_ASSIGN(std::vector<bool> watched, pick(config.classes, labels, "alarm.classes"));
    for (size_t i = 0; i < labels.size(); ++i) {
      if (!watched[i]) rules.thresholds_[i] = kNever;
    }
    rules.threshold_other_ = kNever;
  }
  for (const auto& [name, threshold] : config.thresholds) {
    OREE_TRY_ASSIGN(std::vector<bool> one, pick({name}, labels, "alarm.thresholds"));
    for (size_t i = 0; i < labels.size(); ++i) {
      if (one[i] && rules.thresholds_[i] != kNever) rules.thresholds_[i] = threshold;
    }
  }
  for (const Zone& zone : config.zones) {
    WatchedZone watched{zone, {}};
    if (!zone.classes.empty()) {
      OREE_TRY_ASSIGN(watched.labels, pick(zone.classes, labels, fmt::format("zone '{}'", zone.name)));
    }
    rules.zones_.push_back(std::move(watched));
  }
  return rules;
}

double AlarmRules::threshold(int label) const {
  auto index = static_cast<size_t>(label);
  return label >= 0 && index < thresholds_.size() ? thresholds_[index] : threshold_other_;
}

std::optional<std::string> AlarmRules::zone_of(const Track& track, int width, int height) const {
  if (zones_.empty()) return std::string();
  Point foot{(track.box.x0 + track.box.x1) / 2 / width, track.box.y1 / height};
  // A person cut off by the lower edge stands on it, not below the picture.
  foot.y = std::min(foot.y, 1 - 1e-9);
  for (const WatchedZone& watched : zones_) {
    auto index = static_cast<size_t>(track.label);
    if (!watched.labels.empty() && (track.label < 0 || index >= watched.labels.size() || !watched.labels[index]))
      continue;
    if (inside(watched.zone.polygon, foot)) return watched.zone.name;
  }
  return std::nullopt;
}

std::optional<Alarm> AlarmRules::check(Track& track, int width, int height) const {
  if (!track.confirmed || !track.seen || track.alarmed) return std::nullopt;
  if (!track.due && track.score >= threshold(track.label)) {
    if (auto zone = zone_of(track, width, height)) track.due = Alarm{*zone, track.score};
  }
  if (!track.due || track.doubtful) return std::nullopt;
  track.alarmed = true;
  return std::exchange(track.due, std::nullopt);
}

}  // namespace oree
