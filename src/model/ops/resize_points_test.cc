// SPDX-License-Identifier: Apache-2.0
#include "model/ops/resize_points.h"

#include <doctest/doctest.h>

#include <cmath>

namespace oree {
namespace {

ResizeRule rule(std::string mode, std::string points, std::string nearest = "round_prefer_floor") {
  ResizeRule r;
  r.mode = std::move(mode);
  r.points = std::move(points);
  r.nearest = std::move(nearest);
  return r;
}

std::vector<int64_t> places(const ResizeRule& r, const ResizeLine& line) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < line.out; ++i) out.push_back(resize_parts(r, line, i)->front().at);
  return out;
}

// What torch.nn.functional.interpolate and TensorFlow 1 take, by their own formulas.
TEST_CASE("the nearest element follows the rule of the points") {
  ResizeLine line{4, 7, 7.0 / 4};
  CHECK(places(rule("nearest", "asymmetric", "floor"), line) == std::vector<int64_t>{0, 0, 1, 1, 2, 2, 3});
  CHECK(places(rule("nearest", "half_pixel"), line) == std::vector<int64_t>{0, 0, 1, 1, 2, 3, 3});
  CHECK(places(rule("nearest", "tf_half_pixel_for_nn", "floor"), line) == std::vector<int64_t>{0, 0, 1, 2, 2, 3, 3});
  CHECK(places(rule("nearest", "align_corners"), line) == std::vector<int64_t>{0, 0, 1, 1, 2, 2, 3});
}

TEST_CASE("the weights of a place are one together, shrunk pictures' too") {
  const ResizeLine third{9, 3, 1.0 / 3};
  for (const char* mode : {"linear", "cubic"}) {
    std::vector<size_t> sizes;
    for (bool antialias : {false, true}) {
      ResizeRule r = rule(mode, "half_pixel");
      r.antialias = antialias;
      const std::vector<ResizePart> parts = resize_parts(r, third, 1).value();
      double sum = 0;
      for (const ResizePart& p : parts) sum += p.weight;
      CHECK(sum == doctest::Approx(1));
      sizes.push_back(parts.size());
    }
    CHECK(sizes[1] > sizes[0]);
  }
}

TEST_CASE("what looks outside of the operand is nothing, whatever the region") {
  ResizeRule r = rule("linear", "tf_crop_and_resize");
  CHECK(resize_parts(r, {4, 3, 1, 0, 1}, 2).has_value());
  CHECK_FALSE(resize_parts(r, {4, 3, 1, 0, 1.5}, 2).has_value());
  CHECK_FALSE(resize_parts(r, {4, 3, 1, 0, NAN}, 2).has_value());
  CHECK_FALSE(resize_parts(r, {4, 3, 1, -1e300, 1}, 0).has_value());
}

TEST_CASE("corners are aligned by whole lengths where the engine does so") {
  ResizeRule r = rule("linear", "align_corners");
  const ResizeLine line{5, 7, 1.5};
  CHECK(resize_parts(r, line, 6)->at(0).weight == doctest::Approx(1 - (6 * 4 / 6.5 - 3)));
  r.in_engine = true;
  CHECK(resize_parts(r, line, 6)->at(0).at == 4);
}

}  // namespace
}  // namespace oree
