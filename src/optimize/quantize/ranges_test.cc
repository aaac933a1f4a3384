// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/ranges.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

TensorStatistics statistics_of(const std::vector<float>& values) {
  TensorStatistics s;
  s.histogram.add(values);
  s.samples = 1;
  return s;
}

Range choose(const TensorStatistics& s, const IntegerGrid& grid, RangeMethod method, double percentile = 99.99) {
  return choose_range(s, grid, {method, percentile});
}

double error_of(const TensorStatistics& s, const IntegerGrid& grid, Range range) {
  return expected_error(s.histogram, affine_for(range, grid), grid);
}

struct Data {
  std::string name;
  std::vector<float> values;
};

template <typename F>
Data made(const char* name, std::vector<float> values, F f) {
  for (float& v : values) v = f(v);
  return {name, std::move(values)};
}

// What layers give: skewed, with heavy tails, of one sign only, cut at an end, of two kinds mixed.
std::vector<Data> activations(size_t n) {
  std::vector<Data> all;
  uint64_t state = 77;
  all.push_back({"normal", normal_values(n, 1)});
  all.push_back({"laplace", laplace_values(n, 2)});
  all.push_back(made("relu", normal_values(n, 3), [](float v) { return std::max(v, 0.0f); }));
  all.push_back(made("relu6", normal_values(n, 4), [](float v) { return std::clamp(v * 3 + 1, 0.0f, 6.0f); }));
  all.push_back(made("rare relu", laplace_values(n, 5), [](float v) { return std::max(v - 2, 0.0f); }));
  all.push_back(made("negative", laplace_values(n, 6), [](float v) { return -std::abs(v) - 2; }));
  all.push_back(made("skewed", normal_values(n, 7), [](float v) { return std::exp(v); }));
  all.push_back(made("heavy tails", normal_values(n, 8), [](float v) { return v * v * v; }));
  all.push_back(made("swish", normal_values(n, 9), [](float v) { return 3 * v / (1 + std::exp(-3 * v)); }));
  all.push_back(made("sigmoid", normal_values(n, 10), [](float v) { return 1 / (1 + std::exp(5 - v * 2)); }));
  all.push_back(made("two peaks", normal_values(n, 11),
                     [&](float v) { return v * 0.3f + (next_uniform(state) < 0.3 ? 7.0f : -4.0f); }));
  all.push_back(
      made("wide and narrow", normal_values(n, 12), [&](float v) { return next_uniform(state) < 0.01 ? v * 10 : v; }));
  // Of a detector's class head: far below zero, and what it found above.
  all.push_back(made("logits", normal_values(n, 13),
                     [&](float v) { return v * 2 - 8 + (next_uniform(state) < 0.001 ? 12.0f : 0.0f); }));
  return all;
}

// Of all pairs of ends on a lattice of bin edges.
double least_error_by_trying(const TensorStatistics& s, const IntegerGrid& grid, int steps) {
  const Histogram& h = s.histogram;
  double least = std::numeric_limits<double>::infinity();
  double low = std::min(h.min(), 0.0), high = std::max(h.max(), 0.0);
  auto edge = [&](double x) { return std::round(x / h.width()) * h.width(); };
  for (int i = steps / 4; i <= steps; ++i) {
    for (int j = steps / 4; j <= steps; ++j) {
      Range r{edge(low * i / steps), edge(high * j / steps)};
      if (grid.symmetric) r = {-edge(std::max(-low, high) * i / steps), 0};
      least = std::min(least, error_of(s, grid, r));
      if (high == 0 || grid.symmetric) break;
    }
    if (low == 0 && !grid.symmetric) i = i < steps ? steps - 1 : steps;
  }
  return least;
}

}  // namespace

TEST_CASE("range methods have names, and no other text is one") {
  for (RangeMethod m : {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy,
                        RangeMethod::kMovingAverage}) {
    CHECK(parse_range_method(range_method_name(m)) == m);
  }
  CHECK(!parse_range_method("MSE"));
  CHECK(!parse_range_method(""));
}

TEST_CASE("nothing seen is a range of nothing, one value is one that holds it") {
  for (RangeMethod m : {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse, RangeMethod::kEntropy,
                        RangeMethod::kMovingAverage}) {
    CHECK(choose({}, int8_grid(), m) == Range{});
    for (float value : {0.0f, 3.0f, -0.7f}) {
      TensorStatistics s = statistics_of(std::vector<float>(10, value));
      s.average = {value, value};
      for (const IntegerGrid& grid : {int8_grid(), symmetric_int8_grid()}) {
        Range r = choose(s, grid, m);
        CHECK(r.low <= value);
        CHECK(value <= r.high);
        CHECK(r.high - r.low <= 2 * s.histogram.width());
      }
    }
  }
}

TEST_CASE("min-max ends at the next edges, whatever the last bits are") {
  TensorStatistics s = statistics_of({-1.3f, 0.2f, 5.1f});
  double width = s.histogram.width();
  Range r = choose(s, int8_grid(), RangeMethod::kMinMax);
  CHECK(r.low <= -1.3f);
  CHECK(r.low > -1.3f - width);
  CHECK(r.high >= 5.1f);
  CHECK(r.high < 5.1f + width);
  CHECK(std::round(r.low / width) * width == r.low);
  CHECK(choose(statistics_of({-1.3f - 1e-6f, 0.2f, 5.1f + 1e-6f}), int8_grid(), RangeMethod::kMinMax) == r);
}

