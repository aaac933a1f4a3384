// SPDX-License-Identifier: Apache-2.0
// What a clipping costs in information: the Kullback-Leibler divergence of what integers say from what was seen.
// Internal to optimize/quantize.
#pragma once

#include <vector>

#include "optimize/quantize/histogram.h"

namespace oree {

// As TensorRT and ONNX Runtime measure it: the values inside the range are one distribution, those outside counted in
// the outermost bins; the values inside alone, each level's count spread over those of its bins that hold values, the
// other one. Levels may end within a bin: the divergence is then no saw over the range's ends. Exact zeros are left
// out: no grid changes them, and after a ReLU they would decide alone. Of a symmetric grid it is measured over sizes.
//
// It weighs how many values are clipped, not how far: of peaked values with long tails it asks for ranges that cost
// sixty times the least squared error. Use it within a bound of that.
class Divergence {
 public:
  // The grid is only looked at here.
  Divergence(const Histogram& histogram, const IntegerGrid& grid);

  // Of a range whose ends are bin edges; reaching to 0. Infinite where values would be clipped to an end that holds
  // none, and where the grid has more levels than the range has bins: then it says nothing.
  double of(Range range) const;

 private:
  double at(const std::vector<double>& sums, double bin) const;
  bool symmetric_ = false;
  double width_ = 1;
  double levels_ = 0;
  size_t zero_ = 0;             // the bin whose lower edge is 0
  std::vector<double> counts_;  // of each bin; of a symmetric grid of sizes
  // Up to each bin: counts, counts times their logarithms, bins that hold something.
  std::vector<double> count_{0}, log_{0}, filled_{0};
};

}  // namespace oree
