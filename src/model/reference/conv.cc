// SPDX-License-Identifier: Apache-2.0
// Convolutions: operand [N, C, ...], weights [M, C / group, ...], of a transposed one [C, M / group, ...].
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"
#include "model/reference/window.h"

namespace oree {
namespace {

struct Geometry {
  std::vector<AxisWindow> windows;
  int64_t batch = 0, channels = 0, outputs = 0, group = 1;
  int64_t kernel = 1;  // elements of one kernel
  int64_t in = 1;      // spatial elements
  int64_t out = 1;
  Shape shape;  // of the result
};

Result<Geometry> geometry(const KernelCall& call, const Tensor& x, const Tensor& w, bool transposed) {
  if (w.shape().size() < 3 || x.shape().size() != w.shape().size()) {
    return call.invalid(fmt::format("operand {} and weights {}", shape_text(x.shape()), shape_text(w.shape())));
  }
  Geometry g;
  Shape kernel(w.shape().begin() + 2, w.shape().end());
  if (call.node.find("kernel_shape") != nullptr && call.node.integers("kernel_shape") != kernel)
    return call.invalid(fmt::format("kernel_shape does not fit the weights {}", shape_text(w.shape())));
  OREE_TRY_ASSIGN(g.windows,
                  transposed ? transposed_windows_of(call, x.shape(), kernel) : windows_of(call, x.shape(), kernel));
  g.batch = x.shape()[0];
  g.channels = x.shape()[1];
  g.group = call.node.integer("group", 1);
  if (g.group < 1 || g.group > g.channels || g.channels % g.group != 0) {
    return call.invalid(fmt::format("{} channels in {} groups", g.channels, g.group));
  }
  g.outputs = transposed ? w.shape()[1] * g.group : w.shape()[0];
  int64_t expected = transposed ? g.channels : g.channels / g.group;
  int64_t found = transposed ? w.shape()[0] : w.shape()[1];
  if (found != expected || g.outputs % g.group != 0) {
    return call.invalid(
        fmt::format("weights {} for {} channels in {} groups", shape_text(w.shape()), g.channels, g.group));
  }
  g.shape = {g.batch, g.outputs};
  for (const AxisWindow& window : g.windows) {
    g.kernel *= window.kernel;
    g.in *= window.in;
    g.out *= window.out;
    g.shape.push_back(window.out);
  }
  OREE_TRY(call.fits(Dtype::kFloat64, g.shape));
  double places = static_cast<double>(std::max<int64_t>(g.batch, 1)) * static_cast<double>(std::max(g.in, g.out));
  OREE_TRY(call.affordable(places * static_cast<double>(std::max(w.elements(), g.kernel))));
  return g;
}

// sum(x * w), x and w read with their zero points taken off; reals add up in double.
template <typename T>
void convolve(const Geometry& g, const T* x, const T* w, std::span<T> out) {
  const int64_t in_group = g.channels / g.group, out_group = g.outputs / g.group;
  for (Taps taps(g.windows); !taps.done(); taps.next()) {
    for (int64_t n = 0; n < g.batch; ++n) {
      for (int64_t m = 0; m < g.outputs; ++m) {
        const T* operand = x + (n * g.channels + m / out_group * in_group) * g.in;
        const T* weights = w + m * in_group * g.kernel;
        std::conditional_t<std::is_same_v<T, float>, double, T> sum = 0;
        for (int64_t c = 0; c < in_group; ++c, operand += g.in, weights += g.kernel) {
          for (const Tap& t : taps.at())
            sum += static_cast<decltype(sum)>(operand[t.in]) * static_cast<decltype(sum)>(weights[t.kernel]);
        }
        out[static_cast<size_t>((n * g.outputs + m) * g.out + taps.index())] += static_cast<T>(sum);
      }
    }
  }
}

// A transposed convolution scatters where a convolution gathers: each element of the operand, times the kernel, is
// added to the places that would have met it.
template <typename T>
void scatter(const Geometry& g, const T* x, const T* w, std::span<T> out) {
  const int64_t in_group = g.channels / g.group, out_group = g.outputs / g.group;
  std::vector<AxisWindow> back = g.windows;  // the convolution that this one transposes
  for (AxisWindow& window : back) std::swap(window.in, window.out);
  for (Taps taps(back); !taps.done(); taps.next()) {
    for (int64_t n = 0; n < g.batch; ++n) {
      for (int64_t c = 0; c < g.channels; ++c) {
        const T value = x[(n * g.channels + c) * g.in + taps.index()];
        for (int64_t m = 0; m < out_group; ++m) {
          const T* weights = w + (c * out_group + m) * g.kernel;
          T* target = out.data() + (n * g.outputs + c / in_group * out_group + m) * g.out;
          for (const Tap& t : taps.at()) target[t.in] += value * weights[t.kernel];
        }
      }
    }
  }
}

template <typename T>
Status run_real(KernelCall& call, bool transposed) {
  const Tensor &x = call.need(0), &w = call.need(1);
  OREE_TRY_ASSIGN(Geometry g, geometry(call, x, w, transposed));
  const Tensor* bias = call.in(2);
  if (bias && bias->elements() != g.outputs)
    return call.invalid(fmt::format("{} biases for {} outputs", bias->elements(), g.outputs));
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, x.dtype(), g.shape));
  if (bias) {
    Elements<T> b(*bias);
    for (int64_t i = 0; i < out.size(); ++i) out[i] = b[i / g.out % g.outputs];
  }
  Elements<T> xs(x), ws(w);
  if (transposed)
    scatter<T>(g, xs.data(), ws.data(), out.span());
  else
    convolve<T>(g, xs.data(), ws.data(), out.span());
  call.set(0, std::move(out).take());
  return {};
}

