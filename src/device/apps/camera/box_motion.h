// SPDX-License-Identifier: Apache-2.0
// BoxMotion says where a box will be: a Kalman filter over its middle, of a velocity that fades within seconds when
// nothing renews it, with one gain for both axes, and a slow mean of its width and height. Lengths are in sizes, a size
// being the square root of the box's area: about 1 m of a person, 2.5 m of a car, near or far. Time is in seconds, so
// that the frame rate does not matter.
#pragma once

#include <optional>

#include "model/recipe/detect.h"

namespace oree {

class BoxMotion {
 public:
  BoxMotion() = default;
  explicit BoxMotion(const Box& box);  // speed unknown

  void advance(double seconds);
  // A detection at the time advanced to. A weak one is trusted half as much.
  void correct(const Box& box, bool weak);

  // How badly a detection fits, for comparing: minus twice the logarithm of its likelihood, without the constant part.
  // Nothing when it is too far away, or of another size; a detection that overlaps the box by iou_min is never too far.
  std::optional<double> mismatch(const Box& box, bool weak, double iou_min) const;
  // How far the middle of the box is, in sizes; nothing when it is of another size.
  std::optional<double> distance(const Box& box) const;

  Box box() const { return {x_ - width_ / 2, y_ - height_ / 2, x_ + width_ / 2, y_ + height_ / 2}; }
  double size() const;  // pixels
  double x() const { return x_; }
  double y() const { return y_; }

 private:
  struct Offset {
    double x, y;
  };
  Offset offset(const Box& box) const;

  double x_ = 0, y_ = 0, width_ = 0, height_ = 0;   // pixels
  double velocity_x_ = 0, velocity_y_ = 0;          // pixels a second
  double place_ = 0, place_speed_ = 0, speed_ = 0;  // covariance of place and speed of either axis, sizes, seconds
  double unseen_s_ = 0;                             // since the last correction
};

}  // namespace oree
