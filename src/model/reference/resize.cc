// SPDX-License-Identifier: Apache-2.0
// Resize, axis by axis: each element of the result is a weighted sum of a few elements along every axis. Source of the
// coordinate rules: the ONNX operator specification of Resize.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

struct Part {
  int64_t at = 0;
  double weight = 0;
};

struct Options {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
};

double source_of(const Options& o, int64_t place, double scale, int64_t in, int64_t out, double roi_begin,
                 double roi_end) {
  auto x = static_cast<double>(place), n = static_cast<double>(in), m = static_cast<double>(out);
  // By the scale's own length, which need not be whole, as ONNX's own cases have it; ONNX Runtime takes the whole one.
  if (o.coordinates == "align_corners") return out == 1 ? 0 : x * (n - 1) / (n * scale - 1);
  if (o.coordinates == "asymmetric") return x / scale;
  if (o.coordinates == "pytorch_half_pixel") return out > 1 ? (x + 0.5) / scale - 0.5 : 0;
  if (o.coordinates == "tf_crop_and_resize") {
    return out > 1 ? roi_begin * (n - 1) + x * (roi_end - roi_begin) * (n - 1) / (m - 1)
                   : 0.5 * (roi_begin + roi_end) * (n - 1);
  }
  if (o.coordinates == "half_pixel_symmetric") {
    // The output's true length may be a fraction more than its count of elements: centre it.
    double adjust = m / (scale * n);
    return n / 2 * (1 - adjust) + (x + 0.5) / scale - 0.5;
  }
  if (o.coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / scale;
  return (x + 0.5) / scale - 0.5;  // half_pixel
}

int64_t nearest_of(const Options& o, double x) {
  double whole = std::floor(x);
  if (o.nearest == "floor") return static_cast<int64_t>(whole);
  if (o.nearest == "ceil") return static_cast<int64_t>(std::ceil(x));
  bool half = x - whole == 0.5;
  if (half) return static_cast<int64_t>(o.nearest == "round_prefer_ceil" ? whole + 1 : whole);
  return static_cast<int64_t>(std::floor(x + 0.5));
}

double cubic_weight(double a, double distance) {
  double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((d - 5) * d + 8) * d * a - 4 * a;
  return 0;
}

std::vector<Part> parts_of(const Options& o, double x, int64_t in, double scale) {
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i, 0, in - 1); };
  if (o.mode == "nearest") return {{clamp(nearest_of(o, x)), 1}};
  // Where the picture shrinks, an antialiasing filter is stretched by as much.
  const double stretch = o.antialias && scale < 1 ? scale : 1;
  const double reach = (o.mode == "cubic" ? 2 : 1) / stretch;
  auto first = static_cast<int64_t>(std::floor(x - reach)) + 1, last = static_cast<int64_t>(std::ceil(x + reach)) - 1;
  if (stretch == 1) {
    first = static_cast<int64_t>(std::floor(x)) - (o.mode == "cubic" ? 1 : 0);
    last = first + (o.mode == "cubic" ? 3 : 1);
  }
  std::vector<Part> parts;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    double distance = (x - static_cast<double>(i)) * stretch;
    double weight = o.mode == "cubic" ? cubic_weight(o.cubic, distance) : std::max(0.0, 1 - std::abs(distance));
    if (o.exclude_outside && (i < 0 || i >= in)) weight = 0;
    // Beyond the border an antialiased linear filter has nothing, the others see the border's element again.
    parts.push_back({clamp(i), weight});
    sum += weight;
  }
  if ((o.exclude_outside || stretch != 1) && sum != 0) {
    for (Part& p : parts) p.weight /= sum;
  }
  return parts;
}

// One axis of the operand, and what becomes of it.
struct Line {
  int64_t in = 0, out = 0;
  double scale = 1, roi_begin = 0, roi_end = 1;
};

// The elements that make up one place along the axis; nothing: it lies outside and gets the extrapolation value.
std::optional<std::vector<Part>> place_of(const Options& o, const Line& line, int64_t place) {
  double x = source_of(o, place, line.scale, line.in, line.out, line.roi_begin, line.roi_end);
  // A region may lie anywhere, and be no number at all.
  if (o.coordinates == "tf_crop_and_resize" && !(x >= 0 && x <= static_cast<double>(line.in - 1))) return std::nullopt;
  return parts_of(o, x, line.in, line.scale);
}

std::vector<double> along(const Options& o, const std::vector<double>& x, const Shape& shape, size_t axis,
                          const Line& line, double extrapolation) {
  AxisView view = view_at(shape, axis);
  std::vector<double> out(static_cast<size_t>(view.outer * line.out * view.inner), extrapolation);
  for (int64_t k = 0; k < line.out; ++k) {
    std::optional<std::vector<Part>> parts = place_of(o, line, k);
    if (!parts) continue;
    for (int64_t outer = 0; outer < view.outer; ++outer) {
      for (int64_t i = 0; i < view.inner; ++i) {
        double sum = 0;
        for (const Part& p : *parts)
          sum += p.weight * x[static_cast<size_t>((outer * view.length + p.at) * view.inner + i)];
        out[static_cast<size_t>((outer * line.out + k) * view.inner + i)] = sum;
      }
    }
  }
  return out;
}

