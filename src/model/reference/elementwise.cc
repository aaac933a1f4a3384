// SPDX-License-Identifier: Apache-2.0
#include "model/reference/elementwise.h"

#include <fmt/format.h>

namespace oree {

Result<Operands> broadcast_operands(const KernelCall& call) {
  Operands out;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    OREE_TRY_ASSIGN(out.shape, broadcast_shape(call, out.shape, call.need(i).shape()));
  }
  Result<int64_t> n = shape_elements(out.shape);
  if (!n) return call.invalid(n.error().message());
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    out.strides.push_back(broadcast_strides(call.need(i).shape(), out.shape));
  }
  return out;
}

Status same_dtypes(const KernelCall& call) {
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.in(i) && call.in(i)->dtype() != call.need(0).dtype()) {
      return call.invalid(fmt::format("input {} is {}, but input 0 is {}", i, dtype_name(call.in(i)->dtype()),
                                      dtype_name(call.need(0).dtype())));
    }
  }
  return {};
}

Status real_input(const KernelCall& call) {
  Dtype dtype = call.need(0).dtype();
  if (dtype_is_float(dtype)) return {};
  return call.invalid(fmt::format("the input must be of a float type, not {}", dtype_name(dtype)));
}

}  // namespace oree
