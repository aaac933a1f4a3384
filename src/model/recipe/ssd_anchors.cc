// SPDX-License-Identifier: Apache-2.0
// The layout of create_ssd_anchors in the TensorFlow Object Detection API: scales run linearly from scale_min to
// scale_max over the layers, then 1.0; the interpolated anchor has the geometric mean of a layer's scale and the next.
#include <cmath>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

Anchor shaped(double scale, double ratio) { return {0, 0, scale / std::sqrt(ratio), scale * std::sqrt(ratio)}; }

std::vector<Anchor> cell_anchors(const SsdAnchors& spec, size_t layer) {
  size_t layers = spec.feature_maps.size();
  auto scale_at = [&](size_t i) {
    if (i >= layers) return 1.0;
    if (layers == 1) return spec.scale_min;
    return spec.scale_min +
           (spec.scale_max - spec.scale_min) * static_cast<double>(i) / static_cast<double>(layers - 1);
  };
  double scale = scale_at(layer);
  if (layer == 0 && spec.reduce_first_layer) return {shaped(0.1, 1), shaped(scale, 2), shaped(scale, 0.5)};
  std::vector<Anchor> anchors;
  for (double ratio : spec.ratios) anchors.push_back(shaped(scale, ratio));
  if (spec.interpolated_ratio > 0)
    anchors.push_back(shaped(std::sqrt(scale * scale_at(layer + 1)), spec.interpolated_ratio));
  return anchors;
}

}  // namespace

std::vector<Anchor> make_ssd_anchors(const SsdAnchors& spec) {
  std::vector<Anchor> anchors;
  for (size_t layer = 0; layer < spec.feature_maps.size(); ++layer) {
    int side = spec.feature_maps[layer];
    std::vector<Anchor> cell = cell_anchors(spec, layer);
    for (int row = 0; row < side; ++row) {
      for (int column = 0; column < side; ++column) {
        for (Anchor anchor : cell) {
          anchor.y = (row + 0.5) / side;
          anchor.x = (column + 0.5) / side;
          anchors.push_back(anchor);
        }
      }
    }
  }
  return anchors;
}

}  // namespace oree
