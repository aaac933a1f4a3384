// SPDX-License-Identifier: Apache-2.0
// Loops that elementwise kernels share.
#pragma once

#include <vector>

#include "model/reference/access.h"
#include "model/reference/shapes.h"

namespace oree {

// All inputs of a call under the shape to which they broadcast.
struct Operands {
  Shape shape;
  std::vector<Strides> strides;
  Walk walk() const { return Walk(shape, strides); }
};
Result<Operands> broadcast_operands(const KernelCall& call);  // asserts that none is absent

// kInvalid unless all inputs have one dtype.
Status same_dtypes(const KernelCall& call);
// kInvalid unless the first input is of a float type.
Status real_input(const KernelCall& call);

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
