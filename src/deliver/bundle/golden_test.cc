// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/golden.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "deliver/bundle/test_bundle.h"

using namespace oree;
using namespace oree::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("relative error is the largest difference over the expected range") {
  TensorDifference d = compare_tensors(floats({0, 5, 10.5f}), floats({0, 5, 10}));
  CHECK(d.problem.empty());
  CHECK(d.relative_error == doctest::Approx(0.05));
  CHECK(d.cosine == doctest::Approx((25 + 105) / (std::sqrt(25 + 110.25) * std::sqrt(125.0))));
  CHECK(compare_tensors(floats({1, 2}), floats({1, 2})).relative_error == 0);
}

TEST_CASE("a flat expectation is measured by its magnitude, a zero one absolutely") {
  CHECK(compare_tensors(floats({4, 4.4f}), floats({4, 4})).relative_error == doctest::Approx(0.1));
  CHECK(compare_tensors(floats({0, 0.25f}), floats({0, 0})).relative_error == doctest::Approx(0.25));
  CHECK(compare_tensors(floats({0, 0.25f}), floats({0, 0})).cosine == 0);
  CHECK(compare_tensors(floats({0, 0}), floats({0, 0})).cosine == 1);
  CHECK(compare_tensors(floats({}), floats({})).problem.empty());
}

TEST_CASE("a NaN or an infinity must stand where it is expected") {
  CHECK(compare_tensors(floats({1, kNan}), floats({1, 2})).problem == "nan at element 1, expected 2");
  CHECK_FALSE(compare_tensors(floats({1, 2}), floats({1, kNan})).problem.empty());
  CHECK_FALSE(compare_tensors(floats({kInf, 2}), floats({-kInf, 2})).problem.empty());
  CHECK_FALSE(compare_tensors(floats({kNan, 2}), floats({kInf, 2})).problem.empty());
  TensorDifference d = compare_tensors(floats({kNan, kInf, 1, 2}), floats({kNan, kInf, 1, 2}));
  CHECK(d.problem.empty());
  CHECK(d.relative_error == 0);
  CHECK(d.cosine == doctest::Approx(1));
}

TEST_CASE("another shape or type is a mismatch") {
  CHECK(compare_tensors(floats({1}), floats({1, 2})).problem == "shape 1, expected 2");
  CHECK(compare_tensors(Tensor(Dtype::kInt32, {2}), floats({1, 2})).problem == "type int32, expected float32");
}

TEST_CASE("both rules must hold, and the verdict names the tensor") {
  GoldenRules rules;
  rules.relative_error_max = 0.1;
  rules.cosine_min = 0.99;
  NamedTensors expected{{"a", floats({0, 1})}, {"b", floats({0, 1})}};
  GoldenVerdict good =
      compare_golden({{"b", floats({0, 1.05f})}, {"a", floats({0, 1})}, {"c", floats({9})}}, expected, rules);
  CHECK(good.passed);
  CHECK(good.tensor == "b");
  CHECK(good.relative_error == doctest::Approx(0.05));
  GoldenVerdict off = compare_golden({{"a", floats({0, 1})}, {"b", floats({0, 1.2f})}}, expected, rules);
  CHECK_FALSE(off.passed);
  CHECK(off.tensor == "b");
  CHECK(off.reason == "output b: relative error 0.2 is over 0.1");
  rules.relative_error_max = 10;
  GoldenVerdict turned = compare_golden({{"a", floats({1, 0})}, {"b", floats({0, 1})}}, expected, rules);
  CHECK_FALSE(turned.passed);
  CHECK(turned.tensor == "a");
  CHECK(turned.cosine == doctest::Approx(0));
  CHECK_FALSE(compare_golden({{"a", floats({0, 1})}}, expected, rules).passed);
  CHECK_FALSE(compare_golden({{"a", floats({0, 1})}}, {}, rules).passed);
}

TEST_CASE("golden samples load from an unpacked bundle, and broken ones are refused with their file") {
  FakeFiles files;
  put_small_bundle(files);
  REQUIRE(unpack_bundle(files, "b.oree", {public_key(key_of(1))}, "slot").ok());
  auto sample = load_golden(files, "slot", 0);
  REQUIRE(sample.ok());
  REQUIRE(sample->inputs.size() == 1);
  CHECK(sample->inputs[0].name == "x");
  CHECK(sample->expected[0].tensor == floats({2, 4, 6}));
  CHECK(load_golden(files, "slot", 1).error().code() == Code::kNotFound);
  std::string npz = files.text("slot/golden/0.expected.npz");
  for (size_t size = 0; size < npz.size(); ++size) {
    files.put("slot/golden/0.expected.npz", npz.substr(0, size));
    auto cut = load_golden(files, "slot", 0);
    REQUIRE_FALSE(cut.ok());
    CHECK(cut.error().code() == Code::kInvalid);
    CHECK(cut.error().message().find("slot/golden/0.expected.npz") != std::string::npos);
  }
}
