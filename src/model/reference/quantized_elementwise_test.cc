// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here a few numbers that it gave (or LiteRT, of what it has
// not), and what is refused.
#include <doctest/doctest.h>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor int8s(const std::vector<double>& values) {
  return tensor_of(Dtype::kInt8, {static_cast<int64_t>(values.size())}, values);
}

TEST_CASE("a quantized quotient equals that of TensorFlow Lite Micro") {
  Scaled a{int8s({7, 6, 4, 127}), 0.1F, 5}, b{int8s({10, -20, 1, 127}), 0.05F, 0};
  Result<Tensor> y = run_scaled("Div", "", {a, b}, {Tensor(Dtype::kInt8, {4}), 0.01F, -3});
  REQUIRE(y.ok());
  check_equal(*y, int8s({37, -13, -128, 127}));
}

TEST_CASE("a quantized quotient far below its step is nothing, a division by zero is refused") {
  Scaled a{int8s({1, 0}), 1e-6F, 0}, b{int8s({127, 127}), 1, 0};
  Result<Tensor> y = run_scaled("Div", "", {a, b}, {Tensor(Dtype::kInt8, {2}), 1, 7});
  REQUIRE(y.ok());
  check_equal(*y, int8s({7, 7}));
  y = run_scaled("Div", "", {b, a}, {Tensor(Dtype::kInt8, {2}), 1, 7});
  REQUIRE_FALSE(y.ok());
  CHECK(y.error().code() == Code::kInvalid);
}

TEST_CASE("quantized roots and logarithms equal those of LiteRT") {
  Result<Tensor> y =
      run_scaled("Sqrt", "", {{int8s({-100, 0, 50, 127}), 0.5F, -100}}, {int8s({0, 0, 0, 0}), 0.1F, -100});
  REQUIRE(y.ok());
  check_equal(*y, int8s({-100, -30, -14, 6}));
  y = run_scaled("Log", "", {{int8s({-101, -100, -99, 127}), 0.5F, -100}}, {int8s({0, 0, 0, 0}), 0.1F, -100});
  REQUIRE(y.ok());
  check_equal(*y, int8s({-128, -128, -107, -53}));
  CHECK_FALSE(run_scaled("Sqrt", "", {{int8s({-101}), 0.5F, -100}}, {int8s({0}), 0.1F, -100}).ok());
}

TEST_CASE("scales and zero points of a hostile file end quotients, roots and logarithms in numbers") {
  for (float scale : {-1.0F, 1e-38F, 3e38F, std::nanf(""), INFINITY}) {
    for (int64_t zero : {int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
      Scaled x{int8s({-128, 0, 127}), scale, zero}, low{x.tensor, scale, -200};
      CHECK(run_scaled("Div", "", {x, low}, x).ok());
      CHECK(run_scaled("Div", "", {low, x}, low).ok());
      CHECK(run_scaled("Sqrt", "", {low}, x).ok());
      CHECK(run_scaled("Log", "", {x}, low).ok());
    }
  }
}

}  // namespace
}  // namespace oree
