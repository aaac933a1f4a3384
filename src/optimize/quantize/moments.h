// SPDX-License-Identifier: Apache-2.0
// Sums over the values of a histogram up to any point, each O(1): what a clipping costs is then a few of them a level
// of the grid, not a pass over bins. Values are taken as spread evenly over their bin, of the outermost ones over the
// part that was seen; exact zeros, which every grid holds, are left out. Internal to optimize/quantize.
#pragma once

#include <limits>
#include <vector>

#include "optimize/quantize/histogram.h"

namespace oree {

class Moments {
 public:
  explicit Moments(const Histogram& histogram);

  // Of the values below `x`: how many, their sum, the sum of their squares.
  struct Sums {
    double count = 0, first = 0, second = 0;
    Sums operator-(const Sums& o) const { return {count - o.count, first - o.first, second - o.second}; }
    // Of the squared distances from `r`.
    double around(double r) const { return second - 2 * r * first + r * r * count; }
  };
  Sums below(double x) const;
  const Sums& all() const { return sums_.back(); }

  // Sum of the squared errors that quantizing makes. Of one that is not less than `most` no more is said than that: a
  // search looks at many that are not.
  double error(const Affine& affine, const IntegerGrid& grid,
               double most = std::numeric_limits<double>::infinity()) const;

 private:
  Sums part(int bin, double low, double high) const;  // of a bin's values between two points within it
  double min_ = 0, max_ = 0, lowest_ = 0, width_ = 1;
  std::vector<double> counts_;  // of each bin, zeros left out
  std::vector<Sums> sums_;      // below the lower edge of each bin, and of all
};

}  // namespace oree