Status real(KernelCall& call, bool transposed) {
  Dtype dtype = call.need(0).dtype();
  if (!dtype_is_float(dtype) || call.need(1).dtype() != dtype)
    return call.invalid("operand and weights must be of one float type");
  return with_real(dtype, [&](auto zero) { return run_real<decltype(zero)>(call, transposed); });
}

Status run_conv(KernelCall& call) { return real(call, false); }
Status run_conv_transpose(KernelCall& call) { return real(call, true); }

bool is_byte(const Tensor& t) { return t.dtype() == Dtype::kInt8 || t.dtype() == Dtype::kUint8; }

// The elements less their zero point, which is one number or one a slice of axis 0.
Result<std::vector<int64_t>> centred(const KernelCall& call, const Tensor& t, const Tensor* zero_point) {
  std::vector<int64_t> out(static_cast<size_t>(t.elements()));
  widen<int64_t>(t, out);
  if (!zero_point || t.elements() == 0) return out;
  Elements<int64_t> zero(*zero_point);
  if (zero.size() != 1 && zero.size() != t.shape()[0]) return call.invalid(fmt::format("{} zero points", zero.size()));
  int64_t slice = t.elements() / t.shape()[0];
  for (size_t i = 0; i < out.size(); ++i) out[i] -= zero[zero.size() == 1 ? 0 : static_cast<int64_t>(i) / slice];
  return out;
}

Status run_conv_integer(KernelCall& call) {
  const Tensor &x = call.need(0), &w = call.need(1);
  if (!is_byte(x) || !is_byte(w)) return call.invalid("operand and weights must be int8 or uint8");
  OREE_TRY_ASSIGN(Geometry g, geometry(call, x, w, false));
  if (call.in(2) && call.in(2)->elements() != 1) return call.invalid("the operand's zero point must be one number");
  OREE_TRY_ASSIGN(std::vector<int64_t> xs, centred(call, x, call.in(2)));
  OREE_TRY_ASSIGN(std::vector<int64_t> ws, centred(call, w, call.in(3)));
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt32, g.shape));
  convolve<int64_t>(g, xs.data(), ws.data(), out.span());
  call.set(0, std::move(out).take());
  return {};
}

// y = saturate(round(sum * x_scale * w_scale / y_scale) + y_zero_point), rounded half to even.
Status run_qlinear_conv(KernelCall& call) {
  const Tensor &x = call.need(0), &w = call.need(3), &zero = call.need(7);
  if (!is_byte(x) || !is_byte(w) || !is_byte(zero))
    return call.invalid("operand, weights and result must be int8 or uint8");
  OREE_TRY_ASSIGN(Geometry g, geometry(call, x, w, false));
  OREE_TRY_ASSIGN(std::vector<int64_t> xs, centred(call, x, &call.need(2)));
  OREE_TRY_ASSIGN(std::vector<int64_t> ws, centred(call, w, &call.need(5)));
  Elements<float> x_scale(call.need(1)), w_scale(call.need(4)), y_scale(call.need(6));
  Elements<int64_t> y_zero(zero);
  if (x_scale.size() != 1 || y_scale.size() != 1 || y_zero.size() != 1 ||
      (w_scale.size() != 1 && w_scale.size() != g.outputs)) {
    return call.invalid("scales and zero points must be one number, those of the weights one or one an output");
  }
  std::vector<int64_t> sums(static_cast<size_t>(elements_of(g.shape)), 0);
  if (const Tensor* bias = call.in(8)) {
    if (bias->elements() != g.outputs) return call.invalid("one bias an output is wanted");
    Elements<int64_t> b(*bias);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = b[static_cast<int64_t>(i) / g.out % g.outputs];
  }
  convolve<int64_t>(g, xs.data(), ws.data(), sums);
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, zero.dtype(), g.shape));
  const double low = zero.dtype() == Dtype::kInt8 ? -128 : 0, high = zero.dtype() == Dtype::kInt8 ? 127 : 255;
  for (int64_t i = 0; i < out.size(); ++i) {
    double scale =
        static_cast<double>(x_scale[0]) * w_scale[w_scale.size() == 1 ? 0 : i / g.out % g.outputs] / y_scale[0];
    double y =
        std::nearbyint(static_cast<double>(sums[static_cast<size_t>(i)]) * scale) + static_cast<double>(y_zero[0]);
    out[i] = static_cast<int64_t>(std::min(std::max(y, low), high));
  }
  call.set(0, std::move(out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"Conv", run_conv, 2},
    {"ConvInteger", run_conv_integer, 2},
    {"ConvTranspose", run_conv_transpose, 2},
    {"QLinearConv", run_qlinear_conv, 8},
};

}  // namespace

const std::span<const KernelEntry> kConvKernels = kTable;

}  // namespace oree
