// SPDX-License-Identifier: Apache-2.0
#include "model/ops/resize_points.h"

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

template <typename T>
T point_of(const ResizeRule& rule, const ResizeLine& line, int64_t place) {
  auto x = static_cast<T>(place), n = static_cast<T>(line.in), m = static_cast<T>(line.out);
  auto scale = static_cast<T>(line.scale), begin = static_cast<T>(line.roi_begin), end = static_cast<T>(line.roi_end);
  const T half = static_cast<T>(0.5);
  if (rule.points == "align_corners") {
    const T length = rule.in_engine ? m : n * scale;
    return line.out == 1 ? 0 : x * (n - 1) / (length - 1);
  }
  if (rule.points == "asymmetric") return x / scale;
  if (rule.points == "pytorch_half_pixel") return line.out > 1 ? (x + half) / scale - half : 0;
  if (rule.points == "tf_crop_and_resize") {
    if (line.out == 1) return half * (begin + end) * (n - 1);
    return begin * (n - 1) + x * (end - begin) * (n - 1) / (m - 1);
  }
  if (rule.points == "half_pixel_symmetric") {
    // The output's true length may be a fraction more than its count of elements: centre it.
    const T adjust = m / (scale * n);
    return n / 2 * (1 - adjust) + (x + half) / scale - half;
  }
  if (rule.points == "tf_half_pixel_for_nn") return (x + half) / scale;
  return (x + half) / scale - half;  // half_pixel
}

int64_t nearest_of(const ResizeRule& rule, double x) {
  double whole = std::floor(x);
  if (rule.nearest == "floor") return static_cast<int64_t>(whole);
  if (rule.nearest == "ceil") return static_cast<int64_t>(std::ceil(x));
  bool half = x - whole == 0.5;
  if (half) return static_cast<int64_t>(rule.nearest == "round_prefer_ceil" ? whole + 1 : whole);
  return static_cast<int64_t>(std::floor(x + 0.5));
}

double cubic_weight(double a, double distance) {
  double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((d - 5) * d + 8) * d * a - 4 * a;
  return 0;
}

}  // namespace

ResizeRule resize_rule(const Node& node) {
  ResizeRule rule;
  rule.mode = node.text("mode", "nearest");
  rule.points = node.text("coordinate_transformation_mode", "half_pixel");
  rule.nearest = node.text("nearest_mode", "round_prefer_floor");
  rule.cubic = static_cast<double>(node.real("cubic_coeff_a", -0.75f));
  rule.exclude_outside = node.integer("exclude_outside", 0) != 0;
  rule.antialias = node.integer("antialias", 0) != 0;
  return rule;
}

std::optional<std::vector<ResizePart>> resize_parts(const ResizeRule& rule, const ResizeLine& line, int64_t place) {
  const double x =
      rule.in_engine ? static_cast<double>(point_of<float>(rule, line, place)) : point_of<double>(rule, line, place);
  // A region may lie anywhere, and be no number at all.
  if (rule.points == "tf_crop_and_resize" && !(x >= 0 && x <= static_cast<double>(line.in - 1))) return std::nullopt;
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i, 0, line.in - 1); };
  if (rule.mode == "nearest") return {{{clamp(nearest_of(rule, x)), 1}}};
  // Where the picture shrinks, an antialiasing filter is stretched by as much.
  const double stretch = rule.antialias && line.scale < 1 ? line.scale : 1;
  const double reach = (rule.mode == "cubic" ? 2 : 1) / stretch;
  auto first = static_cast<int64_t>(std::floor(x - reach)) + 1, last = static_cast<int64_t>(std::ceil(x + reach)) - 1;
  if (stretch == 1) {
    first = static_cast<int64_t>(std::floor(x)) - (rule.mode == "cubic" ? 1 : 0);
    last = first + (rule.mode == "cubic" ? 3 : 1);
  }
  std::vector<ResizePart> parts;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    double distance = (x - static_cast<double>(i)) * stretch;
    double weight = rule.mode == "cubic" ? cubic_weight(rule.cubic, distance) : std::max(0.0, 1 - std::abs(distance));
    if (rule.exclude_outside && (i < 0 || i >= line.in)) weight = 0;
    // Beyond the border the border's element is seen again.
    parts.push_back({clamp(i), weight});
    sum += weight;
  }
  if ((rule.exclude_outside || stretch != 1) && sum != 0) {
    for (ResizePart& p : parts) p.weight /= sum;
  }
  return parts;
}

}  // namespace oree
