// SPDX-License-Identifier: Apache-2.0
// Curves of 16 bits as TensorFlow Lite for Microcontrollers computes them: from tables, with lines between their
// points.
#include "model/reference/quantized_curves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "model/reference/shapes.h"

namespace oree {
namespace {

// sigmoid(i / 24), 16 bits after the point, raised by half of what the lines between the points lie too low.
const std::array<uint32_t, 256>& sigmoid_table() {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (size_t i = 0; i < t.size(); ++i) {
      double y = 1.0 / (1.0 + std::exp(-static_cast<double>(i) / 24.0));
      double bend = y * (1 - y) * (2 * y - 1) / (24.0 * 24.0);
      t[i] = static_cast<uint32_t>(std::min(std::round(65536.0 * (y + bend / 16)), 65535.0));
    }
    t.back() = 65535;  // from here on the curve is flat
    return t;
  }();
  return table;
}

// Brings integers to 1/(3 * 4096): + and - 2^17 stand for + and - 10.7.
struct Conversion {
  int32_t factor = 3;
  int shift = 0;
  int32_t apply(int32_t x) const { return (x * factor + (shift > 0 ? 1 << (shift - 1) : 0)) >> shift; }
};

// `shift_max`: powers of two up to 2^shift_max / 4096 need no rounding.
Conversion conversion_of(float scale, int shift_max) {
  int exponent = 0;
  bool power = std::frexp(scale, &exponent) == 0.5F;
  int left = 12 + exponent - 1;
  if (power && left >= 0 && left <= shift_max) return {3 << left, 0};
  double factor = static_cast<double>(scale) * 4096.0 * 3.0;
  Conversion c;
  for (c.shift = 0; factor <= 32767.0 / 2.0 && c.shift <= 30; ++c.shift) factor *= 2.0;
  c.factor = static_cast<int32_t>(factor);
  return c;
}

int32_t sigmoid_at(int32_t x) {
  uint32_t magnitude = static_cast<uint32_t>(std::abs(x)), at = magnitude >> 9, result = 0x7FFF << 10;
  if (at < 255) {
    uint32_t a = sigmoid_table()[at], b = sigmoid_table()[at + 1];
    result = (a << 9) + (magnitude & 0x1FF) * (b - a);
  }
  result = x >= 0 ? result + (1 << 9) : (1U << 25) - result + (1 << 9) - 1;
  return static_cast<int32_t>(result >> 10);
}

int32_t tanh_at(int32_t x) {
  uint32_t magnitude = static_cast<uint32_t>(std::abs(x)), at = magnitude >> 8;
  int32_t result = 0xFFFF << 8;
  if (at < 255) {
    uint32_t a = sigmoid_table()[at], b = sigmoid_table()[at + 1];
    result = static_cast<int32_t>((a << 8) + (magnitude & 0xFF) * (b - a));
  }
  result = x >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1;
  return result >> 8;
}

template <typename F>
Status each_16(KernelCall& call, int shift_max, F f) {
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt16, call.need(0).shape()));
  Conversion convert = conversion_of(in.scale, shift_max);
  Elements<int64_t> x(call.need(0));
  for (int64_t i = 0; i < x.size(); ++i) out[i] = f(convert.apply(static_cast<int32_t>(x[i])));
  call.set(0, std::move(out).take());
  return {};
}

// A function over all of int16, at 513 points; each is moved so that the line behind it errs least in its middle.
class Table {
 public:
  template <typename F>
  Table(double in_scale, int32_t in_zero, double out_scale, F f) {
    double least = in_scale * (INT16_MIN - in_zero), most = in_scale * (INT16_MAX - in_zero);
    double step = (most - least) / 512, per_unit = 65536.0 / (out_scale * 65535.0);
    auto cut = [](double v) { return static_cast<int16_t>(std::clamp(v, -32768.0, 32767.0)); };
    for (int i = 0; i < 512; ++i) {
      double y = f(least + i * step), middle = f(least + i * step + step / 2), next = f(least + (i + 1) * step);
      double sample = std::round(y * per_unit);
      double on_line = std::round((next * per_unit + sample) / 2);
      double off = std::round((on_line - std::round(middle * per_unit)) / 2);
      points_[static_cast<size_t>(i)] = cut(sample - off);
    }
    points_[512] = cut(std::round(f(most) * per_unit));
  }

  int16_t at(int32_t x) const {
    auto value = static_cast<int16_t>(std::clamp(x, INT16_MIN, INT16_MAX));
    auto place = static_cast<size_t>(256 + (value >> 7));
    int32_t base = points_[place], slope = points_[place + 1] - base;
    return static_cast<int16_t>(base + ((slope * (value & 0x7F) + 64) >> 7));
  }

 private:
  std::array<int16_t, 513> points_{};
};

const Table& exp_table() {
  static const Table t(10.0 / 65535.0, INT16_MAX, 2.0 / 65535.0, [](double x) { return std::exp(x); });
  return t;
}
const Table& reciprocal_table() {
  static const Table t(1.0 / 65535.0, INT16_MIN, 2.0 / 65535.0, [](double x) { return 1.0 / (1.0 + x); });
  return t;
}

}  // namespace

int32_t sigmoid_16(int32_t x) { return sigmoid_at(Conversion{}.apply(x)); }

int32_t tanh_16(int32_t x, int power) {
  OREE_ASSERT(power >= kTanhPowerMin && power <= kTanhPowerMax);
  const int left = 12 + power;
  return tanh_at((left >= 0 ? Conversion{3 << left, 0} : Conversion{3, -left}).apply(x));
}

Status run_sigmoid_16(KernelCall& call) { return each_16(call, 0, sigmoid_at); }
Status run_tanh_16(KernelCall& call) { return each_16(call, 1, tanh_at); }

Status run_softmax_16(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), x.shape().size()));
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt16, x.shape()));
  // Differences from the largest: [-10, 0] takes 16 bits.
  const Multiplier factor = quantized_multiplier(static_cast<double>(in.scale) / (10.0 / 65535.0));
  AxisView view = view_at(x.shape(), axis);
  Elements<int64_t> values(x);
  std::vector<int32_t> exps(static_cast<size_t>(view.length));
  for (int64_t line = 0; line < view.outer * view.inner; ++line) {
    auto at = [&](int64_t k) { return (line / view.inner * view.length + k) * view.inner + line % view.inner; };
    int64_t largest = INT64_MIN;
    for (int64_t k = 0; k < view.length; ++k) largest = std::max(largest, values[at(k)]);
    int32_t sum = 0;
    for (int64_t k = 0; k < view.length; ++k) {
      int32_t e = exp_table().at(multiply(static_cast<int32_t>(values[at(k)] - largest), factor) + 32767);
      exps[static_cast<size_t>(k)] = e;
      sum += e;
    }
    if (sum <= 0) return call.unsupported("more elements along its axis than 16 bits can tell apart");
    int zeros = std::countl_zero(static_cast<uint32_t>(sum));
    auto shifted = static_cast<int32_t>(((int64_t{sum} << (zeros - 1)) + (1 << 13)) >> 14);
    int32_t reciprocal = reciprocal_table().at(shifted - (1 << 15) - (1 << 16));
    int right = 31 - zeros;
    for (int64_t k = 0; k < view.length; ++k) {
      int64_t rounding = right > 0 ? int64_t{1} << (right - 1) : 0;
      int64_t y = (int64_t{exps[static_cast<size_t>(k)]} * reciprocal + rounding) >> right;
      out[at(k)] = std::clamp<int64_t>(y, 0, 32767);
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

}  // namespace oree
