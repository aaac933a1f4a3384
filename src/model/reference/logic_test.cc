// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "model/reference/kernel_fixture.h"

namespace oree {

TEST_CASE("truth operators broadcast") {
  Tensor a = bools({2, 1}, {0, 1}), b = bools({3}, {0, 1, 1});
  check_equal(run_op("And", {a, b}), bools({2, 3}, {0, 0, 0, 0, 1, 1}));
  check_equal(run_op("Or", {a, b}), bools({2, 3}, {0, 1, 1, 1, 1, 1}));
  check_equal(run_op("Xor", {a, b}), bools({2, 3}, {0, 1, 1, 1, 0, 0}));
  check_equal(run_op("Not", {a}), bools({2, 1}, {1, 0}));
  CHECK(code_of("And", {floats({1}, {1}), a}) == Code::kInvalid);
  CHECK(code_of("And", {bools({2}, {0, 0}), b}) == Code::kInvalid);
}

TEST_CASE("comparisons are exact for 64-bit integers and false for NaN") {
  Tensor a = ints({3}, {INT64_MAX, INT64_MAX - 1, INT64_MIN}), b = ints({3}, {INT64_MAX - 1, INT64_MAX - 1, 0});
  check_equal(run_op("Greater", {a, b}), bools({3}, {1, 0, 0}));
  check_equal(run_op("GreaterOrEqual", {a, b}), bools({3}, {1, 1, 0}));
  check_equal(run_op("Less", {a, b}), bools({3}, {0, 0, 1}));
  check_equal(run_op("LessOrEqual", {a, b}), bools({3}, {0, 1, 1}));
  check_equal(run_op("Equal", {a, b}), bools({3}, {0, 1, 0}));
  Tensor nan = floats({1}, {NAN});
  check_equal(run_op("Equal", {nan, nan}), bools({1}, {0}));
  CHECK(code_of("Equal", {a, nan}) == Code::kInvalid);
}

TEST_CASE("NaN and infinity are told apart, by sign where asked") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Tensor x = floats({4}, {NAN, kInf, -kInf, 1});
  check_equal(run_op("IsNaN", {x}), bools({4}, {1, 0, 0, 0}));
  check_equal(run_op("IsInf", {x}), bools({4}, {0, 1, 1, 0}));
  check_equal(run_op("IsInf", {x}, {{"detect_negative", int64_t{0}}}), bools({4}, {0, 1, 0, 0}));
  check_equal(run_op("IsInf", {x}, {{"detect_positive", int64_t{0}}}), bools({4}, {0, 0, 1, 0}));
}

TEST_CASE("bits of narrow integers stay within their width") {
  Tensor a = tensor_of(Dtype::kInt8, {2}, {-1, 6}), b = tensor_of(Dtype::kInt8, {2}, {5, 3});
  check_equal(run_op("BitwiseAnd", {a, b}), tensor_of(Dtype::kInt8, {2}, {5, 2}));
  check_equal(run_op("BitwiseOr", {a, b}), tensor_of(Dtype::kInt8, {2}, {-1, 7}));
  check_equal(run_op("BitwiseXor", {a, b}), tensor_of(Dtype::kInt8, {2}, {-6, 5}));
  check_equal(run_op("BitwiseNot", {a}), tensor_of(Dtype::kInt8, {2}, {0, -7}));
  Tensor c = tensor_of(Dtype::kUint8, {3}, {129, 129, 129}), by = tensor_of(Dtype::kUint8, {3}, {1, 8, 200});
  check_equal(run_op("BitShift", {c, by}, {{"direction", std::string("LEFT")}}),
              tensor_of(Dtype::kUint8, {3}, {2, 0, 0}));
  check_equal(run_op("BitShift", {c, by}, {{"direction", std::string("RIGHT")}}),
              tensor_of(Dtype::kUint8, {3}, {64, 0, 0}));
  CHECK(code_of("BitShift", {c, by}) == Code::kInvalid);
  Tensor d = tensor_of(Dtype::kInt8, {4}, {-128, -128, -1, 64}), more = tensor_of(Dtype::kInt8, {4}, {1, 8, -1, 1});
  check_equal(run_op("BitShift", {d, more}, {{"direction", std::string("LEFT")}}),
              tensor_of(Dtype::kInt8, {4}, {0, 0, 0, -128}));
  check_equal(run_op("BitShift", {d, more}, {{"direction", std::string("RIGHT")}}),
              tensor_of(Dtype::kInt8, {4}, {-64, -1, -1, 32}));
}

TEST_CASE("Where takes any type, 4-bit integers included") {
  Tensor c = bools({3}, {1, 0, 1});
  Tensor a = tensor_of(Dtype::kInt4, {2, 3}, {1, 2, 3, -4, -5, -6}), b = tensor_of(Dtype::kInt4, {1}, {7});
  check_equal(run_op("Where", {c, a, b}), tensor_of(Dtype::kInt4, {2, 3}, {1, 7, 3, -4, 7, -6}));
  CHECK(code_of("Where", {c, a, std::nullopt}) == Code::kInvalid);
}

}  // namespace oree
