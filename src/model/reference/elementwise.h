// SPDX-License-Identifier: Apache-2.0
// Loops that elementwise kernels share.
#pragma once

#include <vector>

#include "model/reference/access.h"
#include "model/reference/shapes.h"

namespace oree {

// kInvalid when an input is absent: for operators with any number of them.
Status all_present(const KernelCall& call);

// All inputs of a call under the shape to which they broadcast.
struct Operands {
  Shape shape;
  std::vector<Strides> strides;
  Walk walk() const { return Walk(shape, strides); }
};
Result<Operands> broadcast_operands(const KernelCall& call);

// kInvalid unless all inputs have one dtype.
Status same_dtypes(const KernelCall& call);
// kInvalid unless the first input is of a float type.
Status real_input(const KernelCall& call);
// kInvalid when an input is bool.
Status number_inputs(const KernelCall& call);

// Arithmetic that wraps for integers, where C++ would leave it undefined.
template <typename T>
T wrap_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a + b;
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
template <typename T>
T wrap_sub(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a - b;
  return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
template <typename T>
T wrap_mul(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a * b;
  return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

// Output 0 = f(input 0), of the input's type.
template <typename T, typename F>
Status unary(KernelCall& call, F f) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), x.shape()));
  Elements<T> in(x);
  for (int64_t i = 0; i < in.size(); ++i) out[i] = f(in[i]);
  call.set(0, std::move(out).take());
  return {};
}

// Output 0 = f(input 0, input 1), broadcast, of type `dtype`.
template <typename T, typename F>
Status binary(KernelCall& call, Dtype dtype, F f) {
  OREE_TRY_ASSIGN(Operands operands, broadcast_operands(call));
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, dtype, operands.shape));
  Elements<T> a(call.need(0)), b(call.need(1));
  for (Walk w = operands.walk(); !w.done(); w.next()) out[w.index()] = f(a[w.at(0)], b[w.at(1)]);
  call.set(0, std::move(out).take());
  return {};
}

}  // namespace oree
