// SPDX-License-Identifier: Apache-2.0
// Quantized operators that sum products: int8 or int16 operand, int8 weights (zero point 0 in convolutions), int32 or
// int64 bias with the scale of the products.
#include <fmt/format.h>

#include <algorithm>

#include "model/reference/kernel_tables.h"
#include "model/reference/quantized.h"
#include "model/reference/shapes.h"
#include "model/reference/window.h"

namespace oree {
namespace {

// One factor from sums to the output's steps for each output channel.
struct Output {
  std::vector<Multiplier> factors;  // one, or one a channel
  Scale scale;
  IntRange range;
  bool wide = false;  // sums of 64 bits
  int32_t store(int64_t sum, int64_t channel) const {
    Multiplier f = factors[factors.size() == 1 ? 0 : static_cast<size_t>(channel)];
    int64_t y = wide ? multiply_wide(sum, f) : multiply(wrap(sum), f);
    return range.clamp(y + scale.zero);
  }
};

bool is_int64(const Tensor* bias) { return bias && bias->dtype() == Dtype::kInt64; }

// `axis` is that of the weights along which scales may differ; `channels` how many there then are. `float_product`: the
// product of both scales is rounded to float32 first, as TFLM does where there is one scale for all weights of a fully
// connected operator.
Result<Output> output_of(const KernelCall& call, size_t axis, int64_t channels, bool float_product) {
  Output out;
  OREE_TRY_ASSIGN(Scale x, input_scale(call, 0));
  OREE_TRY_ASSIGN(out.scale, output_scale(call));
  OREE_TRY_ASSIGN(out.range, output_range(call));
  const std::optional<Quantization>& w = call.graph.value(call.node.inputs[1]).quantization;
  if (!w) return call.unsupported("its weights have no scale, its operand has one");
  bool per_axis = w->scales.size() > 1;
  if (per_axis && (w->axis != static_cast<int>(axis) || static_cast<int64_t>(w->scales.size()) != channels))
    return call.unsupported(fmt::format("weights with scales along axis {}", w->axis));
  for (float s : w->scales) {
    double product = float_product && !per_axis ? static_cast<double>(x.scale * s)
                                                : static_cast<double>(x.scale) * static_cast<double>(s);
    out.factors.push_back(quantized_multiplier(product / static_cast<double>(out.scale.scale)));
  }
  out.wide = call.need(0).dtype() == Dtype::kInt16 && (is_int64(call.in(2)) || call.in(2) == nullptr);
  return out;
}

// Elements less their zero point.
Result<std::vector<int32_t>> centred(const KernelCall& call, size_t input, int32_t zero) {
  const Tensor& t = call.need(input);
  if (dtype_is_float(t.dtype()))
    return call.unsupported(fmt::format("input {} is of {}", input, dtype_name(t.dtype())));
  Elements<int64_t> wide(t);
  std::vector<int32_t> out(static_cast<size_t>(wide.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>(wide[static_cast<int64_t>(i)]) - zero;
  return out;
}

Result<std::vector<int64_t>> bias_of(const KernelCall& call, int64_t channels) {
  std::vector<int64_t> out(static_cast<size_t>(channels), 0);
  const Tensor* bias = call.in(2);
  if (!bias) return out;
  if (bias->elements() != channels || dtype_is_float(bias->dtype())) {
    return call.invalid(
        fmt::format("a bias of {} {} for {} channels", bias->elements(), dtype_name(bias->dtype()), channels));
  }
  widen<int64_t>(*bias, out);
  return out;
}

Status store_all(KernelCall& call, const std::vector<int64_t>& values, Shape shape) {
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, output_dtype(call), std::move(shape)));
  std::copy(values.begin(), values.end(), out.span().begin());
  call.set(0, std::move(out).take());
  return {};
}

struct Shapes {
  std::vector<AxisWindow> windows;
  int64_t batch = 0, channels = 0, outputs = 0, group = 1, kernel = 1, in = 1, out = 1;
  Shape shape;
};

Result<Shapes> shapes_of(const KernelCall& call, bool transposed) {
  const Shape &x = call.need(0).shape(), &w = call.need(1).shape();
  Shapes s;
  if (w.size() < 3 || x.size() != w.size())
    return call.invalid(fmt::format("operand {} and weights {}", shape_text(x), shape_text(w)));
  Shape kernel(w.begin() + 2, w.end());
  OREE_TRY_ASSIGN(s.windows, transposed ? transposed_windows_of(call, x, kernel) : windows_of(call, x, kernel));
  s.batch = x[0];
  s.channels = x[1];
  s.group = call.node.integer("group", 1);
  if (s.group < 1 || s.channels < 1 || s.channels % s.group != 0)
    return call.invalid(fmt::format("{} channels in {} groups", s.channels, s.group));
  s.outputs = transposed ? w[1] * s.group : w[0];
  if ((transposed ? w[0] : w[1]) != (transposed ? s.channels : s.channels / s.group) || s.outputs % s.group != 0)
    return call.invalid(fmt::format("weights {} for {} channels in {} groups", shape_text(w), s.channels, s.group));
  s.shape = {s.batch, s.outputs};
  for (const AxisWindow& window : s.windows) {
    s.kernel *= window.kernel;
    s.in *= window.in;
    s.out *= window.out;
    s.shape.push_back(window.out);
  }
  OREE_TRY(call.fits(Dtype::kInt64, s.shape));
  double places = static_cast<double>(std::max<int64_t>(s.batch, 1)) * static_cast<double>(std::max(s.in, s.out));
  OREE_TRY(call.affordable(places * static_cast<double>(std::max(call.need(1).elements(), s.kernel))));
  return s;
}

// Real operands beside weights of integers: TFLite quantizes the operands as they come, each batch by its own range;
// here the weights are made real instead, which is what that approaches.
bool is_hybrid(const KernelCall& call) {
  auto scaled = [&](size_t i) { return call.graph.value(call.node.inputs[i]).quantization.has_value(); };
  return !scaled(0) && dtype_is_float(call.need(0).dtype()) && scaled(1);
}

Status run_hybrid(KernelCall& call) {
  const Tensor& w = call.need(1);
  const Quantization& q = *call.graph.value(call.node.inputs[1]).quantization;
  AxisView view = q.per_axis() ? view_at(w.shape(), static_cast<size_t>(q.axis)) : AxisView{1, 1, w.elements()};
  if (q.per_axis() && view.length != static_cast<int64_t>(q.scales.size()))
    return call.invalid(fmt::format("{} scales for {} slices", q.scales.size(), view.length));
  OREE_TRY_ASSIGN(NewElements<float> reals, new_elements<float>(call, Dtype::kFloat32, w.shape()));
  Elements<int64_t> integers(w);
  for (int64_t i = 0; i < integers.size(); ++i) {
    auto slice = static_cast<size_t>(i / view.inner % view.length);
    reals[i] = static_cast<float>(integers[i] - q.zero_points[slice]) * q.scales[slice];
  }
  Tensor weights = std::move(reals).take();
  std::vector<const Tensor*> inputs(call.inputs.begin(), call.inputs.end());
  inputs[1] = &weights;
  return run_plain(call, inputs);
}

Status run_conv(KernelCall& call) {
  if (is_hybrid(call)) return run_hybrid(call);
  OREE_TRY_ASSIGN(Shapes s, shapes_of(call, false));
  OREE_TRY_ASSIGN(Output output, output_of(call, 0, s.outputs, false));
  OREE_TRY_ASSIGN(Scale scale, input_scale(call, 0));
  OREE_TRY_ASSIGN(std::vector<int32_t> x, centred(call, 0, scale.zero));  // what is padded counts as zero
  OREE_TRY_ASSIGN(std::vector<int32_t> w, centred(call, 1, 0));
  OREE_TRY_ASSIGN(std::vector<int64_t> bias, bias_of(call, s.outputs));
  const int64_t in_group = s.channels / s.group, out_group = s.outputs / s.group;
  std::vector<int64_t> y(static_cast<size_t>(elements_of(s.shape)));
  for (Taps taps(s.windows); !taps.done(); taps.next()) {
    for (int64_t n = 0; n < s.batch; ++n) {
      for (int64_t m = 0; m < s.outputs; ++m) {
        const int32_t* operand = x.data() + (n * s.channels + m / out_group * in_group) * s.in;
        const int32_t* weights = w.data() + m * in_group * s.kernel;
        int64_t sum = bias[static_cast<size_t>(m)];
        for (int64_t c = 0; c < in_group; ++c, operand += s.in, weights += s.kernel) {
          for (const Tap& t : taps.at()) sum += operand[t.in] * weights[t.kernel];
        }
        y[static_cast<size_t>((n * s.outputs + m) * s.out + taps.index())] = output.store(sum, m);
      }
    }
  }
  return store_all(call, y, s.shape);
}

Status run_conv_transpose(KernelCall& call) {
  if (is_hybrid(call)) return run_hybrid(call);
  OREE_TRY_ASSIGN(Shapes s, shapes_of(call, true));
  OREE_TRY_ASSIGN(Output output, output_of(call, 1, s.outputs, false));
  OREE_TRY_ASSIGN(Scale scale, input_scale(call, 0));
  OREE_TRY_ASSIGN(std::vector<int32_t> x, centred(call, 0, scale.zero));
  OREE_TRY_ASSIGN(std::vector<int32_t> w, centred(call, 1, 0));
  OREE_TRY_ASSIGN(std::vector<int64_t> bias, bias_of(call, s.outputs));
  const int64_t in_group = s.channels / s.group, out_group = s.outputs / s.group;
  std::vector<int64_t> y(static_cast<size_t>(elements_of(s.shape)), 0);
  std::vector<AxisWindow> back = s.windows;
  for (AxisWindow& window : back) std::swap(window.in, window.out);
  for (Taps taps(back); !taps.done(); taps.next()) {
    for (int64_t n = 0; n < s.batch; ++n) {
      for (int64_t c = 0; c < s.channels; ++c) {
        const int32_t value = x[static_cast<size_t>((n * s.channels + c) * s.in + taps.index())];
        for (int64_t m = 0; m < out_group; ++m) {
          const int32_t* weights = w.data() + (c * out_group + m) * s.kernel;
          int64_t* target = y.data() + (n * s.outputs + c / in_group * out_group + m) * s.out;
          for (const Tap& t : taps.at()) target[t.in] += value * weights[t.kernel];
        }
      }
    }
  }
  for (size_t i = 0; i < y.size(); ++i) {
    int64_t channel = static_cast<int64_t>(i) / s.out % s.outputs;
    y[i] = output.store(y[i] + bias[static_cast<size_t>(channel)], channel);
  }
  return store_all(call, y, s.shape);
}

// Rows of the operand times columns of the weights. Weights may have a zero point here.
Status run_gemm(KernelCall& call) {
  if (is_hybrid(call)) return run_hybrid(call);
  const Node& node = call.node;
  if (node.integer("transA", 0) != 0 || node.real("alpha", 1) != 1 || node.real("beta", 1) != 1)
    return call.unsupported("transA, alpha or beta between quantized values");
  const Shape &x = call.need(0).shape(), &w = call.need(1).shape();
  const bool by_rows = node.integer("transB", 0) != 0;
  if (x.size() != 2 || w.size() != 2 || x[1] != w[by_rows ? 1 : 0])
    return call.invalid(fmt::format("operand {} and weights {}", shape_text(x), shape_text(w)));
  const int64_t rows = x[0], depth = x[1], columns = w[by_rows ? 0 : 1];
  OREE_TRY_ASSIGN(Output output, output_of(call, by_rows ? 0 : 1, columns, true));
  OREE_TRY_ASSIGN(Scale scale, input_scale(call, 0));
  int64_t weight_zero = call.graph.value(node.inputs[1]).quantization->zero_points.at(0);
  OREE_TRY_ASSIGN(std::vector<int32_t> a, centred(call, 0, scale.zero));
  OREE_TRY_ASSIGN(std::vector<int32_t> b, centred(call, 1, static_cast<int32_t>(weight_zero)));
  OREE_TRY_ASSIGN(std::vector<int64_t> bias, bias_of(call, columns));
  OREE_TRY(call.fits(Dtype::kInt64, {rows, columns}));
  OREE_TRY(call.affordable(static_cast<double>(rows * columns) * static_cast<double>(depth)));
  std::vector<int64_t> y;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      int64_t sum = bias[static_cast<size_t>(c)];
      for (int64_t k = 0; k < depth; ++k) {
        sum += int64_t{a[static_cast<size_t>(r * depth + k)]} *
               b[static_cast<size_t>(by_rows ? c * depth + k : k * columns + c)];
      }
      y.push_back(output.store(sum, c));
    }
  }
  return store_all(call, y, {rows, columns});
}

