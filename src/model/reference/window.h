// SPDX-License-Identifier: Apache-2.0
// Windows that slide over the spatial axes of [batch, channels, spatial...]: what convolutions and pools share.
#pragma once

#include <vector>

#include "model/reference/kernel.h"

namespace oree {

// Along one spatial axis.
struct AxisWindow {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t begin = 0;  // padding before the first element; negative: so many elements are left out
  int64_t end = 0;
  int64_t in = 0;
  int64_t out = 0;
};

// Attributes strides, dilations, pads, auto_pad (and ceil_mode where asked for) of a node whose operand has shape `x`
// and whose kernel has the spatial shape `kernel`. kInvalid when they do not fit.
Result<std::vector<AxisWindow>> windows_of(const KernelCall& call, const Shape& x, const Shape& kernel,
                                           bool ceil_mode = false);
// The same for a transposed convolution: `in` and `out` are those of the node, so that out is the larger one.
Result<std::vector<AxisWindow>> transposed_windows_of(const KernelCall& call, const Shape& x, const Shape& kernel);

Shape spatial_out(const std::vector<AxisWindow>& windows);

// One element of the kernel at one place of the output that meets the operand: flat spatial indices of both.
struct Tap {
  int64_t in = 0;
  int64_t kernel = 0;
};

// Goes through the output's places in row-major order.
class Taps {
 public:
  explicit Taps(const std::vector<AxisWindow>& windows);
  bool done() const { return index_ == count_; }
  int64_t index() const { return index_; }
  const std::vector<Tap>& at() const { return taps_; }  // those inside the operand
  int64_t padded() const { return padded_; }            // all that lie within the operand and its padding
  void next();

 private:
  void fill();

  std::vector<AxisWindow> windows_;
  std::vector<int64_t> place_;
  std::vector<Tap> taps_;
  int64_t index_ = 0;
  int64_t count_ = 1;
  int64_t padded_ = 0;
};

}  // namespace oree
