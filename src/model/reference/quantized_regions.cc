// SPDX-License-Identifier: Apache-2.0
// Quantized operators over more than one element: averages, padding, resizing.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "model/reference/kernel_tables.h"
#include "model/reference/quantized.h"
#include "model/reference/shapes.h"
#include "model/reference/window.h"

namespace oree {
namespace {

Status want_same_scale(const KernelCall& call) {
  OREE_TRY_ASSIGN(Scale in, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale out, output_scale(call));
  return in.scale == out.scale && in.zero == out.zero ? Status()
                                                      : call.unsupported("a result of another scale than its operand");
}

// Padding does not count. Halves are rounded away from zero, as integers, zero point and all.
Status run_average_pool(KernelCall& call) {
  OREE_TRY(want_same_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  const Tensor& x = call.need(0);
  if (call.node.integer("count_include_pad", 0) != 0) return call.unsupported("an average that counts its padding");
  if (x.shape().size() < 3) return call.invalid(fmt::format("an operand of shape {}", shape_text(x.shape())));
  OREE_TRY_ASSIGN(std::vector<AxisWindow> windows, windows_of(call, x.shape(), call.node.integers("kernel_shape"),
                                                              call.node.integer("ceil_mode", 0) != 0));
  Shape shape{x.shape()[0], x.shape()[1]};
  int64_t in = 1, out_count = 1;
  for (const AxisWindow& w : windows) {
    shape.push_back(w.out);
    in *= w.in;
    out_count *= w.out;
  }
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, output_dtype(call), shape));
  Elements<int64_t> values(x);
  for (Taps taps(windows); !taps.done(); taps.next()) {
    auto n = static_cast<int64_t>(taps.at().size());
    if (n == 0) return call.invalid("a window lies wholly in the padding");
    for (int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
      int64_t sum = 0;
      for (const Tap& t : taps.at()) sum += values[plane * in + t.in];
      out[plane * out_count + taps.index()] = range.clamp(sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n);
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

// Sums along axes; for a mean one factor holds both the change of scale and the division.
Status reduce(KernelCall& call, const std::vector<size_t>& axes, bool mean, bool keep) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Scale from, input_scale(call, 0));
  OREE_TRY_ASSIGN(Scale to, output_scale(call));
  OREE_TRY_ASSIGN(IntRange range, output_range(call));
  Shape kept = x.shape();
  int64_t count = 1;
  for (size_t a : axes) {
    count *= kept[a];
    kept[a] = 1;
  }
  if (count < 1) return call.invalid("a mean of nothing");
  Multiplier factor = quantized_multiplier(static_cast<double>(from.scale) / static_cast<double>(to.scale));
  if (mean) {
    int shift = 63 - std::countl_zero(static_cast<uint64_t>(count));
    shift = std::min({shift, 32, 31 + factor.shift});
    factor.m = static_cast<int32_t>((int64_t{factor.m} << shift) / count);
    factor.shift -= shift;
  }
  std::vector<int64_t> sums(static_cast<size_t>(elements_of(kept)), 0);
  Elements<int64_t> values(x);
  for (Walk w(x.shape(), {broadcast_strides(kept, x.shape())}); !w.done(); w.next())
    sums[static_cast<size_t>(w.at(0))] += values[w.index()];
  Shape shape;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (keep || std::ranges::find(axes, i) == axes.end()) shape.push_back(kept[i]);
  }
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, output_dtype(call), shape));
  for (int64_t i = 0; i < out.size(); ++i) {
    auto sum = static_cast<int32_t>(sums[static_cast<size_t>(i)] - int64_t{from.zero} * count);
    out[i] = range.clamp(int64_t{multiply(sum, factor)} + to.zero);
  }
  call.set(0, std::move(out).take());
  return {};
}

Status reduce_listed(KernelCall& call, bool mean) {
  const size_t rank = call.need(0).shape().size();
  std::vector<int64_t> given;
  if (call.in(1)) {
    OREE_TRY_ASSIGN(given, int_list(call, 1));
  }
  if (given.empty() && call.node.integer("noop_with_empty_axes", 0) == 0) {
    for (size_t i = 0; i < rank; ++i) given.push_back(static_cast<int64_t>(i));
  }
  OREE_TRY_ASSIGN(std::vector<size_t> axes, normal_axes(call, given, rank));
  return reduce(call, axes, mean, call.node.integer("keepdims", 1) != 0);
}
Status run_mean(KernelCall& call) { return reduce_listed(call, true); }
Status run_sum(KernelCall& call) { return reduce_listed(call, false); }

