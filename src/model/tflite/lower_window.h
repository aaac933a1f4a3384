// SPDX-License-Identifier: Apache-2.0
// The window of a convolution or pool, from ONNX's attributes to TFLite's options. Internal to model/tflite.
#pragma once

#include "model/tflite/lower.h"

namespace oree {

struct LowerWindow {
  std::vector<int64_t> kernel, strides, dilations;
  std::vector<int64_t> begins, ends;  // pads; of auto_pad where the size is known
  bool same = false;                  // the pads are those of TFLite's SAME
  bool any_pads() const;
};

// Of a node whose operand 0 has channels first. ceil_mode is in the pads. kUnsupported when pads depend on a size that
// is not known, kInvalid on broken attributes.
Result<LowerWindow> lower_window(const Lower& r, const std::vector<int64_t>& kernel);

// The operand with channels last, explicit pads added with `fill` (kNoValue: zero); `padding` is then TFLite's option.
ValueId padded_channels_last(Lower& r, const LowerWindow& w, ValueId fill, int64_t& padding);

// Dimensions with channels first as they are with channels last.
Dims channels_last(const Dims& dims);

// Options that CONV_2D, DEPTHWISE_CONV_2D and the pools share.
Attributes window_options(const LowerWindow& w, int64_t padding);

}  // namespace oree
