// SPDX-License-Identifier: Apache-2.0
#include "core/base/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/base/limits.h"

using namespace oree;

TEST_CASE("a shape's elements are counted, and bounded before anything is allocated") {
  CHECK(shape_elements({}).value() == 1);
  CHECK(shape_elements({2, 3, 4}).value() == 24);
  CHECK(shape_elements({2, 0}).value() == 0);
  CHECK(shape_elements({kTensorElementsMax}).value() == kTensorElementsMax);
  CHECK_FALSE(shape_elements({kTensorElementsMax, 2}).ok());
  CHECK_FALSE(shape_elements({INT64_MAX, INT64_MAX}).ok());
  CHECK_FALSE(shape_elements({0, INT64_MAX, 2}).ok());
  CHECK_FALSE(shape_elements({-1}).ok());
  CHECK_FALSE(shape_elements(Shape(33, 1)).ok());
  CHECK(shape_text({1, -1, 3}) == "1x?x3");
  CHECK(shape_text({}) == "scalar");
}

TEST_CASE("a tensor takes exactly the bytes that its shape asks for") {
  CHECK(Tensor::from_bytes(Dtype::kInt16, {2}, Bytes{1, 0, 255, 255}).value().to_doubles() ==
        std::vector<double>{1, -1});
  CHECK(Tensor::from_bytes(Dtype::kInt16, {2}, Bytes{1, 0, 255}).error().code() == Code::kInvalid);
  CHECK(Tensor(Dtype::kFloat64, {3}).byte_size() == 24);
}

TEST_CASE("every type widens to double") {
  for (int i = 0; i <= static_cast<int>(Dtype::kBool); ++i) {
    auto dtype = static_cast<Dtype>(i);
    CHECK(dtype_from_name(dtype_name(dtype)).value() == dtype);
    CHECK(Tensor(dtype, {2}).to_doubles() == std::vector<double>{0, 0});
  }
  CHECK(Tensor::from_bytes(Dtype::kFloat16, {1}, Bytes{0x00, 0x3c}).value().to_doubles()[0] == 1.0);
  CHECK(Tensor::from_bytes(Dtype::kInt8, {1}, Bytes{0xff}).value().to_doubles()[0] == -1.0);
  CHECK_FALSE(dtype_from_name("complex64").ok());
}

TEST_CASE("every half survives the way to float and back") {
  for (uint32_t h = 0; h <= 0xffff; ++h) {
    auto half = static_cast<uint16_t>(h);
    float f = half_to_float(half);
    if (std::isnan(f)) {
      CHECK(std::isnan(half_to_float(float_to_half(f))));
    } else if (float_to_half(f) != half) {
      CAPTURE(h);
      CHECK(float_to_half(f) == half);
    }
  }
}

TEST_CASE("floats round to the nearest half, ties to even") {
  CHECK(float_to_half(1.0f) == 0x3c00);
  CHECK(float_to_half(-2.0f) == 0xc000);
  CHECK(float_to_half(65504.0f) == 0x7bff);
  CHECK(float_to_half(65519.996f) == 0x7bff);
  CHECK(float_to_half(65520.0f) == 0x7c00);
  CHECK(float_to_half(1.0f + 0x1p-11f) == 0x3c00);
  CHECK(float_to_half(1.0f + 3 * 0x1p-11f) == 0x3c02);
  CHECK(float_to_half(0x1p-25f) == 0);
  CHECK(float_to_half(0x1.8p-25f) == 1);
  CHECK(float_to_half(-0.0f) == 0x8000);
  CHECK(float_to_half(std::numeric_limits<float>::infinity()) == 0x7c00);
  // Between neighbours the nearest wins: checked against doubles over the subnormal and normal range.
  for (uint32_t h = 0; h < 0x7bff; h += 7) {
    double a = half_to_float(static_cast<uint16_t>(h));
    double b = half_to_float(static_cast<uint16_t>(h + 1));
    CHECK(float_to_half(static_cast<float>(a + (b - a) * 0.25)) == h);
    CHECK(float_to_half(static_cast<float>(a + (b - a) * 0.75)) == h + 1);
    CHECK(float_to_half(static_cast<float>(a + (b - a) * 0.5)) == h + (h & 1));
  }
}

TEST_CASE("bfloat16 keeps the upper half of a float, rounded to even") {
  CHECK(float_to_bfloat(1.0f) == 0x3f80);
  CHECK(float_to_bfloat(1.0f + 0x1p-8f) == 0x3f80);
  CHECK(float_to_bfloat(1.0f + 3 * 0x1p-8f) == 0x3f82);
  CHECK(float_to_bfloat(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(std::isnan(bfloat_to_float(float_to_bfloat(std::numeric_limits<float>::quiet_NaN()))));
  for (uint32_t b = 0; b < 0x7f80; b += 3) {
    CHECK(float_to_bfloat(bfloat_to_float(static_cast<uint16_t>(b))) == b);
  }
}

TEST_CASE("4-bit integers lie two a byte, the first in the low half") {
  Tensor t = Tensor::from_bytes(Dtype::kInt4, {3}, Bytes{0x81, 0x0f}).value();
  CHECK(t.to_doubles() == std::vector<double>{1, -8, -1});
  CHECK(Tensor(Dtype::kUint4, {5}).byte_size() == 3);
  CHECK_FALSE(Tensor::from_bytes(Dtype::kInt4, {3}, Bytes{0x81}).ok());
}
