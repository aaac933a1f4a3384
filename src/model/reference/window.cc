// SPDX-License-Identifier: Apache-2.0
#include "model/reference/window.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

Result<std::vector<int64_t>> numbers(const KernelCall& call, std::string_view name, size_t count, int64_t otherwise,
                                     int64_t min) {
  std::vector<int64_t> v = call.node.integers(name);
  if (v.empty()) v.assign(count, otherwise);
  if (v.size() != count) return call.invalid(fmt::format("{} has {} numbers, not {}", name, v.size(), count));
  for (int64_t n : v) {
    if (n < min || n > kTensorElementsMax) return call.invalid(fmt::format("{} of {}", name, n));
  }
  return v;
}

// All but `out`.
Result<std::vector<AxisWindow>> given(const KernelCall& call, const Shape& x, const Shape& kernel) {
  const size_t n = kernel.size();
  if (x.size() != n + 2) return call.invalid(fmt::format("an operand of rank {} with {} spatial axes", x.size(), n));
  OREE_TRY_ASSIGN(std::vector<int64_t> strides, numbers(call, "strides", n, 1, 1));
  OREE_TRY_ASSIGN(std::vector<int64_t> dilations, numbers(call, "dilations", n, 1, 1));
  OREE_TRY_ASSIGN(std::vector<int64_t> pads, numbers(call, "pads", 2 * n, 0, -kTensorElementsMax));
  std::vector<AxisWindow> out;
  for (size_t i = 0; i < n; ++i) {
    if (kernel[i] < 1 || kernel[i] > kTensorElementsMax / dilations[i])
      return call.invalid(fmt::format("a kernel of {}", kernel[i]));
    out.push_back({kernel[i], strides[i], dilations[i], pads[i], pads[n + i], x[i + 2], 0});
  }
  return out;
}

int64_t extent(const AxisWindow& w) { return (w.kernel - 1) * w.dilation + 1; }

void split_padding(AxisWindow& w, int64_t total, bool upper) {
  total = std::max<int64_t>(total, 0);
  w.begin = upper ? total / 2 : total - total / 2;
  w.end = total - w.begin;
}

// A count of places that fits an int64, and of steps that somebody waits for: once over each plane of the operand.
Status bounded(const KernelCall& call, const Shape& x, const std::vector<AxisWindow>& windows) {
  double places = 1, taps = 1;
  for (const AxisWindow& w : windows) {
    places *= static_cast<double>(std::max<int64_t>({w.in, w.out, 1}));
    taps *= static_cast<double>(w.kernel);
  }
  if (places > static_cast<double>(kTensorElementsMax)) return call.invalid("an output that is too large");
  // The taps of a place are found even where there are no planes.
  return call.affordable(places * taps * std::max(1.0, static_cast<double>(x[0]) * static_cast<double>(x[1])));
}

}  // namespace

Result<std::vector<AxisWindow>> windows_of(const KernelCall& call, const Shape& x, const Shape& kernel,
                                           bool ceil_mode) {
  OREE_TRY_ASSIGN(std::vector<AxisWindow> windows, given(call, x, kernel));
  std::string pad = call.node.text("auto_pad", "NOTSET");
  for (AxisWindow& w : windows) {
    if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
      w.out = (w.in + w.stride - 1) / w.stride;
      split_padding(w, (w.out - 1) * w.stride + extent(w) - w.in, pad == "SAME_UPPER");
      continue;
    }
    if (pad == "VALID") w.begin = w.end = 0;
    int64_t room = w.in + w.begin + w.end - extent(w);
    if (room < 0)
      return call.invalid(
          fmt::format("a kernel that spans {} over {} padded elements", extent(w), w.in + w.begin + w.end));
    w.out = room / w.stride + 1;
    // A window that would begin in the padding behind the operand is none.
    if (ceil_mode && room % w.stride != 0 && w.out * w.stride < w.in + w.begin) ++w.out;
  }
  OREE_TRY(bounded(call, x, windows));
  return windows;
}

Result<std::vector<AxisWindow>> transposed_windows_of(const KernelCall& call, const Shape& x, const Shape& kernel) {
  OREE_TRY_ASSIGN(std::vector<AxisWindow> windows, given(call, x, kernel));
  const size_t n = windows.size();
  OREE_TRY_ASSIGN(std::vector<int64_t> extra, numbers(call, "output_padding", n, 0, 0));
  std::vector<int64_t> wanted = call.node.integers("output_shape");
  // Some exporters write batch and channels too.
  if (wanted.size() == n + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (!wanted.empty() && wanted.size() != n)
    return call.invalid(fmt::format("output_shape has {} numbers", wanted.size()));
  std::string pad = call.node.text("auto_pad", "NOTSET");
  for (size_t i = 0; i < n; ++i) {
    AxisWindow& w = windows[i];
    if (w.in > 0 && w.stride > kTensorElementsMax / w.in) return call.invalid("an output that is too large");
    int64_t full = (w.in - 1) * w.stride + extent(w) + extra[i];
    if (!wanted.empty()) {
      if (wanted[i] < 1 || wanted[i] > kTensorElementsMax)
        return call.invalid(fmt::format("output_shape of {}", wanted[i]));
      w.out = wanted[i];
      // As the specification has it: SAME_UPPER puts the odd element behind, everything else in front. What is wanted
      // beyond the full result is behind, too.
      int64_t total = full - w.out;
      split_padding(w, total, pad == "SAME_UPPER");
      w.end = total - w.begin;
    } else if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
      w.out = w.in * w.stride;
      split_padding(w, full - w.out, pad == "SAME_UPPER");
    } else {
      if (pad == "VALID") w.begin = w.end = 0;
      w.out = full - w.begin - w.end;
    }
    if (w.out < 0) return call.invalid(fmt::format("an output of {} elements", w.out));
  }
  OREE_TRY(bounded(call, x, windows));
  return windows;
}

Shape spatial_out(const std::vector<AxisWindow>& windows) {
  Shape out;
  for (const AxisWindow& w : windows) out.push_back(w.out);
  return out;
}

Taps::Taps(const std::vector<AxisWindow>& windows) : windows_(windows), place_(windows.size(), 0) {
  for (const AxisWindow& w : windows_) count_ *= w.out;
  if (!done()) fill();
}

void Taps::next() {
  if (++index_ == count_) return;
  for (size_t i = windows_.size(); i-- > 0;) {
    if (++place_[i] < windows_[i].out) break;
    place_[i] = 0;
  }
  fill();
}

void Taps::fill() {
  taps_.assign(1, Tap{});
  padded_ = 1;
  std::vector<Tap> longer;
  for (size_t i = 0; i < windows_.size(); ++i) {
    const AxisWindow& w = windows_[i];
    longer.clear();
    int64_t inside = 0;
    for (int64_t k = 0; k < w.kernel; ++k) {
      int64_t at = place_[i] * w.stride - w.begin + k * w.dilation;
      inside += at < w.in + w.end;
    }
    padded_ *= inside;
    for (const Tap& t : taps_) {
      for (int64_t k = 0; k < w.kernel; ++k) {
        int64_t at = place_[i] * w.stride - w.begin + k * w.dilation;
        if (at >= 0 && at < w.in) longer.push_back({t.in * w.in + at, t.kernel * w.kernel + k});
      }
    }
    taps_.swap(longer);
  }
}

}  // namespace oree
