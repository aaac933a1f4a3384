// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here a few numbers that it gave, and what is refused.
#include <doctest/doctest.h>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor int8s(Shape shape, const std::vector<double>& values) {
  return tensor_of(Dtype::kInt8, std::move(shape), values);
}

TEST_CASE("a quantized sum equals that of TensorFlow Lite Micro, zero point and all") {
  Scaled a{int8s({4}, {5, -100, 50, 127}), 0.1F, 5}, b{int8s({4}, {5, 20, 50, 127}), 0.1F, 5};
  Result<Tensor> y = run_scaled("Sum", "", {a, b}, {Tensor(Dtype::kInt8, {4}), 0.15F, -3});
  REQUIRE(y.ok());
  check_equal(*y, int8s({4}, {-6, -66, 54, 127}));
}

TEST_CASE("a quantized running sum equals that of TensorFlow Lite Micro") {
  Scaled x{int8s({2, 3}, {5, 15, 25, -100, 40, 60}), 0.1F, 5}, axis{ints({}, {1})};
  const Scaled out{Tensor(Dtype::kInt8, {2, 3}), 0.15F, -3};
  auto run = [&](Attributes attributes) {
    Result<Tensor> y = run_scaled("CumSum", "", {x, axis}, out, std::move(attributes));
    REQUIRE(y.ok());
    return *y;
  };
  check_equal(run({}), int8s({2, 3}, {-6, 0, 14, -76, -53, -16}));
  check_equal(run({{"exclusive", int64_t{1}}}), int8s({2, 3}, {-6, -6, 0, -6, -76, -53}));
  check_equal(run({{"reverse", int64_t{1}}}), int8s({2, 3}, {14, 14, 7, -16, 54, 30}));
}

TEST_CASE("quantized sums of other scales, types or shapes are refused") {
  const Scaled x{Tensor(Dtype::kInt8, {4}), 0.1F, 5}, out{Tensor(Dtype::kInt8, {4}), 0.1F, 5};
  for (const Scaled& other :
       {Scaled{x.tensor, 0.2F, 5}, Scaled{x.tensor, 0.1F, 4}, Scaled{Tensor(Dtype::kInt8, {1}), 0.1F, 5},
        Scaled{Tensor(Dtype::kInt16, {4}), 0.1F, 5}}) {
    Result<Tensor> y = run_scaled("Sum", "", {x, other}, out);
    REQUIRE_FALSE(y.ok());
    CHECK(y.error().code() == Code::kUnsupported);
  }
  const Scaled wide{Tensor(Dtype::kInt16, {4}), 0.1F, 0};
  CHECK_FALSE(run_scaled("CumSum", "", {wide, {ints({}, {0})}}, wide).ok());
}

TEST_CASE("scales of a hostile file end quantized sums in numbers or an error") {
  for (float scale : {-1.0F, 1e-38F, 3e38F, std::nanf(""), INFINITY}) {
    for (int64_t zero : {int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
      Scaled x{int8s({3}, {-128, 0, 127}), scale, zero};
      // A NaN is no scale equal to another.
      CHECK(run_scaled("Sum", "", {x, x, x}, {x.tensor, 0.1F, zero}).ok() == !std::isnan(scale));
      CHECK(run_scaled("CumSum", "", {x, {ints({}, {0})}}, {x.tensor, scale, zero}).ok());
    }
  }
}

}  // namespace
}  // namespace oree
