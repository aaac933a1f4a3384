// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/entropy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

// The definition, bin by bin: each value of the second distribution from the level its bin lies in. Levels must be
// whole numbers of bins.
double by_definition(const Histogram& h, size_t first, size_t last, size_t levels) {
  std::vector<double> counts(h.bins().begin(), h.bins().end());
  counts[Histogram::kBins / 2] -= static_cast<double>(h.zeros());
  std::vector<double> p(counts.begin() + static_cast<int64_t>(first), counts.begin() + static_cast<int64_t>(last));
  std::vector<double> q(p.size(), 0);
  size_t step = p.size() / levels;
  for (size_t k = 0; k < levels; ++k) {
    double sum = 0, filled = 0;
    for (size_t i = k * step; i < (k + 1) * step; ++i) {
      sum += p[i];
      filled += p[i] > 0 ? 1 : 0;
    }
    for (size_t i = k * step; i < (k + 1) * step; ++i) q[i] = p[i] > 0 ? sum / filled : 0;
  }
  double kept = 0, all = 0;
  for (double c : p) kept += c;
  for (double c : counts) all += c;
  for (size_t i = 0; i < first; ++i) p.front() += counts[i];
  for (size_t i = last; i < counts.size(); ++i) p.back() += counts[i];
  double divergence = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) divergence += p[i] / all * std::log(p[i] / all / (q[i] / kept));
  }
  return divergence;
}

}  // namespace

TEST_CASE("the divergence is its definition's, clipped on neither side, on one or on both") {
  for (bool rectified : {false, true}) {
    std::vector<float> values = laplace_values(50000, 3);
    for (float& v : values) v = rectified ? std::max(v, 0.0f) : v;
    Histogram h;
    h.add(values);
    Divergence divergence(h, int8_grid());
    for (auto [first, last] : {std::pair{0UL, 4096UL}, {1792UL, 2304UL}, {1792UL, 2560UL}, {2048UL, 2560UL}}) {
      Range range{h.edge(static_cast<int>(first)), h.edge(static_cast<int>(last))};
      CAPTURE(first);
      double found = divergence.of(range);
      if (rectified && first < 2048) continue;  // levels below zero are then filled in part only
      CHECK(found == doctest::Approx(by_definition(h, first, last, 256)).epsilon(1e-9));
    }
  }
}

TEST_CASE("of a symmetric grid the divergence is that of sizes on half the levels") {
  std::vector<float> values = normal_values(50000, 5), sizes = values;
  for (float& v : sizes) v = std::abs(v);
  Histogram h, folded;
  h.add(values);
  folded.add(sizes);
  // -127..127: sizes have 128 levels.
  double found = Divergence(h, symmetric_int8_grid()).of({-h.edge(2048 + 512), h.edge(2048 + 512)});
  CHECK(found == doctest::Approx(by_definition(folded, 2048, 2048 + 512, 128)).epsilon(1e-3));
}

TEST_CASE("a range of fewer bins than levels, or one that clips to where nothing is, is never chosen") {
  Histogram h;
  h.add(normal_values(50000, 7));
  CHECK(std::isinf(Divergence(h, int8_grid()).of({h.edge(2000), h.edge(2100)})));
  CHECK(std::isinf(Divergence(h, symmetric_int16_grid()).of({h.edge(0), h.edge(4096)})));
  CHECK(std::isinf(Divergence(Histogram(), int8_grid()).of({-1, 1})));
  std::vector<float> values = normal_values(50000, 7);
  values[3] = 100;
  Histogram outlier;
  outlier.add(values);
  CHECK(std::isinf(Divergence(outlier, int8_grid()).of({-50, 50})));
}

// The reason why ranges.cc uses it within a bound of the squared error only.
TEST_CASE("the divergence does not see how far clipped values are") {
  std::vector<float> near = normal_values(200000, 9), far = near;
  for (size_t i = 0; i < 5; ++i) {
    near[i] = 4.6f;
    far[i] = 7.9f;
  }
  near[7] = far[7] = 7.99f;
  Histogram a, b;
  a.add(near);
  b.add(far);
  Range range{a.edge(1536), a.edge(2048 + 768)};
  REQUIRE(std::isfinite(Divergence(a, int8_grid()).of(range)));
  CHECK(Divergence(a, int8_grid()).of(range) == doctest::Approx(Divergence(b, int8_grid()).of(range)));
}

}  // namespace oree
