// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/box_motion.h"

#include <doctest/doctest.h>

#include <cmath>

namespace oree {
namespace {

Box box(double x, double y, double width = 30, double height = 80) { return {x, y, x + width, y + height}; }

// Walks to the right for two seconds, seen each step.
BoxMotion walker(double pixels_s, double step_s, double scale = 1) {
  BoxMotion motion(box(0, 0, 30 * scale, 80 * scale));
  for (int i = 1; i * step_s < 2.001; ++i) {
    motion.advance(step_s);
    motion.correct(box(pixels_s * scale * i * step_s, 0, 30 * scale, 80 * scale), false);
  }
  return motion;
}

}  // namespace

TEST_CASE("a pace is learned and kept over a second unseen, whatever the frame rate") {
  for (double step_s : {1 / 30.0, 0.1, 0.2, 0.5}) {
    CAPTURE(step_s);
    BoxMotion motion = walker(60, step_s);
    CHECK(motion.box().x0 == doctest::Approx(120).epsilon(0.04));
    motion.advance(1);
    CHECK(motion.box().x0 > 160);
    CHECK(motion.box().x0 < 185);
    CHECK(motion.box().y0 == doctest::Approx(0));
  }
}

TEST_CASE("one long step is many short ones") {
  BoxMotion once = walker(60, 0.1), often = once;
  once.advance(1.2);
  for (int i = 0; i < 120; ++i) often.advance(0.01);
  CHECK(often.box().x0 == doctest::Approx(once.box().x0));
  auto far = box(once.box().x0 + 20, 10);
  CHECK(*often.mismatch(far, false, 1) == doctest::Approx(*once.mismatch(far, false, 1)));
}

TEST_CASE("unseen for long, nothing runs away for ever") {
  BoxMotion motion = walker(60, 0.1);
  motion.advance(1000);
  CHECK(motion.box().x0 < 120 + 60 * 3.5);
}

TEST_CASE("who is half hidden has not moved by half his height") {
  BoxMotion motion = walker(0, 0.1);
  for (int i = 0; i < 3; ++i) {
    motion.advance(0.1);
    motion.correct(box(0, 0, 30, 45), false);  // the legs are behind something
  }
  CHECK(motion.y() > 33);  // the middle of 80 is 40, that of what is seen 22.5
  CHECK(motion.box().y1 > 68);
}

TEST_CASE("near and far are alike") {
  BoxMotion far = walker(60, 0.1), near = walker(60, 0.1, 5);
  CHECK(near.size() == doctest::Approx(5 * far.size()));
  Box at = far.box();
  Box other{at.x0 + 8, at.y0 - 4, at.x1 + 10, at.y1 + 3};
  Box other_near{other.x0 * 5, other.y0 * 5, other.x1 * 5, other.y1 * 5};
  CHECK(*near.mismatch(other_near, false, 1) == doctest::Approx(*far.mismatch(other, false, 1)));
  CHECK(*near.distance(other_near) == doctest::Approx(*far.distance(other)));
}

TEST_CASE("the nearer box fits better, and neither a far one nor one of another size fits at all") {
  BoxMotion motion = walker(0, 0.1);
  motion.advance(0.1);
  CHECK(*motion.mismatch(box(2, 0), false, 1) < *motion.mismatch(box(6, 0), false, 1));
  CHECK_FALSE(motion.mismatch(box(40, 0), false, 1).has_value());
  CHECK_FALSE(motion.mismatch(box(0, 0, 30, 40), false, 0).has_value());
  CHECK_FALSE(motion.distance(box(0, 0, 30, 30)).has_value());
  // A jump that the motion does not explain, but the overlap does.
  CHECK_FALSE(motion.mismatch(box(0, 25), false, 0.6).has_value());
  CHECK(motion.mismatch(box(0, 25), false, 0.5).has_value());
}

TEST_CASE("who is lost does not take a detection from who is there") {
  BoxMotion there = walker(0, 0.1), lost = there;
  there.advance(0.1);
  lost.advance(1);
  CHECK(*there.mismatch(box(5, 0), false, 0.2) < *lost.mismatch(box(0, 0), false, 0.2));
}

TEST_CASE("the longer unseen, the further away it may be found, up to a limit") {
  BoxMotion motion = walker(0, 0.1);
  motion.advance(0.1);
  CHECK_FALSE(motion.mismatch(box(35, 0), false, 1).has_value());
  motion.advance(1);
  CHECK(motion.mismatch(box(35, 0), false, 1).has_value());
  motion.advance(20);
  CHECK_FALSE(motion.mismatch(box(100, 0), false, 1).has_value());
}

TEST_CASE("boxes without area harm nothing") {
  BoxMotion motion(Box{5, 5, 5, 5});
  motion.advance(0);
  motion.correct({5, 5, 5, 5}, true);
  motion.advance(0.1);
  motion.correct({5, 5, 5, 900}, false);
  CHECK(std::isfinite(motion.x()));
  CHECK(std::isfinite(motion.size()));
  auto mismatch = motion.mismatch({0, 0, 0, 0}, false, 0.2);
  CHECK((!mismatch || std::isfinite(*mismatch)));
}

}  // namespace oree
