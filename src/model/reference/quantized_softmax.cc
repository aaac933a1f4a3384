// SPDX-License-Identifier: Apache-2.0
// Quantized softmax and its logarithm, of int8. Differences from the largest of a line have 5 integer bits, the sum of
// their exponentials 12: with more than 4095 elements it runs over in the engines, and saturates here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/kernel_tables.h"
#include "model/reference/quantized_curves.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

struct Differences {
  AxisView view;
  Multiplier factor;   // of an integer, to 5 integer bits
  int32_t lowest = 0;  // what lies further below the largest has no part in the sum

  int32_t of(int32_t difference) const { return multiply(difference, factor); }
  int32_t exp(int32_t difference) const { return exp_on_negative_values(of(difference), 5); }
};

Result<Differences> differences_of(const KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), shape.size()));
  Differences d;
  d.view = view_at(shape, axis);
  d.factor = quantized_multiplier(std::min(static_cast<double>(in.scale) * 0x1p26, 0x1p31 - 1));
  d.lowest = -input_radius(5, d.factor.shift);
  return d;
}

// f(the place of the k-th element, the largest element) for each line along the axis.
template <typename F>
void each_line(const AxisView& view, const Elements<int64_t>& values, F f) {
  for (int64_t line = 0; view.length > 0 && line < view.outer * view.inner; ++line) {
    auto at = [&](int64_t k) { return (line / view.inner * view.length + k) * view.inner + line % view.inner; };
    int64_t largest = values[at(0)];
    for (int64_t k = 1; k < view.length; ++k) largest = std::max(largest, values[at(k)]);
    f(at, largest);
  }
}

Status run_softmax(KernelCall& call) {
  const Tensor& x = call.need(0);
  Dtype to = output_dtype(call);
  if (x.dtype() == Dtype::kInt16 && to == Dtype::kInt16) return run_softmax_16(call);
  if (x.dtype() != Dtype::kInt8 || (to != Dtype::kInt8 && to != Dtype::kInt16)) {
    return call.unsupported(fmt::format("{} to {}", dtype_name(x.dtype()), dtype_name(to)));
  }
  OREE_TRY_ASSIGN(Differences d, differences_of(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  const int bits = to == Dtype::kInt8 ? 8 : 16;
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, to, x.shape()));
  Elements<int64_t> values(x);
  std::vector<int32_t> exps(static_cast<size_t>(d.view.length));
  each_line(d.view, values, [&](auto at, int64_t largest) {
    int64_t sum = 0;
    for (int64_t k = 0; k < d.view.length; ++k) {
      auto difference = static_cast<int32_t>(values[at(k)] - largest);
      int32_t& e = exps[static_cast<size_t>(k)];
      e = difference < d.lowest ? -1 : d.exp(difference);
      if (e >= 0) sum += rounding_divide_by_pot(e, 12);
    }
    int over_unit = 0;
    int32_t scale = reciprocal(saturate(sum), 12, over_unit);
    // Engines end where it is more than 31: with many elements, all of which round to nothing then.
    const int right = over_unit + 31 - bits;
    for (int64_t k = 0; k < d.view.length; ++k) {
      int32_t e = exps[static_cast<size_t>(k)];
      int64_t y = e < 0 || right > 31 ? 0 : rounding_divide_by_pot(rounding_doubling_high_mul(scale, e), right);
      out[at(k)] = range.clamp(y + range.low);
    }
  });
  call.set(0, std::move(out).take());
  return {};
}

// The logarithm of the sum is subtracted; an output with the one scale that the engines take has 4 bits after the
// point.
Status run_log_softmax(KernelCall& call) {
  const Tensor& x = call.need(0);
  if (x.dtype() != Dtype::kInt8 || output_dtype(call) != Dtype::kInt8)
    return call.unsupported(fmt::format("{} to {}", dtype_name(x.dtype()), dtype_name(output_dtype(call))));
  OREE_TRY_ASSIGN(Scale to, output_scale(call));
  if (to.scale != 1.0F / 16 || to.zero != 127) return call.unsupported("a result of another scale than 1/16 below 127");
  OREE_TRY_ASSIGN(Differences d, differences_of(call));
  // From 5 integer bits back to integers.
  const Multiplier back =
      d.factor.m == 0 ? Multiplier{} : quantized_multiplier(std::ldexp(1.0, 31 - d.factor.shift) / d.factor.m);
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt8, x.shape()));
  Elements<int64_t> values(x);
  const IntRange range;
  each_line(d.view, values, [&](auto at, int64_t largest) {
    int64_t sum = 0;
    for (int64_t k = 0; k < d.view.length; ++k) {
      auto difference = static_cast<int32_t>(values[at(k)] - largest);
      if (difference >= d.lowest) sum += rounding_divide_by_pot(d.exp(difference), 12);
    }
    const int32_t log_sum = log_q12_to_q5(saturate(sum));
    // Below it the difference of difference and logarithm would not fit into 5 integer bits.
    const int32_t least = std::max(d.lowest - 1, multiply(saturate(int64_t{INT32_MIN} + log_sum), back));
    for (int64_t k = 0; k < d.view.length; ++k) {
      auto difference = static_cast<int32_t>(values[at(k)] - largest);
      if (difference <= least) {
        out[at(k)] = range.low;
      } else {
        int32_t y = saturate(int64_t{d.of(difference)} - log_sum);
        out[at(k)] = range.clamp(int64_t{rounding_divide_by_pot(y, 31 - 5 - 4)} + to.zero);
      }
    }
  });
  call.set(0, std::move(out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"LogSoftmax", run_log_softmax},
    {"Softmax", run_softmax},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedSoftmaxKernels = kTable;

}  // namespace oree
