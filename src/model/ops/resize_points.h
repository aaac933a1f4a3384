// SPDX-License-Identifier: Apache-2.0
// Which elements of its operand a Resize takes for a place of its result, along one axis. Source of the formulas: the
// ONNX operator specification of Resize.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

struct ResizeRule {
  std::string mode, points, nearest;  // points: coordinate_transformation_mode
  double cubic = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  // Points as ONNX Runtime has them: in float, and align_corners by whole lengths. Else in double, and by the scale's
  // own length, which need not be whole, as ONNX's own cases have it.
  bool in_engine = false;
};
ResizeRule resize_rule(const Node& node);

struct ResizeLine {
  int64_t in = 0, out = 0;  // elements; in > 0
  double scale = 1;         // above 0
  double roi_begin = 0, roi_end = 1;
};

struct ResizePart {
  int64_t at = 0;
  double weight = 0;
};

// The elements that are summed for one place, some perhaps twice. Nothing: tf_crop_and_resize looks outside there, and
// the place gets the extrapolation value.
std::optional<std::vector<ResizePart>> resize_parts(const ResizeRule& rule, const ResizeLine& line, int64_t place);

}  // namespace oree
