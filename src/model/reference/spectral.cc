// SPDX-License-Identifier: Apache-2.0
// Fourier transforms by their definition, the windows that go before them and the filter banks behind them. Sums are
// made in double.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/limits.h"
#include "model/ops/element_types.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

struct Complex {
  double re = 0;
  double im = 0;
};

// e^(2 pi i k / n) for k = 0 .. n-1.
std::vector<Complex> circle(int64_t n) {
  std::vector<Complex> out;
  for (int64_t k = 0; k < n; ++k) {
    double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    out.push_back({std::cos(angle), std::sin(angle)});
  }
  return out;
}

// One bin of a transform over circle.size() numbers, of which those that are not given are 0.
Complex bin_of(std::span<const Complex> x, const std::vector<Complex>& circle, int64_t bin, bool inverse) {
  const auto n = static_cast<int64_t>(circle.size());
  Complex sum;
  int64_t turn = 0;
  for (const Complex& v : x) {
    Complex w = circle[static_cast<size_t>(turn)];
    if (!inverse) w.im = -w.im;
    sum.re += v.re * w.re - v.im * w.im;
    sum.im += v.re * w.im + v.im * w.re;
    turn = (turn + bin) % n;
  }
  if (inverse) sum = {sum.re / static_cast<double>(n), sum.im / static_cast<double>(n)};
  return sum;
}

Status want_signal(const KernelCall& call) {
  const Tensor& x = call.need(0);
  if (!dtype_is_float(x.dtype()) || x.shape().size() < 2 || x.shape().back() < 1 || x.shape().back() > 2)
    return call.invalid(fmt::format("a signal of {} {}", dtype_name(x.dtype()), shape_text(x.shape())));
  return {};
}

Result<int64_t> length_input(const KernelCall& call, size_t input, int64_t min) {
  OREE_TRY_ASSIGN(int64_t n, one_int(call, input));
  if (n < min || n > kReferenceElementsMax) return call.invalid(fmt::format("a length of {}", n));
  return n;
}

// How a transform along one axis goes.
struct DftPlan {
  AxisView view;       // of the signal without its parts
  int64_t parts = 1;   // of a number: 2 are complex
  int64_t length = 0;  // of the transform
  int64_t bins = 0;    // that are kept
  int64_t parts_out = 2;
  bool inverse = false, onesided = false;
  Shape out;
};

Result<DftPlan> plan_dft(const KernelCall& call) {
  OREE_TRY(want_signal(call));
  const Shape& x = call.need(0).shape();
  int64_t axis_given = -2;
  if (call.in(2)) {
    OREE_TRY_ASSIGN(axis_given, one_int(call, 2));
  }
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, axis_given, x.size()));
  if (axis + 1 == x.size()) return call.invalid("the axis is that of the parts of a number");
  DftPlan p;
  p.inverse = call.node.integer("inverse", 0) != 0;
  p.onesided = call.node.integer("onesided", 0) != 0;
  p.parts = x.back();
  p.view = view_at(Shape(x.begin(), x.end() - 1), axis);
  p.length = p.onesided && p.inverse ? 2 * (p.view.length - 1) : p.view.length;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(p.length, length_input(call, 1, 1));
  }
  if (p.length < 1) return call.invalid(fmt::format("a transform of {} numbers", p.length));
  p.bins = p.onesided && !p.inverse ? p.length / 2 + 1 : p.length;
  p.parts_out = p.onesided && p.inverse ? 1 : 2;
  p.out = x;
  p.out[axis] = p.bins;
  p.out.back() = p.parts_out;
  OREE_TRY(call.fits(Dtype::kFloat64, {std::max(p.length, p.view.length), 2}));
  OREE_TRY(call.affordable(static_cast<double>(p.view.outer) * static_cast<double>(p.view.inner) *
                           static_cast<double>(p.length) * static_cast<double>(p.length)));
  return p;
}

// The whole spectrum of a real signal, from its first half: what is behind is the first half's conjugate.
void complete(std::vector<Complex>& x, int64_t length) {
  const auto half = static_cast<size_t>(length / 2 + 1);
  x.resize(half);
  x[0].im = 0;
  if (length % 2 == 0) x[half - 1].im = 0;
  for (auto k = static_cast<int64_t>(half); k < length; ++k) {
    const Complex& mirrored = x[static_cast<size_t>(length - k)];
    x.push_back({mirrored.re, -mirrored.im});
  }
}

