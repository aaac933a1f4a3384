// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/rounding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "optimize/quantize/samples_fixture.h"
#include "optimize/quantize/weights.h"

namespace oree {
namespace {

// Columns that go together as a feature map's do: neighbours alike, a few causes behind all, cut at zero.
std::vector<float> correlated_columns(size_t columns, size_t k, uint64_t seed) {
  std::vector<float> mix = normal_values(2 * k, 99), x;
  for (size_t c = 0; c < columns; ++c) {
    double causes[] = {next_normal(seed), next_normal(seed)}, last = 0;
    for (size_t i = 0; i < k; ++i) {
      last = 0.9 * last + 0.44 * next_normal(seed);
      double v = last + causes[0] * static_cast<double>(mix[i]) + causes[1] * static_cast<double>(mix[k + i]);
      x.push_back(static_cast<float>(std::max(v, 0.0)));
    }
  }
  return x;
}

std::vector<float> gram_of(const std::vector<float>& x, size_t k) {
  std::vector<double> sums(k * k, 0);
  size_t columns = x.size() / k;
  for (size_t c = 0; c < columns; ++c) {
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < k; ++j) sums[i * k + j] += static_cast<double>(x[c * k + i]) * x[c * k + j];
    }
  }
  std::vector<float> gram;
  for (double s : sums) gram.push_back(static_cast<float>(s / static_cast<double>(columns)));
  return gram;
}

struct Problem {
  int64_t channels, k;
  IntegerGrid grid;
  std::vector<float> weights, gram, scales;
  std::vector<int32_t> nearest;

  Problem(int64_t c, int64_t n, const IntegerGrid& g, std::vector<float> x, uint64_t seed = 5)
      : channels(c),
        k(n),
        grid(g),
        weights(laplace_values(static_cast<size_t>(c * n), seed, 0.05f)),
        gram(gram_of(x, static_cast<size_t>(n))) {
    scales = weight_scales(weights, {c, n}, 0, grid).value();
    nearest = quantize_weights(weights, {c, n}, 0, scales, grid);
  }
  std::vector<int32_t> round(const RoundingOptions& options = {}) const {
    return round_to_data(weights, channels, k, gram, scales, grid, options);
  }
  double error(const std::vector<int32_t>& integers) const {
    return reconstruction_error(weights, integers, channels, k, gram, scales);
  }
};

}  // namespace

TEST_CASE("the reconstruction error is the mean square of what the layer's outputs are off by") {
  std::vector<float> x = correlated_columns(500, 20, 1);
  Problem p(6, 20, symmetric_int8_grid(), x);
  double sum = 0;
  for (size_t column = 0; column < 500; ++column) {
    for (size_t c = 0; c < 6; ++c) {
      double gap = 0;
      for (size_t i = 0; i < 20; ++i) {
        double d =
            static_cast<double>(p.scales[c]) * p.nearest[c * 20 + i] - static_cast<double>(p.weights[c * 20 + i]);
        gap += d * static_cast<double>(x[column * 20 + i]);
      }
      sum += gap * gap;
    }
  }
  CHECK(p.error(p.nearest) == doctest::Approx(sum / 500).epsilon(1e-4));
}

TEST_CASE("of correlated inputs the error is a third or less of nearest rounding's, of inputs not seen too") {
  for (const IntegerGrid& grid : {symmetric_int8_grid(), reduced_int8_grid(), symmetric_int4_grid()}) {
    for (int64_t k : {9, 72, 150}) {
      auto n = static_cast<size_t>(k);
      Problem p(16, k, grid, correlated_columns(2000, n, 1));
      std::vector<int32_t> q = p.round();
      double share = p.error(q) / p.error(p.nearest);
      p.gram = gram_of(correlated_columns(2000, n, 2), n);
      double unseen = p.error(q) / p.error(p.nearest);
      CAPTURE(k);
      CAPTURE(grid.high);
      CHECK(share < (k == 9 ? 0.6 : 0.33));
      CHECK(unseen < (k == 9 ? 0.6 : 0.35));
    }
  }
}

TEST_CASE("few samples do not make it worse for others") {
  Problem p(16, 72, symmetric_int8_grid(), correlated_columns(40, 72, 1));
  std::vector<int32_t> q = p.round();
  p.gram = gram_of(correlated_columns(4000, 72, 2), 72);
  CHECK(p.error(q) < 0.8 * p.error(p.nearest));
}

