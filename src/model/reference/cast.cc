// SPDX-License-Identifier: Apache-2.0
// From one element type to another. What does not fit is defined here: integers wrap, reals saturate.
#include <fmt/format.h>

#include <cstring>

#include "model/ops/element_types.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

Status cast_to(KernelCall& call, Dtype to) {
  const Tensor& x = call.need(0);
  if (to == x.dtype()) {
    call.set(0, x);
    return {};
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, to, x.shape()));
  with_domain(x.dtype(), [&](auto zero) { narrow<decltype(zero)>(Elements<decltype(zero)>(x).span(), out); });
  call.set(0, std::move(out));
  return {};
}

Result<Dtype> wanted_dtype(const KernelCall& call) {
  int64_t number = call.node.integer("to", 0);
  if (std::optional<Dtype> dtype = dtype_from_onnx(number)) return *dtype;
  if (onnx_knows_dtype(number)) return call.unsupported(fmt::format("element type {} is none of ours", number));
  return call.invalid(fmt::format("there is no element type {}", number));
}

Status run_cast(KernelCall& call) {
  OREE_TRY_ASSIGN(Dtype to, wanted_dtype(call));
  return cast_to(call, to);
}

Status run_cast_like(KernelCall& call) { return cast_to(call, call.need(1).dtype()); }

Status run_bit_cast(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Dtype to, wanted_dtype(call));
  if (dtype_bits(to) != dtype_bits(x.dtype())) return call.invalid("the types differ in size");
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, to, x.shape()));
  if (x.byte_size() > 0) std::memcpy(out.data(), x.data(), x.byte_size());
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"BitCast", run_bit_cast},
    {"Cast", run_cast},
    {"CastLike", run_cast_like, 2},
};

}  // namespace

const std::span<const KernelEntry> kCastKernels = kTable;

}  // namespace oree