// As numpy multiplies matrices; both operands may have a zero point.
Status run_matmul(KernelCall& call) {
  if (is_hybrid(call)) return run_hybrid(call);
  const Shape &x = call.need(0).shape(), &w = call.need(1).shape();
  if (x.size() < 2 || w.size() < 2 || x.back() != w[w.size() - 2])
    return call.invalid(fmt::format("operands {} and {}", shape_text(x), shape_text(w)));
  OREE_TRY_ASSIGN(Scale left, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale right, input_scale(call, 1));
  OREE_TRY_ASSIGN(Output output, output_of(call, w.size() - 1, w.back(), true));
  OREE_TRY_ASSIGN(std::vector<int32_t> a, centred(call, 0, left.zero));
  OREE_TRY_ASSIGN(std::vector<int32_t> b, centred(call, 1, right.zero));
  Shape batch_x(x.begin(), x.end() - 2), batch_w(w.begin(), w.end() - 2);
  OREE_TRY_ASSIGN(Shape shape, broadcast_shape(call, batch_x, batch_w));
  const int64_t rows = x[x.size() - 2], depth = x.back(), columns = w.back();
  Walk walk(shape, {broadcast_strides(batch_x, shape), broadcast_strides(batch_w, shape)});
  shape.push_back(rows);
  shape.push_back(columns);
  OREE_TRY(call.fits(Dtype::kInt64, shape));
  OREE_TRY(call.affordable(static_cast<double>(elements_of(shape)) * static_cast<double>(depth)));
  std::vector<int64_t> y;
  for (; !walk.done(); walk.next()) {
    const int32_t* p = a.data() + walk.at(0) * rows * depth;
    const int32_t* q = b.data() + walk.at(1) * depth * columns;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        int64_t sum = 0;
        for (int64_t k = 0; k < depth; ++k) sum += int64_t{p[r * depth + k]} * q[k * columns + c];
        y.push_back(output.store(sum, 0));
      }
    }
  }
  return store_all(call, y, shape);
}

constexpr KernelEntry kTable[] = {
    {"Conv", run_conv, 2},
    {"ConvTranspose", run_conv_transpose, 2},
    {"Gemm", run_gemm, 2},
    {"MatMul", run_matmul, 2},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedLinearKernels = kTable;

}  // namespace oree