TEST_CASE("a percentile cuts as many values as it says, of either side or by size") {
  std::vector<float> values = laplace_values(100000, 3), sizes = values;
  for (float& v : values) v = v > 0 ? 2 * v : v;
  TensorStatistics s = statistics_of(values);
  std::ranges::sort(values);
  for (double percentile : {100.0, 99.99, 99.9, 99.0, 90.0}) {
    auto cut = static_cast<size_t>(std::llround(static_cast<double>(values.size()) * (1 - percentile / 100)));
    Range r = choose(s, int8_grid(), RangeMethod::kPercentile, percentile);
    double width = s.histogram.width() * 1.001;
    CHECK(r.low <= values[cut / 2]);
    CHECK(r.high >= values[values.size() - 1 - cut / 2]);
    // Not much wider: the next bin inwards would cut too many.
    CHECK(std::ranges::count_if(values, [&](float v) { return v < r.low + width; }) >= static_cast<int64_t>(cut / 2));
    CHECK(std::ranges::count_if(values, [&](float v) { return v >= r.high - width; }) >= static_cast<int64_t>(cut / 2));
    Range sized = choose(s, symmetric_int8_grid(), RangeMethod::kPercentile, percentile);
    double size = std::max(-sized.low, sized.high);
    auto outside = [&](double x) { return std::ranges::count_if(values, [&](float v) { return std::abs(v) > x; }); };
    CHECK(outside(size) <= static_cast<int64_t>(cut));
    CHECK(outside(size - width) > static_cast<int64_t>(cut) - 1);
  }
}

TEST_CASE("a moving average is taken as it is, to the next edges and no further than what was seen") {
  TensorStatistics s = statistics_of(normal_values(5000, 4));
  double width = s.histogram.width();
  s.average = {-1.01, 2.02};
  Range r = choose(s, int8_grid(), RangeMethod::kMovingAverage);
  CHECK(r.low <= -1.01);
  CHECK(r.low > -1.01 - width);
  CHECK(r.high >= 2.02);
  CHECK(r.high < 2.02 + width);
  s.average = {-100, 100};
  CHECK(choose(s, int8_grid(), RangeMethod::kMovingAverage) == choose(s, int8_grid(), RangeMethod::kMinMax));
}

// Of few values the error is jagged: it depends on how near levels come to the few that lie far out.
TEST_CASE("the least squared error is within a hundredth of what trying all ranges finds, of few values three") {
  for (size_t n : {700UL, 60000UL}) {
    for (const Data& data : activations(n)) {
      TensorStatistics s = statistics_of(data.values);
      for (const IntegerGrid& grid : {int8_grid(), symmetric_int8_grid(), symmetric_int4_grid()}) {
        CAPTURE(data.name);
        CAPTURE(grid.high);
        CAPTURE(n);
        double found = error_of(s, grid, choose(s, grid, RangeMethod::kMse));
        CHECK(found <= least_error_by_trying(s, grid, grid.symmetric ? 400 : 48) * (n < 1000 ? 1.03 : 1.01));
        CHECK(found <= error_of(s, grid, choose(s, grid, RangeMethod::kMinMax)) * 1.0001);
      }
    }
  }
}

TEST_CASE("the expected error is that of quantizing the values themselves") {
  for (const Data& data : activations(30000)) {
    TensorStatistics s = statistics_of(data.values);
    Affine affine = affine_for(choose(s, int8_grid(), RangeMethod::kMse), int8_grid());
    double error = 0, square = 0;
    for (float v : data.values) {
      double gap = v - to_real(to_integer(v, affine, int8_grid()), affine);
      error += gap * gap;
      square += static_cast<double>(v) * v;
    }
    CAPTURE(data.name);
    auto n = static_cast<double>(data.values.size());
    CHECK(expected_error(s.histogram, affine, int8_grid()) == doctest::Approx(error / n).epsilon(0.05));
    CHECK(mean_square(s.histogram) == doctest::Approx(square / n).epsilon(0.01));
  }
}

TEST_CASE("far outliers are cut where that pays, and kept where it does not") {
  std::vector<float> values = normal_values(1000000, 15);
  values[7] = 60;  // a step of 0.25 for all to keep it, or an error of 3000 once
  Range r = choose(statistics_of(values), symmetric_int8_grid(), RangeMethod::kMse);
  CHECK(r.high < 50);
  values[7] = 5.5f;
  CHECK(choose(statistics_of(values), symmetric_int16_grid(), RangeMethod::kMse).high >= 5.5);
}

TEST_CASE("entropy never costs more than twice the least squared error, however peaked the values are") {
  for (size_t n : {700UL, 5000UL, 100000UL}) {
    for (const Data& data : activations(n)) {
      TensorStatistics s = statistics_of(data.values);
      for (const IntegerGrid& grid : {int8_grid(), uint8_grid(), symmetric_int8_grid(), symmetric_int16_grid()}) {
        CAPTURE(data.name);
        CAPTURE(grid.high);
        double least = error_of(s, grid, choose(s, grid, RangeMethod::kMse));
        CHECK(error_of(s, grid, choose(s, grid, RangeMethod::kEntropy)) <= 2.0001 * least);
      }
    }
  }
}

TEST_CASE("entropy clips peaked values with tails, and leaves alone what ends at once") {
  TensorStatistics s = statistics_of(laplace_values(200000, 2));
  Range all = choose(s, symmetric_int8_grid(), RangeMethod::kMinMax);
  Range r = choose(s, symmetric_int8_grid(), RangeMethod::kEntropy);
  CHECK(r.high < 0.9 * all.high);
  CHECK(r.high > 0.3 * all.high);
  uint64_t state = 4;
  std::vector<float> even(200000);
  for (float& v : even) v = static_cast<float>(next_uniform(state) * 3 - 1);
  s = statistics_of(even);
  CHECK(choose(s, int8_grid(), RangeMethod::kEntropy) == choose(s, int8_grid(), RangeMethod::kMinMax));
}

}  // namespace oree
