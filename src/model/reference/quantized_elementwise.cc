// SPDX-License-Identifier: Apache-2.0
// Quantized operators that compute each element by itself.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/quantized_curves.h"

namespace oree {
namespace {

// Wraps: a zero point that no validation has seen may be anything.
int32_t from_zero(int32_t v, int32_t zero) { return wrap(int64_t{v} - zero); }

double wide(float v) { return static_cast<double>(v); }

struct Unary {
  Scale in, out;
  IntRange range;
};

Result<Unary> unary_of(const KernelCall& call) {
  Unary u;
  OREE_TRY_ASSIGN(u.in, input_scale(call, 0));
  OREE_TRY_ASSIGN(u.out, output_scale(call));
  OREE_TRY_ASSIGN(u.range, output_range(call));
  return u;
}

// f(integer) for each element; the result is clamped to the output's type.
template <typename F>
Status each(KernelCall& call, const IntRange& range, F f) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, output_dtype(call), x.shape()));
  Elements<int64_t> in(x);
  for (int64_t i = 0; i < in.size(); ++i) out[i] = range.clamp(f(static_cast<int32_t>(in[i])));
  call.set(0, std::move(out).take());
  return {};
}

// --- from reals, to reals, from one scale to another
Status run_quantize(KernelCall& call) {
  OREE_TRY_ASSIGN(Scale to, output_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  const Tensor& x = call.need(0);
  if (dtype_is_float(x.dtype())) {
    OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, output_dtype(call), x.shape()));
    Elements<float> in(x);
    for (int64_t i = 0; i < in.size(); ++i) out[i] = range.clamp(quantized(in[i], to));
    call.set(0, std::move(out).take());
    return {};
  }
  OREE_TRY_ASSIGN(Scale from, input_scale(call, 0));
  Multiplier factor = quantized_multiplier(wide(from.scale) / wide(to.scale));
  return each(call, range, [&](int32_t v) { return int64_t{multiply(v - from.zero, factor)} + to.zero; });
}

Status run_dequantize(KernelCall& call) {
  const Tensor& x = call.need(0);
  const Value& value = call.graph.value(call.node.inputs[0]);
  if (!value.quantization) return run_plain(call, call.inputs);
  const Quantization& q = *value.quantization;
  int64_t slices = static_cast<int64_t>(q.scales.size());
  AxisView view = q.per_axis() ? view_at(x.shape(), static_cast<size_t>(q.axis)) : AxisView{1, 1, x.elements()};
  if (slices != 1 && view.length != slices)
    return call.invalid(fmt::format("{} scales for {} slices", slices, view.length));
  OREE_TRY_ASSIGN(NewElements<float> out, new_elements<float>(call, Dtype::kFloat32, x.shape()));
  Elements<int64_t> in(x);
  for (int64_t i = 0; i < in.size(); ++i) {
    auto slice = static_cast<size_t>(slices == 1 ? 0 : i / view.inner % view.length);
    // As TFLite: in double, rounded once.
    out[i] = static_cast<float>(wide(q.scales[slice]) * static_cast<double>(in[i] - q.zero_points[slice]));
  }
  call.set(0, std::move(out).take());
  return {};
}

// --- activations that only cut: the operand's and the result's scale are mostly equal
Status run_relu(KernelCall& call) {
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  Multiplier factor = quantized_multiplier(wide(u.in.scale) / wide(u.out.scale));
  IntRange range{std::max(u.range.low, u.out.zero), u.range.high};
  return each(call, range, [&](int32_t v) { return int64_t{u.out.zero} + multiply(from_zero(v, u.in.zero), factor); });
}

Result<float> bound(const KernelCall& call, size_t input) {
  const Tensor& t = call.need(input);
  if (t.elements() != 1) return call.invalid("a bound must be one number");
  double v = t.to_doubles()[0];
  const std::optional<Quantization>& q = call.graph.value(call.node.inputs[input]).quantization;
  return static_cast<float>(q ? wide(q->scales[0]) * (v - static_cast<double>(q->zero_points[0])) : v);
}

Status run_clip(KernelCall& call) {
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  IntRange range = u.range;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(float low, bound(call, 1));
    range.low = std::max(range.low, u.range.clamp(quantized(low, u.out)));
  }
  if (call.in(2)) {
    OREE_TRY_ASSIGN(float high, bound(call, 2));
    range.high = std::min(range.high, u.range.clamp(quantized(high, u.out)));
  }
  Multiplier factor = quantized_multiplier(wide(u.in.scale) / wide(u.out.scale));
  return each(call, range, [&](int32_t v) { return int64_t{u.out.zero} + multiply(from_zero(v, u.in.zero), factor); });
}

