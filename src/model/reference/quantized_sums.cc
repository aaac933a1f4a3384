// SPDX-License-Identifier: Apache-2.0
// Quantized sums of many values of one scale: each is halved and given 20 bits after the point before they are added.
#include <fmt/format.h>

#include <algorithm>

#include "model/reference/kernel_tables.h"
#include "model/reference/quantized.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

constexpr int kAfterPoint = 20;

// The two factors are 1/2, and what brings twice the operand's scale to the output's.
struct Terms {
  Scale in, out;
  IntRange range;
  Multiplier half, back;

  int32_t of(int64_t v) const {
    auto shifted = static_cast<int32_t>(static_cast<uint32_t>(v - in.zero) << kAfterPoint);
    return multiply(shifted, half);
  }
  // What a sum begins with: TensorFlow Lite Micro counts the operand's zero point once too often.
  int64_t start() const { return of(0); }
  int64_t result(int64_t sum) const { return range.clamp(int64_t{multiply(wrap(sum), back)} + out.zero); }
};

Result<Terms> terms_of(const KernelCall& call) {
  Terms t;
  OREE_TRY_ASSIGN(t.in, input_scale(call, 0));
  OREE_TRY_ASSIGN(t.out, output_scale(call));
  OREE_TRY_ASSIGN(t.range, output_range(call));
  if (call.need(0).dtype() != Dtype::kInt8 || output_dtype(call) != Dtype::kInt8)
    return call.unsupported(fmt::format("{} to {}", dtype_name(call.need(0).dtype()), dtype_name(output_dtype(call))));
  const double twice = 2 * static_cast<double>(t.in.scale);
  t.half = quantized_multiplier(static_cast<double>(t.in.scale) / twice);
  t.back = quantized_multiplier(twice / ((1 << kAfterPoint) * static_cast<double>(t.out.scale)));
  return t;
}

Status run_sum(KernelCall& call) {
  OREE_TRY_ASSIGN(Terms terms, terms_of(call));
  const Tensor& first = call.need(0);
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    OREE_TRY_ASSIGN(Scale s, input_scale(call, i));
    if (s.scale != terms.in.scale || s.zero != terms.in.zero) return call.unsupported("operands of different scales");
    if (call.need(i).dtype() != first.dtype() || call.need(i).shape() != first.shape())
      return call.unsupported("operands of different types or shapes");
  }
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt8, first.shape()));
  for (const Tensor* t : call.inputs) {
    Elements<int64_t> values(*t);
    for (int64_t i = 0; i < out.size(); ++i) out[i] += terms.of(values[i]);
  }
  for (int64_t i = 0; i < out.size(); ++i) out[i] = terms.result(out[i] + terms.start());
  call.set(0, std::move(out).take());
  return {};
}

Status run_cumsum(KernelCall& call) {
  OREE_TRY_ASSIGN(Terms terms, terms_of(call));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(int64_t given, one_int(call, 1));
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, given, x.shape().size()));
  const bool exclusive = call.node.integer("exclusive", 0) != 0, reverse = call.node.integer("reverse", 0) != 0;
  const AxisView view = view_at(x.shape(), axis);
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt8, x.shape()));
  Elements<int64_t> values(x);
  for (int64_t line = 0; view.length > 0 && line < view.outer * view.inner; ++line) {
    int64_t sum = terms.start();
    for (int64_t k = 0; k < view.length; ++k) {
      int64_t place = reverse ? view.length - 1 - k : k;
      int64_t at = (line / view.inner * view.length + place) * view.inner + line % view.inner;
      if (exclusive) out[at] = terms.result(sum);
      sum += terms.of(values[at]);
      if (!exclusive) out[at] = terms.result(sum);
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"CumSum", run_cumsum, 2},
    {"Sum", run_sum},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedSumKernels = kTable;

}  // namespace oree