TEST_CASE("no channel is ever worse than nearest rounding, whatever the matrix") {
  for (uint64_t seed = 1; seed < 20; ++seed) {
    uint64_t state = seed;
    auto k = static_cast<size_t>(1 + next_uniform(state) * 30), columns = static_cast<size_t>(1 + seed * seed);
    std::vector<float> x = seed % 2 == 0 ? normal_values(columns * k, seed) : correlated_columns(columns, k, seed);
    Problem p(3, static_cast<int64_t>(k), seed % 3 == 0 ? symmetric_int4_grid() : symmetric_int8_grid(), x, seed);
    std::vector<int32_t> q = p.round({.damping = 0});
    for (int64_t c = 0; c < 3; ++c) {
      size_t at = static_cast<size_t>(c) * k;
      auto error = [&](const std::vector<int32_t>& all) {
        return reconstruction_error(std::span(p.weights).subspan(at, k), std::span(all).subspan(at, k), 1, p.k, p.gram,
                                    std::span(p.scales).subspan(static_cast<size_t>(c), 1));
      };
      CHECK(error(q) <= error(p.nearest) * (1 + 1e-6) + 1e-12);
    }
    for (int32_t i : q) CHECK((p.grid.low <= i && i <= p.grid.high));
  }
}

TEST_CASE("pairs fit, and with them the error is far below that of a grid in which any two do") {
  for (int64_t distance : {1, 9}) {
    const size_t k = 72;
    Problem p(16, k, symmetric_int8_grid(), correlated_columns(2000, k, 1));
    const Shape shape{16, static_cast<int64_t>(k) / distance, distance};
    const WeightGrid pairs(symmetric_int8_grid(), 1);
    p.scales = weight_scales(p.weights, shape, 0, pairs).value();
    p.nearest = quantize_weights(p.weights, shape, 0, p.scales, pairs);
    std::vector<int32_t> q = p.round({.pair_distance = distance});
    for (const std::vector<int32_t>& integers : {q, p.nearest}) {
      for (size_t i = 0; i < integers.size(); ++i) {
        if (i % k / static_cast<size_t>(distance) % 2 == 0)
          REQUIRE(pair_fits(integers[i], integers[i + static_cast<size_t>(distance)]));
      }
    }
    CHECK(p.error(q) < 0.33 * p.error(p.nearest));
    Problem reduced(16, k, reduced_int8_grid(), correlated_columns(2000, k, 1));
    CHECK(p.error(q) < 0.5 * reduced.error(reduced.round()));
  }
}

TEST_CASE("of three weights it finds, or comes near, the best of all integers") {
  double found = 0, best = 0, nearest = 0;
  for (uint64_t seed = 1; seed < 30; ++seed) {
    Problem p(1, 3, symmetric_int4_grid(), correlated_columns(50, 3, seed), seed);
    found += p.error(p.round({.damping = 0}));
    nearest += p.error(p.nearest);
    double least = 1e30;
    for (int32_t a = -7; a <= 7; ++a) {
      for (int32_t b = -7; b <= 7; ++b) {
        for (int32_t c = -7; c <= 7; ++c) least = std::min(least, p.error({a, b, c}));
      }
    }
    best += least;
  }
  CHECK(found <= best * 1.1);
  CHECK(found < nearest * 0.8);
}

TEST_CASE("inputs that have nothing to do with each other leave nearest rounding as it is") {
  Problem p(4, 30, symmetric_int8_grid(), correlated_columns(10, 30, 1));
  std::ranges::fill(p.gram, 0.0f);
  for (size_t i = 0; i < 30; ++i) p.gram[i * 30 + i] = static_cast<float>(i + 1);
  CHECK(p.round() == p.nearest);
  // Nor do inputs that are always zero.
  std::ranges::fill(p.gram, 0.0f);
  CHECK(p.round() == p.nearest);
}

TEST_CASE("equal calls give equal integers, and a channel's do not depend on its neighbours") {
  Problem p(70, 40, symmetric_int8_grid(), correlated_columns(300, 40, 3));
  std::vector<int32_t> q = p.round();
  CHECK(p.round() == q);
  for (size_t c : {0UL, 33UL, 69UL}) {
    std::vector<int32_t> alone = round_to_data(std::span(p.weights).subspan(c * 40, 40), 1, 40, p.gram,
                                               std::span(p.scales).subspan(c, 1), p.grid);
    CHECK(alone ==
          std::vector<int32_t>(q.begin() + static_cast<int64_t>(c) * 40, q.begin() + static_cast<int64_t>(c + 1) * 40));
  }
}

}  // namespace oree
