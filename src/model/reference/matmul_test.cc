// SPDX-License-Identifier: Apache-2.0
// Products of matrices, and Einsum. Expected values: by hand.
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor u8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kUint8, std::move(shape), values); }
Tensor i8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kInt8, std::move(shape), values); }
Tensor i32(Shape shape, const std::vector<double>& values) {
  return tensor_of(Dtype::kInt32, std::move(shape), values);
}
Attributes equation(const char* text) { return {{"equation", std::string(text)}}; }

}  // namespace

TEST_CASE("MatMul takes vectors, matrices and stacks that broadcast") {
  Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 0, 0, 1, 1, 1});
  check_equal(run_op("MatMul", {a, b}), floats({2, 2}, {4, 5, 10, 11}));
  check_equal(run_op("MatMul", {floats({3}, {1, 2, 3}), b}), floats({2}, {4, 5}));
  check_equal(run_op("MatMul", {a, floats({3}, {1, 0, 1})}), floats({2}, {4, 10}));
  check_equal(run_op("MatMul", {floats({2}, {1, 2}), floats({2}, {3, 4})}), floats({}, {11}));
  Tensor stack = floats({2, 1, 1, 2}, {1, 1, 2, 2}), other = floats({3, 2, 1}, {1, 2, 3, 4, 5, 6});
  check_equal(run_op("MatMul", {stack, other}), floats({2, 3, 1, 1}, {3, 7, 11, 6, 14, 22}));
  check_equal(run_op("MatMul", {floats({2, 0}, {}), floats({0, 1}, {})}), floats({2, 1}, {0, 0}));
  check_equal(run_op("MatMul", {i32({1, 2}, {2147483647, 1}), i32({2, 1}, {1, 1})}), i32({1, 1}, {-2147483648.0}));
  CHECK(code_of("MatMul", {a, a}) == Code::kInvalid);
  CHECK(code_of("MatMul", {a, floats({}, {1})}) == Code::kInvalid);
  CHECK(code_of("MatMul", {floats({2, 1, 1}, {1, 1}), floats({3, 1, 1}, {1, 1, 1})}) == Code::kInvalid);
}

TEST_CASE("Gemm turns its operands, scales, and adds what broadcasts") {
  Tensor a = floats({3, 2}, {1, 4, 2, 5, 3, 6}), b = floats({2, 3}, {1, 0, 1, 0, 1, 1});
  Attributes turned{{"transA", int64_t{1}}, {"transB", int64_t{1}}};
  check_equal(run_op("Gemm", {a, b}, turned), floats({2, 2}, {4, 5, 10, 11}));
  turned["alpha"] = 0.5f;
  turned["beta"] = 2.0f;
  check_equal(run_op("Gemm", {a, b, floats({2, 1}, {1, 2})}, turned), floats({2, 2}, {4, 4.5, 9, 9.5}));
  check_equal(run_op("Gemm", {i32({1, 1}, {3}), i32({1, 1}, {4}), i32({}, {5})}), i32({1, 1}, {17}));
  check_equal(run_op("Gemm", {i32({1, 1}, {-3}), i32({1, 1}, {4})}, {{"alpha", 0.5f}}), i32({1, 1}, {-6}));
  CHECK(code_of("Gemm", {a, b, floats({3}, {1, 2, 3})}, turned) == Code::kInvalid);
  CHECK(code_of("Gemm", {floats({2}, {1, 2}), b}) == Code::kInvalid);
}

TEST_CASE("products of quantized integers take zero points off") {
  Tensor a = u8({2, 2}, {11, 12, 13, 14}), b = i8({2, 1}, {-1, 2});
  check_equal(run_op("MatMulInteger", {a, b}), i32({2, 1}, {13, 15}));
  check_equal(run_op("MatMulInteger", {a, b, u8({}, {10}), i8({1}, {1})}), i32({2, 1}, {0, -2}));
  check_equal(run_op("MatMulInteger", {a, b, u8({2}, {11, 13})}), i32({2, 1}, {2, 2}));
  CHECK(code_of("MatMulInteger", {a, b, i8({}, {1})}) == Code::kInvalid);
  CHECK(code_of("MatMulInteger", {floats({1, 1}, {1}), b}) == Code::kInvalid);
  // (1 * -1 + 2 * 2) * 0.5 * 0.5 / 0.5 = 1.5, half to even is 2; the second row saturates.
  check_equal(run_op("QLinearMatMul", {u8({2, 2}, {11, 12, 10, 255}), floats({}, {0.5}), u8({}, {10}), b,
                                       floats({}, {0.5}), i8({}, {0}), floats({}, {0.5}), u8({}, {100})}),
              u8({2, 1}, {102, 255}));
}

TEST_CASE("determinants of a stack of matrices") {
  check_near(run_op("Det", {floats({2, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0})}), floats({2}, {-2, -1}));
  check_near(run_op("Det", {floats({3, 3}, {2, 0, 1, 1, 3, 2, 1, 1, 1})}), floats({}, {0}), 1e-12);
  CHECK(code_of("Det", {floats({1, 2}, {1, 2})}) == Code::kInvalid);
}

TEST_CASE("Einsum sums over every label that the output has not") {
  Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 0, 0, 1, 1, 1}),
         s = floats({2, 2}, {1, 2, 3, 4});
  check_equal(run_op("Einsum", {a, b}, equation("ij, jk -> ik")), floats({2, 2}, {4, 5, 10, 11}));
  check_equal(run_op("Einsum", {b, a}, equation("ab,ca")), floats({2, 2}, {4, 10, 5, 11}));  // implicit: bc
  check_equal(run_op("Einsum", {a}, equation("ij->ji")), floats({3, 2}, {1, 4, 2, 5, 3, 6}));
  check_equal(run_op("Einsum", {s}, equation("ii->i")), floats({2}, {1, 4}));
  check_equal(run_op("Einsum", {s}, equation("ii")), floats({}, {5}));
  check_equal(run_op("Einsum", {s}, equation("...j->...")), floats({2}, {3, 7}));
  check_equal(run_op("Einsum", {floats({2, 1, 2}, {1, 2, 3, 4}), s}, equation("...ij,...jk->...ik")),
              floats({2, 1, 2}, {7, 10, 15, 22}));
  check_equal(run_op("Einsum", {floats({2}, {1, 2}), floats({2}, {3, 4}), floats({2}, {5, 6})}, equation("i,j,k->ikj")),
              floats({2, 2, 2}, {15, 20, 18, 24, 30, 40, 36, 48}));
  check_equal(run_op("Einsum", {floats({0}, {}), floats({2}, {1, 2})}, equation("i,j->j")), floats({2}, {0, 0}));
  CHECK(code_of("Einsum", {a, a}, equation("ij,jk->ik")) == Code::kInvalid);
  CHECK(code_of("Einsum", {a}, equation("ij->ii")) == Code::kInvalid);
}

TEST_CASE("a product that would take hours is refused") {
  std::vector<std::optional<Tensor>> many(6, Tensor(Dtype::kFloat32, {200}));
  CHECK(code_of("Einsum", many, equation("a,b,c,d,e,f->")) == Code::kExhausted);
}

}  // namespace oree
