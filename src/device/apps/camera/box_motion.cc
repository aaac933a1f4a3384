// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/box_motion.h"

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

// A detector's boxes shake by some percent of their size.
constexpr double kNoise = 0.08, kNoiseWeak = 0.16;  // standard deviation, sizes
// Before it is known: a brisk walker makes 2 m/s, a car in a yard twice its size a second.
constexpr double kSpeed = 2;
// Who starts, stops or turns changes speed by about 1 size/s within a second.
constexpr double kAcceleration = 1;  // power of white noise, sizes^2/s^3
// Nobody keeps a pace for ever: unseen, the speed fades.
constexpr double kSpeedMemory = 3;  // seconds
// How fast width and height follow. They say who it is while others stand in front, so not faster than perspective
// asks.
constexpr double kSizeMemory = 1;
constexpr double kStandardDeviationsMax = 3, kDistanceMax = 1.5;
// Spread of a box's logarithmic height and width from frame to frame; limbs change the width more.
constexpr double kHeightSpread = 0.15, kWidthSpread = 0.2, kSizeDeviationsMax = 3;
constexpr double kHeightChangeMax = 0.6;  // logarithm, over a gap: from about half to twice the height
// An edge further from its place than this counts less than the opposite one.
constexpr double kEdgeSpread = 0.1;
constexpr double kPixelMin = 1;  // of width and height: a detector may give a line

double square(double v) { return v * v; }

// Where the middle went, by the two edges of one axis. Who is partly hidden, or merged with a neighbour, has one edge
// out of place; the other one tells.
double pull(double edge0, double edge1, double spread) {
  double weight0 = 1 / (square(spread) + square(edge0)), weight1 = 1 / (square(spread) + square(edge1));
  return (weight0 * edge0 + weight1 * edge1) / (weight0 + weight1);
}

double width_of(const Box& b) { return std::max(b.x1 - b.x0, kPixelMin); }
double height_of(const Box& b) { return std::max(b.y1 - b.y0, kPixelMin); }

}  // namespace

BoxMotion::BoxMotion(const Box& box)
    : x_((box.x0 + box.x1) / 2),
      y_((box.y0 + box.y1) / 2),
      width_(width_of(box)),
      height_(height_of(box)),
      place_(square(kNoise)),
      speed_(square(kSpeed)) {}

double BoxMotion::size() const { return std::sqrt(width_ * height_); }

void BoxMotion::advance(double seconds) {
  double fade = std::exp(-seconds / kSpeedMemory), way = kSpeedMemory * (1 - fade);
  x_ += velocity_x_ * way;
  y_ += velocity_y_ * way;
  velocity_x_ *= fade;
  velocity_y_ *= fade;
  // White noise accelerates, fading pulls back (Ornstein and Uhlenbeck): exact for any step.
  double once = 1 - fade, twice = 1 - fade * fade;
  double noise = kAcceleration * kSpeedMemory * kSpeedMemory / 2;
  place_ +=
      2 * way * place_speed_ + way * way * speed_ + noise * (2 * seconds - kSpeedMemory * (2 * once + once * once));
  place_speed_ = fade * (place_speed_ + way * speed_) + noise * once * once;
  speed_ = fade * fade * speed_ + kAcceleration * kSpeedMemory / 2 * twice;
  unseen_s_ += seconds;
}

BoxMotion::Offset BoxMotion::offset(const Box& b) const {
  Box at = box();
  double spread = kEdgeSpread * size();
  return {pull(b.x0 - at.x0, b.x1 - at.x1, spread), pull(b.y0 - at.y0, b.y1 - at.y1, spread)};
}

void BoxMotion::correct(const Box& box, bool weak) {
  Offset off = offset(box);
  double all = place_ + square(weak ? kNoiseWeak : kNoise);
  double gain = place_ / all, gain_speed = place_speed_ / all;
  x_ += gain * off.x;
  y_ += gain * off.y;
  velocity_x_ += gain_speed * off.x;
  velocity_y_ += gain_speed * off.y;
  speed_ -= gain_speed * place_speed_;
  place_ *= 1 - gain;
  place_speed_ *= 1 - gain;
  double follow = 1 - std::exp(-unseen_s_ / kSizeMemory);
  width_ += follow * (width_of(box) - width_);
  height_ += follow * (height_of(box) - height_);
  unseen_s_ = 0;
}

std::optional<double> BoxMotion::mismatch(const Box& other, bool weak, double iou_min) const {
  Offset off = offset(other);
  double variance = place_ + square(weak ? kNoiseWeak : kNoise);
  double distance = std::hypot(off.x, off.y) / size(), deviations = distance / std::sqrt(variance);
  bool far = distance > kDistanceMax || deviations > kStandardDeviationsMax;
  if (far && iou(box(), other) < iou_min) return std::nullopt;
  double height = std::log(height_of(other) / height_) / kHeightSpread;
  double width = std::log(width_of(other) / width_) / kWidthSpread;
  double shape = square(height) + square(width);
  if (shape > square(kSizeDeviationsMax)) return std::nullopt;
  // Without the logarithm, who is lost and could be anywhere would take the detections of those who are not.
  return square(deviations) + 2 * std::log(variance) + shape;
}

std::optional<double> BoxMotion::distance(const Box& other) const {
  if (std::abs(std::log(height_of(other) / height_)) > kHeightChangeMax) return std::nullopt;
  return std::hypot((other.x0 + other.x1) / 2 - x_, (other.y0 + other.y1) / 2 - y_) / size();
}

}  // namespace oree
