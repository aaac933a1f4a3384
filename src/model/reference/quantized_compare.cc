// SPDX-License-Identifier: Apache-2.0
// Quantized operators that compare reals, and those that put tensors of one scale together.
#include <algorithm>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/quantized.h"

namespace oree {
namespace {

// Both operands with 8 bits after the point: reals closer than that are equal.
template <typename F>
Status compare(KernelCall& call, F f) {
  OREE_TRY_ASSIGN(Scale a, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale b, input_scale(call, 1));
  Multiplier left = quantized_multiplier(static_cast<double>(a.scale)),
             right = quantized_multiplier(static_cast<double>(b.scale));
  return binary<int64_t>(call, Dtype::kBool, [&](int64_t x, int64_t y) -> int64_t {
    return f(multiply((static_cast<int32_t>(x) - a.zero) * 256, left),
             multiply((static_cast<int32_t>(y) - b.zero) * 256, right));
  });
}
Status run_equal(KernelCall& call) {
  return compare(call, [](int32_t a, int32_t b) { return a == b; });
}
Status run_greater(KernelCall& call) {
  return compare(call, [](int32_t a, int32_t b) { return a > b; });
}
Status run_greater_or_equal(KernelCall& call) {
  return compare(call, [](int32_t a, int32_t b) { return a >= b; });
}
Status run_less(KernelCall& call) {
  return compare(call, [](int32_t a, int32_t b) { return a < b; });
}
Status run_less_or_equal(KernelCall& call) {
  return compare(call, [](int32_t a, int32_t b) { return a <= b; });
}

// Elements are copied: all of them, and the result, have one scale. Constants of integers have none of their own.
Status copy_of_one_scale(KernelCall& call, size_t first) {
  OREE_TRY_ASSIGN(Scale out, output_scale(call));
  for (size_t i = first; i < call.inputs.size(); ++i) {
    OREE_TRY_ASSIGN(Scale s, input_scale(call, i));
    if (s.scale != out.scale || s.zero != out.zero) return call.unsupported("operands of different scales");
  }
  return run_plain(call, call.inputs);
}
Status run_concat(KernelCall& call) { return copy_of_one_scale(call, 0); }
Status run_where(KernelCall& call) { return copy_of_one_scale(call, 1); }

constexpr KernelEntry kTable[] = {
    {"Concat", run_concat},      {"Equal", run_equal, 2},
    {"Greater", run_greater, 2}, {"GreaterOrEqual", run_greater_or_equal, 2},
    {"Less", run_less, 2},       {"LessOrEqual", run_less_or_equal, 2},
    {"Where", run_where, 3},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedCompareKernels = kTable;

}  // namespace oree
