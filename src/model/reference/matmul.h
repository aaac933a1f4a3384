// SPDX-License-Identifier: Apache-2.0
// Products of matrices, for the kernels that are one in the end.
#pragma once

#include <vector>

#include "model/reference/access.h"
#include "model/reference/shapes.h"

namespace oree {

// A stack of products as numpy.matmul sees two tensors: each [rows x inner] by [inner x columns].
struct MatMulPlan {
  int64_t rows = 1;
  int64_t inner = 1;
  int64_t columns = 1;
  Shape stack;      // broadcast
  Strides a_stack;  // in matrices
  Strides b_stack;
  Shape out;
};
Result<MatMulPlan> plan_matmul(const KernelCall& call, const Shape& a, const Shape& b);

// sums[r, c] += a[r, k] * b[k, c], each operand by its strides. Reals add up in double, rounded by whoever stores them.
template <typename T, typename Sum>
void multiply(const T* a, int64_t a_row, int64_t a_inner, const T* b, int64_t b_inner, int64_t b_column,
              const MatMulPlan& plan, std::span<Sum> sums) {
  for (int64_t r = 0; r < plan.rows; ++r) {
    Sum* row = sums.data() + r * plan.columns;
    for (int64_t k = 0; k < plan.inner; ++k) {
      auto x = static_cast<Sum>(a[r * a_row + k * a_inner]);
      const T* y = b + k * b_inner;
      for (int64_t c = 0; c < plan.columns; ++c) row[c] += x * static_cast<Sum>(y[c * b_column]);
    }
  }
}

}  // namespace oree
