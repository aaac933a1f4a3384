// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats/histogram.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "monitor/stats/test_values.h"

using namespace oree;

namespace {

std::vector<double> sequence(uint64_t seed, int n, const std::function<double(double)>& shape) {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) out.push_back(shape(next_unit(seed)));
  return out;
}

}  // namespace

TEST_CASE("the Wasserstein distance equals SciPy's on the bin centres, and nearly its on the raw samples") {
  auto a = confidences(sequence(1, 5000, [](double u) { return std::pow(u, 0.25); }));
  auto b = confidences(sequence(2, 3000, [](double u) { return std::pow(u, 0.5); }));
  double distance = wasserstein(a, b).value();
  CHECK(distance == doctest::Approx(0.13291171875000002).epsilon(1e-12));  // scipy.stats.wasserstein_distance
  CHECK(std::abs(distance - 0.13295115392974458) < 1e-3);
  CHECK(wasserstein(a, a).value() == 0);
  CHECK(wasserstein(b, a).value() == distance);
  CHECK_FALSE(wasserstein(a, ConfidenceHistogram()).ok());
}

TEST_CASE("confidences out of range are clamped and NaN is not counted") {
  ConfidenceHistogram h;
  h.add(-1);
  h.add(2);
  h.add(1.0);
  h.add(std::numeric_limits<double>::quiet_NaN());
  CHECK(h.count() == 3);
  CHECK(h.bins()[0] == 1);
  CHECK(h.bins()[255] == 2);
}

TEST_CASE("confidence histograms merge exactly and survive JSON") {
  auto values = sequence(4, 1000, [](double u) { return u; });
  ConfidenceHistogram left, right;
  for (size_t i = 0; i < values.size(); ++i) (i % 3 ? left : right).add(values[i]);
  left.merge(right);
  CHECK(left == confidences(values));
  CHECK(ConfidenceHistogram::from_json(Json::parse(left.to_json().dump()).value()).value() == left);
}

TEST_CASE("a confidence histogram whose total lies is refused") {
  for (const char* text : {R"({"n":2,"bins":{"1":1}})", R"({"n":1,"bins":{"256":1}})", R"({"n":1,"bins":{"-1":1}})",
                           R"({"n":1,"bins":{"1":-1}})", R"({"n":1,"bins":{"x":1}})", R"({"n":1})", "[]"}) {
    CAPTURE(text);
    CHECK_FALSE(ConfidenceHistogram::from_json(Json::parse(text).value()).ok());
  }
}

TEST_CASE("percentiles of the exponential histogram lie within one bucket of NumPy's") {
  ExponentialHistogram h;
  for (double v : sequence(3, 20000, [](double u) { return 5.0 * std::exp(2 * u * u); })) h.add(v);
  double width = std::exp2(std::ldexp(1.0, -h.scale()));  // ratio of a bucket's bounds
  CHECK(width < 1.03);                                    // 2.9 octaves in 160 buckets: scale 5
  CHECK(h.quantile(0.50) == doctest::Approx(8.113098884004252).epsilon(width - 1));
  CHECK(h.quantile(0.95) == doctest::Approx(30.23403268283019).epsilon(width - 1));
  CHECK(h.quantile(0.99) == doctest::Approx(35.57182910451205).epsilon(width - 1));
  CHECK(h.mean() == doctest::Approx(11.710615171559468).epsilon(1e-9));
  CHECK(h.quantile(0) >= h.min());
  CHECK(h.quantile(1) == h.max());
}

TEST_CASE("an exact power of the base falls in the bucket below it, as OpenTelemetry says") {
  for (int scale_steps : {0, 5}) {
    ExponentialHistogram h;
    h.add(1.0);
    h.add(2.0);
    if (scale_steps) {
      h.add(1e-9);
      h.add(1e9);
    }
    CAPTURE(h.scale());
    // 2.0 = base^(2^scale): index 2^scale - 1; 1.0 = base^0: index -1.
    int64_t index_of_two = h.scale() >= 0 ? (int64_t{1} << h.scale()) - 1 : 0;
    CHECK(h.buckets().count(static_cast<int32_t>(index_of_two)) == 1);
    CHECK(h.buckets().count(-1) == 1);
  }
}

TEST_CASE("merging exponential histograms gives the same as adding everything to one") {
  auto values = sequence(9, 3000, [](double u) { return 0.01 * std::exp(12 * u); });
  ExponentialHistogram all, left, right;
  for (size_t i = 0; i < values.size(); ++i) {
    all.add(values[i]);
    (values[i] < 3 ? left : right).add(values[i]);
  }
  left.merge(right);
  CHECK(left.scale() == all.scale());
  CHECK(left.buckets() == all.buckets());
  CHECK(left.count() == all.count());
  CHECK(left.min() == all.min());
  CHECK(left.max() == all.max());
  CHECK(static_cast<int>(all.buckets().size()) <= ExponentialHistogram::kBucketsMax);
}

TEST_CASE("zero, negative and not finite values are held apart") {
  ExponentialHistogram h;
  h.add(0);
  h.add(-3);
  h.add(std::numeric_limits<double>::infinity());
  h.add(7);
  CHECK(h.count() == 3);
  CHECK(h.zero_count() == 2);
  CHECK(h.min() == -3);
  CHECK(h.quantile(0.5) <= 0);
  CHECK(h.quantile(1) == 7);
}

TEST_CASE("the whole range of doubles fits in 160 buckets") {
  ExponentialHistogram h;
  for (double v : {std::numeric_limits<double>::denorm_min(), 1e-300, 1.0, 1e300, std::numeric_limits<double>::max()})
    h.add(v);
  CHECK(h.count() == 5);
  CHECK(static_cast<int>(h.buckets().size()) <= ExponentialHistogram::kBucketsMax);
  auto back = ExponentialHistogram::from_json(Json::parse(h.to_json().dump()).value());
  CHECK(back.value() == h);
}

TEST_CASE("an exponential histogram whose total lies is refused") {
  for (const char* text : {R"({"n":3,"zero":0,"sum":1,"min":1,"max":1,"scale":3,"buckets":{"0":1}})",
                           R"({"n":1,"zero":0,"sum":1,"min":2,"max":1,"scale":3,"buckets":{"0":1}})",
                           R"({"n":1,"zero":0,"sum":1,"min":1,"max":1,"scale":30,"buckets":{"0":1}})",
                           R"({"n":1,"zero":0,"sum":null,"min":1,"max":1,"scale":3,"buckets":{"0":1}})", R"({})"}) {
    CAPTURE(text);
    CHECK_FALSE(ExponentialHistogram::from_json(Json::parse(text).value()).ok());
  }
}