Status run_leaky_relu(KernelCall& call) {
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  float alpha = call.node.real("alpha", 0.01F);
  Multiplier same = quantized_multiplier(wide(u.in.scale) / wide(u.out.scale));
  Multiplier less = quantized_multiplier(wide(u.in.scale) * wide(alpha) / wide(u.out.scale));
  return each(call, u.range, [&](int32_t v) {
    int32_t x = from_zero(v, u.in.zero);
    return int64_t{u.out.zero} + multiply(x, x >= 0 ? same : less);
  });
}

// --- curves in fixed point
Status want_int8(const KernelCall& call) {
  if (call.need(0).dtype() == Dtype::kInt8 && output_dtype(call) == Dtype::kInt8) return {};
  return call.unsupported(fmt::format("{} to {}", dtype_name(call.need(0).dtype()), dtype_name(output_dtype(call))));
}

struct Curve {
  Multiplier factor;   // to 4 integer bits
  int32_t radius = 0;  // beyond, the curve is flat
};

Curve curve_of(const Scale& in) {
  Curve c;
  double q = std::frexp(wide(in.scale) * 0x1p27, &c.factor.shift);
  c.factor.m = static_cast<int32_t>(std::min(std::round(q * 0x1p31), 2147483647.0));
  c.radius = input_radius(4, c.factor.shift);
  if (c.factor.shift < -31) c.factor = {};  // no integer reaches a step of the curve
  return c;
}

bool is_int16(const KernelCall& call) {
  return call.need(0).dtype() == Dtype::kInt16 && output_dtype(call) == Dtype::kInt16;
}

Status run_sigmoid(KernelCall& call) {
  if (is_int16(call)) return run_sigmoid_16(call);
  OREE_TRY(want_int8(call));
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  Curve c = curve_of(u.in);
  return each(call, u.range, [&](int32_t v) -> int64_t {
    int32_t x = from_zero(v, u.in.zero);
    if (x <= -c.radius) return -128;
    if (x >= c.radius) return 127;
    return int64_t{rounding_divide_by_pot(logistic_q4(multiply(x, c.factor)), 23)} - 128;
  });
}

Status run_tanh(KernelCall& call) {
  if (is_int16(call)) return run_tanh_16(call);
  OREE_TRY(want_int8(call));
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  Curve c = curve_of(u.in);
  return each(call, u.range, [&](int32_t v) -> int64_t {
    int32_t x = from_zero(v, u.in.zero);
    if (x <= -c.radius) return -128;
    if (x >= c.radius) return 127;
    return rounding_divide_by_pot(tanh_q4(multiply(x, c.factor)), 24);
  });
}

// A factor cut to 16 bits.
struct Multiplier16 {
  int16_t m = 0;
  int shift = 0;
};
Multiplier16 halved(double real) {
  Multiplier full = quantized_multiplier(real);
  auto m = static_cast<int16_t>(full.m >= INT32_MAX - (1 << 15) ? INT16_MAX : (full.m + (1 << 15)) >> 16);
  return {m, full.shift};
}

int16_t divide16(int16_t x, int exponent) { return static_cast<int16_t>(rounding_divide_by_pot(x, exponent)); }

Status run_hard_swish(KernelCall& call) {
  OREE_TRY(want_int8(call));
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  float hires = (1.0F / 128.0F) * u.in.scale;
  Multiplier16 to_output = halved(wide(hires) / wide(u.out.scale));
  Multiplier16 to_gate = halved(wide(hires) / wide(3.0F / 32768.0F));
  if (to_output.shift > 0) return call.unsupported("an output with a scale far below that of its input");
  return each(call, u.range, [&](int32_t v) -> int64_t {
    auto x = static_cast<int16_t>(int64_t{from_zero(v, u.in.zero)} * 128);
    int16_t y = rounding_doubling_high_mul16(x, to_output.m);
    int16_t gate = x;
    if (to_gate.shift > 0) gate = saturating_shift_left16(gate, to_gate.shift - 1);
    gate = rounding_doubling_high_mul16(gate, to_gate.m);
    if (to_gate.shift > 0) gate = saturating_shift_left16(gate, 1);
    if (to_gate.shift < 0) gate = divide16(gate, -to_gate.shift);
    gate = static_cast<int16_t>((gate + (1 << 15)) >> 1);
    bool overflow = gate == y && gate == INT16_MIN;
    auto product = static_cast<int16_t>(overflow ? INT16_MAX : int32_t{gate} * y / (1 << 15));
    return int64_t{divide16(product, -to_output.shift)} + u.out.zero;
  });
}

