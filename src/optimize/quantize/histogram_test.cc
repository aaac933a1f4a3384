// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

#include "optimize/quantize/samples_fixture.h"

namespace oree {
namespace {

void check_equal(const Histogram& a, const Histogram& b) {
  CHECK(a.count() == b.count());
  CHECK(a.zeros() == b.zeros());
  CHECK(a.min() == b.min());
  CHECK(a.max() == b.max());
  CHECK(a.reach() == b.reach());
  CHECK(a.bins() == b.bins());
}

Histogram of(const std::vector<float>& values) {
  Histogram h;
  h.add(values);
  return h;
}

// Sizes from tiny to huge, of both signs, zeros among them.
std::vector<float> wild_values(size_t n, uint64_t seed) {
  std::vector<float> values(n);
  for (float& v : values) {
    double size = std::exp(12 * next_normal(seed));
    v = next_uniform(seed) < 0.1 ? 0.0f : static_cast<float>(next_uniform(seed) < 0.5 ? -size : size);
  }
  return values;
}

// Each value's bin found by comparing with edges, in double.
std::vector<uint64_t> bins_by_edges(const Histogram& h, const std::vector<float>& values) {
  std::vector<double> edges;
  for (int b = 0; b <= Histogram::kBins; ++b) edges.push_back(h.edge(b));
  std::vector<uint64_t> bins(Histogram::kBins, 0);
  for (float v : values) {
    auto above = std::upper_bound(edges.begin(), edges.end(), static_cast<double>(v));
    ++bins[static_cast<size_t>(above - edges.begin() - 1)];
  }
  return bins;
}

}  // namespace

TEST_CASE("an empty histogram has no bins, and adding nothing to it leaves it so") {
  Histogram h, other;
  h.add({});
  h.merge(other);
  CHECK(h.empty());
  CHECK(h.bins().empty());
  CHECK(h.min() == 0);
  CHECK(h.max() == 0);
}

TEST_CASE("each value lies in the bin between whose edges it is") {
  for (size_t n : {1UL, 3UL, 255UL, 256UL, 257UL, 5000UL, 40000UL}) {
    for (const std::vector<float>& values :
         {normal_values(n, 1), laplace_values(n, 2, 1e-3f), wild_values(n, 3), normal_values(n, 4, 1e-38f)}) {
      Histogram h = of(values);
      CHECK(h.count() == n);
      CHECK(h.min() == *std::ranges::min_element(values));
      CHECK(h.max() == *std::ranges::max_element(values));
      CHECK(h.zeros() == static_cast<uint64_t>(std::ranges::count(values, 0.0f)));
      CHECK(h.bins() == bins_by_edges(h, values));
    }
  }
}

TEST_CASE("a value on an edge belongs to the bin above it, negative ones too") {
  Histogram h = of({-4.0f, -3.0f, 0.0f, -0.0f, 1.0f, 3.999f});
  CHECK(h.reach() == 4);
  CHECK(h.bins() == bins_by_edges(h, {-4.0f, -3.0f, 0.0f, 0.0f, 1.0f, 3.999f}));
  CHECK(h.bins()[0] == 1);
  CHECK(h.bins()[Histogram::kBins / 2] == 2);
  CHECK(h.zeros() == 2);
  // 4 is outside [-4, 4).
  h.add(std::vector<float>{4.0f});
  CHECK(h.reach() == 8);
  CHECK(h.bins() == bins_by_edges(h, {-4.0f, -3.0f, 0.0f, 0.0f, 1.0f, 3.999f, 4.0f}));
}

TEST_CASE("the reach grows by powers of two, and what was counted before moves to where it had come at once") {
  std::vector<float> values = normal_values(20000, 9, 1e-6f), all;
  Histogram h;
  for (float factor : {1.0f, 10.0f, 1e-3f, 1e4f, 3e7f, 1.0f}) {
    std::vector<float> part = values;
    for (float& v : part) v *= factor;
    h.add(part);
    all.insert(all.end(), part.begin(), part.end());
    check_equal(h, of(all));
    CHECK(h.bins() == bins_by_edges(h, all));
    CHECK(std::exp2(std::ilogb(h.reach())) == h.reach());
    CHECK(h.max() < h.reach());
    CHECK(h.min() >= -h.reach());
    CHECK((h.max() >= h.reach() / 2 || h.min() < -h.reach() / 2));
  }
}

TEST_CASE("the order of values and the cuts between them do not show") {
  std::vector<float> values = wild_values(30000, 11);
  Histogram whole = of(values);
  std::vector<float> sorted = values, reversed = values;
  std::ranges::sort(sorted);
  std::ranges::reverse(reversed);
  check_equal(whole, of(sorted));
  check_equal(whole, of(reversed));
  Histogram pieces;
  uint64_t state = 3;
  for (size_t at = 0; at < values.size();) {
    size_t n = std::min(values.size() - at, static_cast<size_t>(next_uniform(state) * 900));
    pieces.add(std::span(values).subspan(at, n));
    at += n;
  }
  check_equal(whole, pieces);
}

TEST_CASE("merging gives what adding would have given, in any order and with any reach") {
  std::vector<float> a = normal_values(3000, 1, 1e-4f), b = normal_values(3000, 2, 50), c = laplace_values(3000, 3);
  std::vector<float> all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  std::vector<Histogram> parts{of(a), of(b), of(c), Histogram()};
  std::vector<size_t> order{0, 1, 2, 3};
  do {
    Histogram merged;
    for (size_t i : order) merged.merge(parts[i]);
    check_equal(merged, of(all));
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("as many threads as there may be count the same") {
  std::vector<float> values = laplace_values(100000, 21);
  Histogram whole = of(values);
  for (size_t threads : {2UL, 3UL, 7UL}) {
    std::vector<Histogram> parts(threads);
    std::vector<std::thread> running;
    for (size_t t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        size_t begin = values.size() * t / threads, end = values.size() * (t + 1) / threads;
        parts[t].add(std::span(values).subspan(begin, end - begin));
      });
    }
    for (std::thread& t : running) t.join();
    Histogram merged;
    for (const Histogram& p : parts) merged.merge(p);
    check_equal(merged, whole);
  }
}

TEST_CASE("values as large and as small as floats are fit in") {
  Histogram h = of({3.4e38f, -3.4e38f, 1e-45f, -1e-45f});
  CHECK(h.reach() == 0x1p128);
  CHECK(h.count() == 4);
  CHECK(h.bins()[Histogram::kBins / 2] == 1);
  CHECK(h.bins()[Histogram::kBins / 2 - 1] == 1);
  Histogram tiny = of({1e-45f, 1e-40f});
  CHECK(tiny.width() > 0);
  CHECK(tiny.count() == 2);
}

TEST_CASE("of many values a quarter is counted, four turns count all, and the ends are all's") {
  std::vector<float> values(1 << 18);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i / 256 % 4) + 0.5F;
  values[77] = -3;
  values.back() = 99;
  const Histogram whole = of(values);
  Histogram all;
  for (uint64_t turn = 0; turn < 4; ++turn) {
    Histogram h, again;
    h.add_some(values, Histogram::ends_of(values), turn);
    again.add_some(values, Histogram::ends_of(values), turn);
    check_equal(h, again);
    CHECK(h.min() == -3);
    CHECK(h.max() == 99);
    CHECK(h.count() == values.size());  // a quarter, four times
    CHECK(std::accumulate(h.bins().begin(), h.bins().end(), uint64_t{0}) == h.count());
    // What repeats with every four blocks, as a picture's rows may, is met in each turn.
    for (int row = 0; row < 4; ++row) {
      const auto bin = static_cast<size_t>((row + 0.5 + h.reach()) / h.width());
      CHECK(static_cast<double>(h.bins()[bin]) == doctest::Approx(static_cast<double>(h.count()) / 4).epsilon(0.25));
    }
    all.merge(h);
  }
  CHECK(all.count() == 4 * whole.count());
  for (size_t b = 0; b < whole.bins().size(); ++b) REQUIRE(all.bins()[b] == 4 * whole.bins()[b]);
  const std::span<const float> few(values.data(), 1000);
  Histogram small;
  small.add_some(few, Histogram::ends_of(few), 3);
  CHECK(small.count() == 1000);
}

}  // namespace oree
