// SPDX-License-Identifier: Apache-2.0
// Quantized operators that TFLite alone has: nodes of domain "tflite".
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/quantized_lstm.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

// Both operands are brought to twice the larger scale, those of 8 bits with 7 after the point; so is their difference.
Status run_squared_difference(KernelCall& call) {
  OREE_TRY_ASSIGN(Scale a, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale b, input_scale(call, 1));
  OREE_TRY_ASSIGN(Scale out, output_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  const Dtype type = call.need(0).dtype();
  if ((type != Dtype::kInt8 && type != Dtype::kInt16) || call.need(1).dtype() != type) {
    return call.unsupported(dtype_name(type));
  }
  const int bits = type == Dtype::kInt8 ? 7 : 0;
  double twice = 2.0 * static_cast<double>(std::max(a.scale, b.scale));
  Multiplier left = quantized_multiplier(static_cast<double>(a.scale) / twice),
             right = quantized_multiplier(static_cast<double>(b.scale) / twice),
             back = quantized_multiplier(twice * twice / ((1 << (2 * bits)) * static_cast<double>(out.scale)));
  return binary<int64_t>(call, output_dtype(call), [&](int64_t x, int64_t y) -> int64_t {
    int32_t p = multiply((static_cast<int32_t>(x) - a.zero) * (1 << bits), left);
    int32_t q = multiply((static_cast<int32_t>(y) - b.zero) * (1 << bits), right);
    int64_t difference = int64_t{p} - q;
    auto square = static_cast<int32_t>(static_cast<uint64_t>(difference) * static_cast<uint64_t>(difference));
    return range.clamp(int64_t{multiply(square, back)} + out.zero);
  });
}

// The root has 20 bits after the point.
Status run_rsqrt(KernelCall& call) {
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale out, output_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  const Tensor& x = call.need(0);
  if ((x.dtype() != Dtype::kInt8 && x.dtype() != Dtype::kInt16) || output_dtype(call) != x.dtype()) {
    return call.unsupported(fmt::format("{} to {}", dtype_name(x.dtype()), dtype_name(output_dtype(call))));
  }
  constexpr int kAfterPoint = 20;
  Multiplier factor = quantized_multiplier(1.0 / static_cast<double>(std::sqrt(in.scale) * out.scale));
  factor.shift -= kAfterPoint;
  if (factor.shift < -31) factor = {};  // no root reaches a step
  OREE_TRY_ASSIGN(NewElements<int64_t> y, new_elements<int64_t>(call, x.dtype(), x.shape()));
  Elements<int64_t> values(x);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t value = values[i] - in.zero;
    if (value < 0) return call.invalid("the root of a number below zero");
    if (value == 0) {
      y[i] = range.high;
      continue;
    }
    Multiplier root = inverse_sqrt(static_cast<int32_t>(std::min<int64_t>(value, INT32_MAX)));
    root.shift += kAfterPoint;
    y[i] = range.clamp(int64_t{multiply(multiply(1, root), factor)} + out.zero);
  }
  call.set(0, std::move(y).take());
  return {};
}

// Along the last axis, to 7 bits after the point whatever the scale says.
Status run_l2_normalization(KernelCall& call) {
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale to, output_scale(call));
  const Tensor& x = call.need(0);
  if (x.dtype() != Dtype::kInt8 || output_dtype(call) != Dtype::kInt8 || to.scale != 1.0F / 128 || to.zero != 0)
    return call.unsupported("a result that is no int8 with the scale 1/128");
  if (x.shape().empty()) return call.invalid("a single number");
  OREE_TRY_ASSIGN(NewElements<int64_t> y, new_elements<int64_t>(call, Dtype::kInt8, x.shape()));
  Elements<int64_t> values(x);
  const int64_t depth = x.shape().back();
  for (int64_t first = 0; first < y.size(); first += depth) {
    double sum = 0;
    for (int64_t i = first; i < first + depth; ++i) {
      auto v = static_cast<double>(values[i] - in.zero);
      sum += v * v;
    }
    Multiplier root = inverse_sqrt(static_cast<int32_t>(std::min(sum, 0x1p31 - 1)));
    root.shift += 7;
    for (int64_t i = first; i < first + depth; ++i)
      y[i] = IntRange{}.clamp(multiply(static_cast<int32_t>(values[i] - in.zero), root));
  }
  call.set(0, std::move(y).take());
  return {};
}

// A part of the operand is replaced; where it would reach beyond the end it is moved back.
Status run_dynamic_update_slice(KernelCall& call) {
  const Tensor &x = call.need(0), &part = call.need(1);
  for (size_t i : {0, 1}) {
    OREE_TRY_ASSIGN(Scale s, input_scale(call, i));
    OREE_TRY_ASSIGN(Scale to, output_scale(call));
    if (s.scale != to.scale || s.zero != to.zero) return call.unsupported("operands of different scales");
  }
  OREE_TRY_ASSIGN(std::vector<int64_t> from, int_list(call, 2));
  const size_t rank = x.shape().size();
  if (part.dtype() != x.dtype() || part.shape().size() != rank || from.size() != rank)
    return call.invalid(fmt::format("a part {} of {}", shape_text(part.shape()), shape_text(x.shape())));
  std::vector<int64_t> strides(rank, 1);
  int64_t first = 0, stride = 1;
  for (size_t i = rank; i-- > 0;) {
    const int64_t room = x.shape()[i] - part.shape()[i];
    if (room < 0) return call.invalid(fmt::format("a part {} of {}", shape_text(part.shape()), shape_text(x.shape())));
    strides[i] = stride;
    first += std::clamp<int64_t>(from[i], 0, room) * stride;
    stride *= x.shape()[i];
  }
  OREE_TRY(call.fits(x.dtype(), x.shape()));
  Tensor y = x;
  Mover mover(part, y);
  for (Walk w(part.shape(), {strides}); !w.done(); w.next()) mover.copy(first + w.at(0), w.index());
  call.set(0, std::move(y));
  return {};
}