// Others go through reals, one table of 256: as TFLM makes its own.
template <typename F>
Status by_reals(KernelCall& call, F f) {
  OREE_TRY(want_int8(call));
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  return each(call, u.range, [&](int32_t v) {
    float x = u.in.scale * static_cast<float>(from_zero(v, u.in.zero));
    return quantized(f(x), u.out);
  });
}

Status run_elu(KernelCall& call) {
  float alpha = call.node.real("alpha", 1);
  return by_reals(call, [&](float x) { return x < 0 ? alpha * std::expm1(x) : x; });
}
Status run_exp(KernelCall& call) {
  return by_reals(call, [](float x) { return std::exp(x); });
}
Status run_log(KernelCall& call) {
  return by_reals(call, [](float x) { return x > 0 ? std::log(x) : -INFINITY; });
}
// Alone among them it is cut, not rounded, and by LiteRT: TFLM has it in float only.
Status run_sqrt(KernelCall& call) {
  OREE_TRY(want_int8(call));
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  for (int8_t v : call.need(0).as<int8_t>()) {
    if (v < u.in.zero) return call.invalid("the root of a number below zero");
  }
  return each(call, u.range, [&](int32_t v) {
    float root = std::sqrt(u.in.scale * static_cast<float>(from_zero(v, u.in.zero)));
    return quantized(std::trunc(root / u.out.scale) * u.out.scale, u.out);
  });
}
Status run_gelu(KernelCall& call) {
  bool tanh = call.node.text("approximate", "none") == "tanh";
  return by_reals(call, [&](float x) {
    if (!tanh) return 0.5F * x * (1 + std::erf(x * 0.70710678F));
    return 0.5F * x * (1 + std::tanh(0.797884561F * (x + 0.044715F * x * x * x)));
  });
}
Status run_abs(KernelCall& call) {
  OREE_TRY_ASSIGN(Unary u, unary_of(call));
  Multiplier factor = quantized_multiplier(wide(u.in.scale) / wide(u.out.scale));
  bool same = u.in.scale == u.out.scale;
  return each(call, u.range, [&](int32_t v) {
    int32_t x = static_cast<int32_t>(std::abs(int64_t{from_zero(v, u.in.zero)}));
    return int64_t{u.out.zero} + (same ? x : multiply(x, factor));
  });
}

// --- two operands
struct Binary {
  Scale a, b, out;
  IntRange range;
};

Result<Binary> binary_of(const KernelCall& call) {
  Binary s;
  OREE_TRY_ASSIGN(s.a, input_scale(call, 0));
  OREE_TRY_ASSIGN(s.b, input_scale(call, 1));
  OREE_TRY_ASSIGN(s.out, output_scale(call));
  OREE_TRY_ASSIGN(s.range, output_range(call));
  return s;
}

template <typename F>
Status both(KernelCall& call, const IntRange& range, F f) {
  return binary<int64_t>(call, output_dtype(call), [&](int64_t a, int64_t b) -> int64_t {
    return range.clamp(f(static_cast<int32_t>(a), static_cast<int32_t>(b)));
  });
}

// Both operands are brought to twice the larger scale, with as many bits as 32 allow.
Status sum(KernelCall& call, int32_t sign) {
  OREE_TRY_ASSIGN(Binary s, binary_of(call));
  const int left = call.need(0).dtype() == Dtype::kInt16 ? 15 : 20;
  double twice = 2 * wide(std::max(s.a.scale, s.b.scale));
  Multiplier a = quantized_multiplier(wide(s.a.scale) / twice), b = quantized_multiplier(wide(s.b.scale) / twice);
  Multiplier out = quantized_multiplier(twice / (static_cast<double>(1 << left) * wide(s.out.scale)));
  return both(call, s.range, [&](int32_t x, int32_t y) {
    int32_t p = multiply((x - s.a.zero) * (1 << left), a), q = multiply((y - s.b.zero) * (1 << left), b);
    return int64_t{multiply(p + sign * q, out)} + s.out.zero;
  });
}
Status run_add(KernelCall& call) { return sum(call, 1); }
Status run_sub(KernelCall& call) { return sum(call, -1); }

Status run_mul(KernelCall& call) {
  OREE_TRY_ASSIGN(Binary s, binary_of(call));
  Multiplier factor = quantized_multiplier(wide(s.a.scale) * wide(s.b.scale) / wide(s.out.scale));
  return both(call, s.range, [&](int32_t x, int32_t y) {
    return int64_t{multiply((x - s.a.zero) * (y - s.b.zero), factor)} + s.out.zero;
  });
}

