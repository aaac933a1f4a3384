// SPDX-License-Identifier: Apache-2.0
// Which reals of a tensor the integers shall stand for: five ways to choose, all from one histogram.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "optimize/quantize/histogram.h"

namespace oree {

enum class RangeMethod {
  kMinMax,         // all that was seen
  kPercentile,     // all but the rarest on each side
  kMse,            // the clipping of least squared error
  kEntropy,        // of least Kullback-Leibler divergence, among those of at most twice the least squared error
  kMovingAverage,  // of the samples' minima and maxima
};
const char* range_method_name(RangeMethod method);  // "min-max", "percentile", "mse", "entropy", "moving-average"
std::optional<RangeMethod> parse_range_method(std::string_view name);

// What one tensor was over all samples.
struct TensorStatistics {
  Histogram histogram;
  Range average;  // exponentially moving, of each sample's minimum and maximum, in the samples' order
  uint64_t samples = 0;
};

struct RangeOptions {
  RangeMethod method = RangeMethod::kMse;
  double percentile = 99.99;  // of the values that stay inside, 50..100, split over both sides
};

// Ends lie on bin edges (min-max too, the next one outwards), so that the last bits of an engine's arithmetic do not
// show; never beyond what was seen by more than a bin. {0, 0} when nothing was seen.
Range choose_range(const TensorStatistics& statistics, const IntegerGrid& grid, const RangeOptions& options);

// Mean squared error that quantizing the values so makes, clipping included: from the histogram, values taken as spread
// evenly over their bin. And the mean square of the values.
double expected_error(const Histogram& histogram, const Affine& affine, const IntegerGrid& grid);
double mean_square(const Histogram& histogram);

}  // namespace oree