Status run_dft(KernelCall& call) {
  OREE_TRY_ASSIGN(DftPlan p, plan_dft(call));
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, call.need(0).dtype(), p.out));
  Elements<double> x(call.need(0));
  const std::vector<Complex> turns = circle(p.length);
  std::vector<Complex> line;
  for (int64_t i = 0; i < p.view.outer * p.view.inner; ++i) {
    const int64_t outer = i / p.view.inner, inner = i % p.view.inner;
    line.clear();
    for (int64_t k = 0; k < std::min(p.view.length, p.length); ++k) {
      int64_t at = ((outer * p.view.length + k) * p.view.inner + inner) * p.parts;
      line.push_back({x[at], p.parts == 2 ? x[at + 1] : 0});
    }
    if (p.onesided && p.inverse) complete(line, p.length);
    for (int64_t bin = 0; bin < p.bins; ++bin) {
      Complex y = bin_of(line, turns, bin, p.inverse);
      int64_t at = ((outer * p.bins + bin) * p.view.inner + inner) * p.parts_out;
      out[at] = y.re;
      if (p.parts_out == 2) out[at + 1] = y.im;
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

// signal [batch, samples, 1 or 2], step, window, length -> [batch, frames, bins, 2]
Status run_stft(KernelCall& call) {
  OREE_TRY(want_signal(call));
  const Tensor& x = call.need(0);
  if (x.shape().size() != 3) return call.invalid(fmt::format("a signal of shape {}", shape_text(x.shape())));
  const int64_t samples = x.shape()[1], parts = x.shape()[2];
  OREE_TRY_ASSIGN(int64_t step, length_input(call, 1, 1));
  int64_t length = call.in(2) ? call.need(2).elements() : samples;
  if (call.in(3)) {
    OREE_TRY_ASSIGN(length, length_input(call, 3, 1));
  }
  if (length < 1 || length > samples || (call.in(2) && call.need(2).elements() != length))
    return call.invalid(fmt::format("frames of {} in a signal of {}, or a window of another length", length, samples));
  const bool onesided = call.node.integer("onesided", 1) != 0;
  if (onesided && parts == 2) return call.invalid("half a spectrum of a complex signal");
  const int64_t frames = (samples - length) / step + 1, bins = onesided ? length / 2 + 1 : length;
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, x.dtype(), {x.shape()[0], frames, bins, 2}));
  OREE_TRY(call.affordable(static_cast<double>(out.size()) * static_cast<double>(length)));
  Elements<double> signal(x);
  std::vector<double> window(static_cast<size_t>(length), 1);
  if (call.in(2)) window = call.need(2).to_doubles();
  const std::vector<Complex> turns = circle(length);
  std::vector<Complex> frame(static_cast<size_t>(length));
  for (int64_t i = 0; i < x.shape()[0] * frames; ++i) {
    const int64_t first = i / frames * samples + i % frames * step;
    for (int64_t k = 0; k < length; ++k) {
      const double weight = window[static_cast<size_t>(k)];
      frame[static_cast<size_t>(k)] = {signal[(first + k) * parts] * weight,
                                       parts == 2 ? signal[(first + k) * parts + 1] * weight : 0};
    }
    for (int64_t bin = 0; bin < bins; ++bin) {
      Complex y = bin_of(frame, turns, bin, false);
      out[(i * bins + bin) * 2] = y.re;
      out[(i * bins + bin) * 2 + 1] = y.im;
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

// --- windows: a sum of cosines over `size` places, of which a periodic one leaves out the last of size + 1

Result<Dtype> output_dtype(const KernelCall& call) {
  int64_t number = call.node.integer("output_datatype", 1);
  if (std::optional<Dtype> dtype = dtype_from_onnx(number)) return *dtype;
  return call.unsupported(fmt::format("element type {} is none of ours", number));
}

Status window(KernelCall& call, double a0, double a1, double a2) {
  OREE_TRY_ASSIGN(int64_t size, length_input(call, 0, 0));
  OREE_TRY_ASSIGN(Dtype dtype, output_dtype(call));
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, dtype, {size}));
  const bool periodic = call.node.integer("periodic", 1) != 0;
  const auto period = static_cast<double>(periodic ? size : size - 1);
  for (int64_t i = 0; i < size; ++i) {
    // Of a symmetric window of one place there is only the middle.
    double angle = period == 0 ? std::numbers::pi : 2 * std::numbers::pi * static_cast<double>(i) / period;
    out[i] = a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle);
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_hann(KernelCall& call) { return window(call, 0.5, 0.5, 0); }
Status run_hamming(KernelCall& call) { return window(call, 25.0 / 46, 21.0 / 46, 0); }
Status run_blackman(KernelCall& call) { return window(call, 0.42, 0.5, 0.08); }

// --- mel filters

struct MelBank {
  int64_t filters = 0, length = 0, rate = 0;
  double low = 0, high = 0;
  int64_t bins() const { return length / 2 + 1; }
};

Result<MelBank> mel_bank(const KernelCall& call) {
  MelBank m;
  OREE_TRY_ASSIGN(m.filters, length_input(call, 0, 1));
  OREE_TRY_ASSIGN(m.length, length_input(call, 1, 1));
  OREE_TRY_ASSIGN(m.rate, length_input(call, 2, 1));
  if (call.need(3).elements() != 1 || call.need(4).elements() != 1) return call.invalid("an edge must be one number");
  m.low = call.need(3).to_doubles()[0];
  m.high = call.need(4).to_doubles()[0];
  if (!(m.low >= 0) || !(m.high >= m.low) || !(m.high <= 1e9))
    return call.invalid(fmt::format("filters from {} to {} Hz", m.low, m.high));
  return m;
}

// Of filter k: bins k, k+1 and k+2 of this list are where it begins, where it is 1, and where it ends.
Result<std::vector<int64_t>> mel_corners(const KernelCall& call, const MelBank& m) {
  auto to_mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  auto to_hertz = [](double mel) { return 700 * (std::pow(10, mel / 2595) - 1); };
  const double first = to_mel(m.low), step = (to_mel(m.high) - first) / static_cast<double>(m.filters + 2);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < m.filters + 2; ++i) {
    double hertz = to_hertz(first + static_cast<double>(i) * step);
    double bin = std::floor(static_cast<double>(m.length + 1) * hertz / static_cast<double>(m.rate));
    if (!(bin >= 0) || !(bin < static_cast<double>(m.bins())))
      return call.invalid(fmt::format("a filter at bin {} of {}", bin, m.bins()));
    out.push_back(static_cast<int64_t>(bin));
  }
  return out;
}

// A spectrum of `bins` numbers times this matrix is its energy in each filter.
Status run_mel(KernelCall& call) {
  OREE_TRY_ASSIGN(MelBank m, mel_bank(call));
  OREE_TRY_ASSIGN(Dtype dtype, output_dtype(call));
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, dtype, {m.bins(), m.filters}));
  OREE_TRY_ASSIGN(std::vector<int64_t> corners, mel_corners(call, m));
  for (int64_t k = 0; k < m.filters; ++k) {
    const int64_t low = corners[static_cast<size_t>(k)], middle = corners[static_cast<size_t>(k) + 1],
                  high = corners[static_cast<size_t>(k) + 2];
    auto at = [&](int64_t bin) -> double& { return out[bin * m.filters + k]; };
    if (low == middle) at(middle) = 1;
    for (int64_t bin = low; low < middle && bin <= middle; ++bin)
      at(bin) = static_cast<double>(bin - low) / static_cast<double>(middle - low);
    for (int64_t bin = middle; bin < high; ++bin)
      at(bin) = static_cast<double>(high - bin) / static_cast<double>(high - middle);
  }
  call.set(0, std::move(out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"BlackmanWindow", run_blackman}, {"DFT", run_dft},      {"HammingWindow", run_hamming}, {"HannWindow", run_hann},
    {"MelWeightMatrix", run_mel, 5},  {"STFT", run_stft, 2},
};

}  // namespace

const std::span<const KernelEntry> kSpectralKernels = kTable;

}  // namespace oree