Status run_prelu(KernelCall& call) {
  OREE_TRY_ASSIGN(Binary s, binary_of(call));
  Multiplier same = quantized_multiplier(wide(s.a.scale) / wide(s.out.scale));
  Multiplier slope = quantized_multiplier(wide(s.a.scale) * wide(s.b.scale) / wide(s.out.scale));
  return both(call, s.range, [&](int32_t x, int32_t y) {
    int32_t v = x - s.a.zero;
    return int64_t{v >= 0 ? multiply(v, same) : multiply(v * (y - s.b.zero), slope)} + s.out.zero;
  });
}

// x * 2^left * m, to the right where `left` is below zero.
int32_t shifted(int32_t x, int32_t m, int left) {
  int32_t product = rounding_doubling_high_mul(x, m);
  if (left >= 0) return saturating_shift_left(product, left);
  return left < -31 ? 0 : rounding_divide_by_pot(product, -left);
}

// By the divisor's reciprocal, with all bits that the dividend leaves.
Status run_div(KernelCall& call) {
  OREE_TRY_ASSIGN(Binary s, binary_of(call));
  if (call.need(0).dtype() != Dtype::kInt8 || call.need(1).dtype() != Dtype::kInt8)
    return call.unsupported(dtype_name(call.need(0).dtype()));
  for (int8_t v : call.need(1).as<int8_t>()) {
    if (v == s.b.zero) return call.invalid("a division by zero");
  }
  Multiplier factor = quantized_multiplier(wide(s.a.scale) / (wide(s.b.scale) * wide(s.out.scale)));
  return both(call, s.range, [&](int32_t x, int32_t y) -> int64_t {
    int64_t dividend = int64_t{x} - s.a.zero, divisor = int64_t{y} - s.b.zero;
    if (divisor < 0) {
      dividend = -dividend;
      divisor = -divisor;
    }
    auto p = static_cast<int32_t>(std::clamp<int64_t>(dividend, -INT32_MAX, INT32_MAX));
    auto q = static_cast<int32_t>(std::min<int64_t>(divisor, INT32_MAX));
    int over_unit = 0;
    int32_t inverse = reciprocal(q, 31, over_unit);
    int headroom = std::countl_zero(static_cast<uint32_t>(p < 0 ? -p : p)) - 1;
    int32_t quotient = rounding_doubling_high_mul(p * (1 << headroom), inverse);
    return int64_t{shifted(quotient, factor.m, factor.shift - over_unit - headroom)} + s.out.zero;
  });
}

// --- order is the same among integers of one scale
Status run_by_order(KernelCall& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (call.node.input(i) == kNoValue || !call.graph.value(call.node.inputs[i]).quantization) continue;
    OREE_TRY_ASSIGN(Scale s, input_scale(call, i));
    OREE_TRY_ASSIGN(Scale first, input_scale(call, 0));
    if (s.scale != first.scale || s.zero != first.zero) return call.unsupported("operands of different scales");
  }
  ValueId out = call.node.output(0);
  if (out != kNoValue && call.graph.value(out).quantization) {
    OREE_TRY_ASSIGN(Scale first, input_scale(call, 0));
    OREE_TRY_ASSIGN(Scale to, output_scale(call));
    if (to.scale != first.scale || to.zero != first.zero)
      return call.unsupported("a result of another scale than its operand");
  }
  return run_plain(call, call.inputs);
}

constexpr KernelEntry kTable[] = {
    {"Abs", run_abs},
    {"Add", run_add, 2},
    {"ArgMax", run_by_order},
    {"ArgMin", run_by_order},
    {"Clip", run_clip},
    {"DequantizeLinear", run_dequantize},
    {"Div", run_div, 2},
    {"Elu", run_elu},
    {"Exp", run_exp},
    {"Gelu", run_gelu},
    {"HardSwish", run_hard_swish},
    {"LeakyRelu", run_leaky_relu},
    {"Log", run_log},
    {"Max", run_by_order},
    {"MaxPool", run_by_order},
    {"Min", run_by_order},
    {"Mul", run_mul, 2},
    {"PRelu", run_prelu, 2},
    {"QuantizeLinear", run_quantize},
    {"ReduceMax", run_by_order},
    {"ReduceMin", run_by_order},
    {"Relu", run_relu},
    {"Sigmoid", run_sigmoid},
    {"Sqrt", run_sqrt},
    {"Sub", run_sub, 2},
    {"Tanh", run_tanh},
    {"TopK", run_by_order, 2},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedElementwiseKernels = kTable;

}  // namespace oree
