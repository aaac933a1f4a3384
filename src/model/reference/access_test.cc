// SPDX-License-Identifier: Apache-2.0
#include "model/reference/access.h"

#include <limits>

#include "model/reference/kernel_fixture.h"
#include "model/reference/shapes.h"

namespace oree {

TEST_CASE("reals become integers truncated and saturated, and NaN 0") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::vector<double> values{1.9, -1.9, 300, -300, NAN, kInf, -kInf, 127.99};
  check_equal(tensor_of(Dtype::kInt8, {8}, values),
              tensor_of(Dtype::kInt8, {8}, {1, -1, 127, -128, 0, 127, -128, 127}));
  check_equal(tensor_of(Dtype::kUint8, {8}, values), tensor_of(Dtype::kUint8, {8}, {1, 0, 255, 0, 0, 255, 0, 127}));
  check_equal(tensor_of(Dtype::kInt4, {8}, values), tensor_of(Dtype::kInt4, {8}, {1, -1, 7, -8, 0, 7, -8, 7}));
  Tensor wide(Dtype::kInt64, {2});
  narrow<double>(std::vector<double>{1e30, -1e30}, wide);
  CHECK(wide.as<int64_t>()[0] == INT64_MAX);
  CHECK(wide.as<int64_t>()[1] == INT64_MIN);
  narrow<float>(std::vector<float>{0x1p63f, -0x1p63f}, wide);
  CHECK(wide.as<int64_t>()[0] == INT64_MAX);
  CHECK(wide.as<int64_t>()[1] == INT64_MIN);
}

TEST_CASE("integers wrap, and bool asks whether it is not 0") {
  Tensor narrowed(Dtype::kInt8, {3});
  narrow<int64_t>(std::vector<int64_t>{128, -129, 257}, narrowed);
  check_equal(narrowed, tensor_of(Dtype::kInt8, {3}, {-128, 127, 1}));
  Tensor nibbles(Dtype::kInt4, {3});
  narrow<int64_t>(std::vector<int64_t>{8, -9, 17}, nibbles);
  check_equal(nibbles, tensor_of(Dtype::kInt4, {3}, {-8, 7, 1}));
  Tensor truth(Dtype::kBool, {3});
  narrow<float>(std::vector<float>{0.25f, -0.0f, NAN}, truth);
  check_equal(truth, bools({3}, {1, 0, 1}));
}

TEST_CASE("a double becomes a short float in one rounding") {
  // 1 + 2^-11 lies between two float16; a little more must go up, though it is 1 + 2^-11 as a float.
  Tensor half(Dtype::kFloat16, {3});
  narrow<double>(std::vector<double>{1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 1e300}, half);
  CHECK(half.to_doubles()[0] == 1.0);
  CHECK(half.to_doubles()[1] == 1 + 0x1p-10);
  CHECK(std::isinf(half.to_doubles()[2]));
}

TEST_CASE("4-bit elements are moved one by one") {
  Tensor from = tensor_of(Dtype::kInt4, {5}, {1, -2, 3, -4, 5}), to(Dtype::kInt4, {5});
  Mover(from, to).copy(0, 1, 4);
  check_equal(to, tensor_of(Dtype::kInt4, {5}, {-2, 3, -4, 5, 0}));
}

TEST_CASE("a walk visits every place in order, each operand by its strides") {
  Shape shape{2, 3};
  std::vector<int64_t> a, b;
  for (Walk w(shape, {broadcast_strides({3}, shape), broadcast_strides({2, 1}, shape)}); !w.done(); w.next()) {
    a.push_back(w.at(0));
    b.push_back(w.at(1));
  }
  CHECK(a == std::vector<int64_t>{0, 1, 2, 0, 1, 2});
  CHECK(b == std::vector<int64_t>{0, 0, 0, 1, 1, 1});
  CHECK(Walk({2, 0}, {}).done());
  Walk scalar({}, {});
  CHECK(!scalar.done());
  scalar.next();
  CHECK(scalar.done());
}

}  // namespace oree
