// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/recipe/detect.h"

namespace oree {

double iou(const Box& a, const Box& b) {
  double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (width <= 0 || height <= 0) return 0;
  double both = width * height;
  double area_a = (a.x1 - a.x0) * (a.y1 - a.y0);
  double area_b = (b.x1 - b.x0) * (b.y1 - b.y0);
  return both / (area_a + area_b - both);
}

std::vector<Detection> non_maximum_suppression(std::vector<Detection> candidates, double iou_max, bool per_class,
                                               int results_max) {
  // Stable: equal score and label keep their index order.
  std::stable_sort(candidates.begin(), candidates.end(), [](const Detection& a, const Detection& b) {
    return a.score != b.score ? a.score > b.score : a.label < b.label;
  });
  std::vector<Detection> kept;
  for (const Detection& candidate : candidates) {
    // Stopping here bounds the work by candidates x results_max.
    if (kept.size() >= static_cast<size_t>(std::max(results_max, 0))) break;
    bool covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
      return (!per_class || better.label == candidate.label) && iou(better.box, candidate.box) > iou_max;
    });
    if (!covered) kept.push_back(candidate);
  }
  return kept;
}

}  // namespace oree
