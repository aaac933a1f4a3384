// SPDX-License-Identifier: Apache-2.0
// For tests: numbers that are the same everywhere, and histograms of them.
#pragma once

#include <cstdint>
#include <vector>

#include "monitor/stats/histogram.h"

namespace oree {

// The next of Knuth's MMIX generator, in [0, 1): the Python script that made the expected numbers has the same.
inline double next_unit(uint64_t& seed) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<double>(seed >> 11) * 0x1.0p-53;
}

inline ConfidenceHistogram confidences(const std::vector<double>& values) {
  ConfidenceHistogram h;
  for (double v : values) h.add(v);
  return h;
}

}  // namespace oree