struct Sizes {
  Shape shape;
  std::vector<double> scales;
};

Result<Sizes> sizes_of(const KernelCall& call, const Shape& x, const std::vector<size_t>& axes) {
  Sizes s{x, std::vector<double>(x.size(), 1)};
  if (const Tensor* scales = call.in(2); scales && scales->elements() > 0) {
    if (call.in(3) && call.need(3).elements() > 0) return call.invalid("both scales and sizes are given");
    if (scales->elements() != static_cast<int64_t>(axes.size()))
      return call.invalid(fmt::format("{} scales for {} axes", scales->elements(), axes.size()));
    std::vector<double> values = scales->to_doubles();
    for (size_t i = 0; i < axes.size(); ++i) {
      double size = std::floor(static_cast<double>(x[axes[i]]) * values[i]);
      if (!(values[i] > 0) || !(size <= 0x1p31)) return call.invalid(fmt::format("a scale of {}", values[i]));
      s.scales[axes[i]] = values[i];
      s.shape[axes[i]] = static_cast<int64_t>(size);
    }
    return s;
  }
  if (!call.in(3)) return call.invalid("neither scales nor sizes are given");
  OREE_TRY_ASSIGN(std::vector<int64_t> sizes, int_list(call, 3));
  if (sizes.size() != axes.size()) return call.invalid(fmt::format("{} sizes for {} axes", sizes.size(), axes.size()));
  std::string policy = call.node.text("keep_aspect_ratio_policy", "stretch");
  double common = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t in = x[axes[i]];
    if (sizes[i] < 1 || in < 1) return call.invalid(fmt::format("{} elements to {}", in, sizes[i]));
    s.scales[axes[i]] = static_cast<double>(sizes[i]) / static_cast<double>(in);
    s.shape[axes[i]] = sizes[i];
    bool better = policy == "not_larger" ? s.scales[axes[i]] < common : s.scales[axes[i]] > common;
    if (i == 0 || better) common = s.scales[axes[i]];
  }
  if (policy == "stretch") return s;
  for (size_t axis : axes) {
    s.scales[axis] = common;
    s.shape[axis] = static_cast<int64_t>(std::floor(common * static_cast<double>(x[axis]) + 0.5));
  }
  return s;
}

Status run_resize(KernelCall& call) {
  const Tensor& x = call.need(0);
  const size_t rank = x.shape().size();
  std::vector<int64_t> given = call.node.integers("axes");
  if (given.empty()) {
    for (size_t i = 0; i < rank; ++i) given.push_back(static_cast<int64_t>(i));
  }
  OREE_TRY_ASSIGN(std::vector<size_t> axes, normal_axes(call, given, rank));
  OREE_TRY_ASSIGN(Sizes sizes, sizes_of(call, x.shape(), axes));
  OREE_TRY(call.fits(x.dtype(), sizes.shape));
  Options o;
  o.mode = call.node.text("mode", "nearest");
  o.coordinates = call.node.text("coordinate_transformation_mode", "half_pixel");
  o.nearest = call.node.text("nearest_mode", "round_prefer_floor");
  o.cubic = static_cast<double>(call.node.real("cubic_coeff_a", -0.75f));
  o.exclude_outside = call.node.integer("exclude_outside", 0) != 0;
  o.antialias = call.node.integer("antialias", 0) != 0;
  if (o.mode != "nearest" && o.mode != "linear" && o.mode != "cubic")
    return call.invalid(fmt::format("mode '{}'", o.mode.substr(0, 32)));
  std::vector<double> roi(2 * axes.size(), 0);
  std::fill(roi.begin() + static_cast<ptrdiff_t>(axes.size()), roi.end(), 1);
  if (o.coordinates == "tf_crop_and_resize") {
    if (!call.in(1) || call.need(1).elements() != static_cast<int64_t>(roi.size()))
      return call.invalid("tf_crop_and_resize wants a region");
    roi = call.need(1).to_doubles();
  }
  const double extrapolation = static_cast<double>(call.node.real("extrapolation_value", 0));
  if (x.elements() == 0) {
    OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), sizes.shape));
    if (out.elements() > 0) return call.invalid("an empty operand cannot grow");
    call.set(0, std::move(out));
    return {};
  }
  // Weighted sums in double for every type; integers are rounded at the end, not cut.
  std::vector<double> values = x.to_doubles();
  Shape shape = x.shape();
  for (size_t i = 0; i < axes.size(); ++i) {
    size_t axis = axes[i];
    if (o.coordinates != "tf_crop_and_resize" && sizes.scales[axis] == 1 && sizes.shape[axis] == shape[axis]) continue;
    Line line{shape[axis], sizes.shape[axis], sizes.scales[axis], roi[i], roi[axes.size() + i]};
    // Between two axes there can be more than before and after them.
    Shape next = shape;
    next[axis] = line.out;
    OREE_TRY(call.fits(x.dtype(), next));
    values = along(o, values, shape, axis, line, extrapolation);
    shape = std::move(next);
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, x.dtype(), shape));
  if (!dtype_is_float(x.dtype())) {
    for (double& v : values) v = std::nearbyint(v);
  }
  narrow<double>(values, out);
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {{"Resize", run_resize}};

}  // namespace

const std::span<const KernelEntry> kResizeKernels = kTable;

}  // namespace oree