Status run_global_average_pool(KernelCall& call) {
  std::vector<size_t> axes;
  for (size_t i = 2; i < call.need(0).shape().size(); ++i) axes.push_back(i);
  return reduce(call, axes, true, true);
}

// Without a value the padding is real zero.
Status run_pad(KernelCall& call) {
  OREE_TRY(want_same_scale(call));
  OREE_TRY_ASSIGN(Scale s, output_scale(call));
  Tensor zero(call.need(0).dtype(), {});
  std::vector<int64_t> value{s.zero};
  narrow<int64_t>(value, zero);
  std::vector<const Tensor*> inputs(call.inputs.begin(), call.inputs.end());
  if (inputs.size() < 3) inputs.resize(3, nullptr);
  if (inputs[2] == nullptr) inputs[2] = &zero;
  return run_plain(call, inputs);
}

// A place of the result along one axis, with 10 bits after the point.
struct Place {
  int64_t at = 0, low = 0, high = 0;
};

std::vector<Place> places_along(int64_t in, int64_t out, bool corners, bool centres) {
  constexpr int64_t kOne = 1 << 10;
  int64_t scale = (kOne * in + out / 2) / out;
  if (corners && out > 1) scale = (kOne * (in - 1) + (out - 1) / 2) / (out - 1);
  std::vector<Place> places;
  for (int64_t i = 0; i < out; ++i) {
    Place p;
    p.at = i * scale + (centres ? scale / 2 - kOne / 2 : 0);
    p.low = std::clamp<int64_t>(p.at / kOne, 0, in - 1);  // a scale that was rounded up leads beyond the last
    p.high = std::min((p.at + kOne - 1) / kOne, in - 1);
    places.push_back(p);
  }
  return places;
}

Status run_resize(KernelCall& call) {
  OREE_TRY(want_same_scale(call));
  std::string mode = call.node.text("mode", "nearest");
  if (mode == "nearest") return run_plain(call, call.inputs);
  std::string coordinates = call.node.text("coordinate_transformation_mode", "half_pixel");
  bool corners = coordinates == "align_corners", centres = coordinates == "half_pixel";
  const Tensor& x = call.need(0);
  if (mode != "linear" || (!corners && !centres && coordinates != "asymmetric") || x.shape().size() != 4 ||
      call.node.integer("antialias", 0) != 0)
    return call.unsupported(fmt::format("mode {} with coordinates {}", mode, coordinates));
  OREE_TRY(run_plain(call, call.inputs));  // for its shape, and its checks
  Tensor result = std::move(call.outputs.at(0));
  const Shape &in = x.shape(), &out = result.shape();
  if (in[0] != out[0] || in[1] != out[1]) return call.unsupported("channels that are resized");
  std::vector<Place> rows = places_along(in[2], out[2], corners, centres),
                     columns = places_along(in[3], out[3], corners, centres);
  Elements<int64_t> values(x);
  std::vector<int64_t> y;
  for (int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
    auto value = [&](int64_t r, int64_t c) { return values[(plane * in[2] + r) * in[3] + c]; };
    for (const Place& r : rows) {
      for (const Place& c : columns) {
        int64_t below = r.at - (1 << 10) * r.low, right = c.at - (1 << 10) * c.low, one = 1 << 10;
        int64_t sum = value(r.low, c.low) * (one - below) * (one - right) +
                      value(r.high, c.low) * below * (one - right) + value(r.low, c.high) * (one - below) * right +
                      value(r.high, c.high) * below * right;
        y.push_back((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
      }
    }
  }
  narrow<int64_t>(y, result);
  call.set(0, std::move(result));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"AveragePool", run_average_pool},
    {"GlobalAveragePool", run_global_average_pool},
    {"Pad", run_pad, 2},
    {"ReduceMean", run_mean},
    {"ReduceSum", run_sum},
    {"Resize", run_resize},
};

}  // namespace

const std::span<const KernelEntry> kQuantizedRegionKernels = kTable;

}  // namespace oree