struct Svdf {
  int64_t batch = 0, depth = 0, filters = 0, memory = 0, rank = 0;
};

Result<Svdf> svdf_of(const KernelCall& call) {
  const Shape &x = call.need(0).shape(), &features = call.need(1).shape(), &time = call.need(2).shape();
  Svdf s;
  s.rank = call.node.integer("rank", 0);
  if (x.size() != 2 || features.size() != 2 || time.size() != 2 || x[1] != features[1] || features[0] != time[0]) {
    return call.invalid(
        fmt::format("operand {} and weights {} and {}", shape_text(x), shape_text(features), shape_text(time)));
  }
  s = {x[0], x[1], features[0], time[1], s.rank};
  if (s.rank < 1 || s.filters % s.rank != 0 || s.memory < 1) return call.invalid("filters are no multiple of its rank");
  if (!call.in(4) || call.in(4)->elements() != s.batch * s.filters * s.memory) return call.invalid("its state");
  if (call.in(3) && call.in(3)->elements() != s.filters / s.rank) return call.invalid("its bias");
  const Dtype state = call.in(4)->dtype();
  bool types = call.need(0).dtype() == Dtype::kInt8 && call.need(1).dtype() == Dtype::kInt8 &&
               (state == Dtype::kInt8 || state == Dtype::kInt16) && call.need(2).dtype() == state;
  return types ? Result<Svdf>(s) : Result<Svdf>(call.unsupported("its types"));
}

// One number a filter comes into its memory a step; the memory is weighed as a whole, and those of one rank summed.
Status run_svdf(KernelCall& call) {
  OREE_TRY_ASSIGN(Svdf s, svdf_of(call));
  OREE_TRY_ASSIGN(Scale x, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale features, input_scale(call, 1));
  OREE_TRY_ASSIGN(Scale time, input_scale(call, 2));
  OREE_TRY_ASSIGN(Scale state, input_scale(call, 4));
  OREE_TRY_ASSIGN(Scale out, output_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  // The products of scales are floats in TensorFlow Lite Micro, too.
  Multiplier in = quantized_multiplier(static_cast<double>(x.scale * features.scale / state.scale)),
             back = quantized_multiplier(static_cast<double>(state.scale * time.scale / out.scale));
  OREE_TRY(call.affordable(static_cast<double>(s.batch) * static_cast<double>(s.filters) *
                           static_cast<double>(s.depth + s.memory)));
  OREE_TRY_ASSIGN(NewElements<int64_t> y,
                  new_elements<int64_t>(call, output_dtype(call), {s.batch, s.filters / s.rank}));
  OREE_TRY_ASSIGN(NewElements<int64_t> after, new_elements<int64_t>(call, call.in(4)->dtype(), call.in(4)->shape()));
  Elements<int64_t> values(call.need(0)), by_feature(call.need(1)), by_time(call.need(2)), before(*call.in(4));
  std::vector<int64_t> sums(static_cast<size_t>(y.size()), 0);
  if (call.in(3)) {
    Elements<int64_t> bias(*call.in(3));
    for (int64_t i = 0; i < y.size(); ++i) sums[static_cast<size_t>(i)] = bias[i % bias.size()];
  }
  const IntRange wide = call.in(4)->dtype() == Dtype::kInt8 ? IntRange{} : IntRange{INT16_MIN, INT16_MAX};
  for (int64_t f = 0; f < s.batch * s.filters; ++f) {
    const int64_t batch = f / s.filters, filter = f % s.filters;
    int64_t now = 0;
    for (int64_t c = 0; c < s.depth; ++c)
      now += (values[batch * s.depth + c] - x.zero) * by_feature[filter * s.depth + c];
    for (int64_t m = 0; m + 1 < s.memory; ++m) after[f * s.memory + m] = before[f * s.memory + m + 1];
    after[f * s.memory + s.memory - 1] = wide.clamp(multiply(static_cast<int32_t>(now), in));
    int64_t& sum = sums[static_cast<size_t>(f / s.rank)];
    for (int64_t m = 0; m < s.memory; ++m) sum += after[f * s.memory + m] * by_time[filter * s.memory + m];
  }
  for (int64_t i = 0; i < y.size(); ++i) {
    auto sum = wrap(sums[static_cast<size_t>(i)]);
    y[i] = range.clamp(int64_t{multiply(sum, back)} + out.zero);
  }
  call.set(0, std::move(y).take());
  call.set(1, std::move(after).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"DYNAMIC_UPDATE_SLICE", run_dynamic_update_slice, 3},
    {"L2_NORMALIZATION", run_l2_normalization},
    {"RSQRT", run_rsqrt},
    {"SQUARED_DIFFERENCE", run_squared_difference, 2},
    {"SVDF", run_svdf, 3},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", run_quantized_lstm},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedTfliteKernels = kTable;

}  // namespace oree
