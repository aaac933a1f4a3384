// SPDX-License-Identifier: Apache-2.0
// Resize, axis by axis: each element of the result is a weighted sum of a few elements along every axis.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/ops/resize_points.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

std::vector<double> along(const ResizeRule& rule, const std::vector<double>& x, const Shape& shape, size_t axis,
                          const ResizeLine& line, double extrapolation) {
  AxisView view = view_at(shape, axis);
  std::vector<double> out(static_cast<size_t>(view.outer * line.out * view.inner), extrapolation);
  for (int64_t k = 0; k < line.out; ++k) {
    std::optional<std::vector<ResizePart>> parts = resize_parts(rule, line, k);
    if (!parts) continue;
    for (int64_t outer = 0; outer < view.outer; ++outer) {
      for (int64_t i = 0; i < view.inner; ++i) {
        double sum = 0;
        for (const ResizePart& p : *parts)
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
  const ResizeRule rule = resize_rule(call.node);
  if (rule.mode != "nearest" && rule.mode != "linear" && rule.mode != "cubic")
    return call.invalid(fmt::format("mode '{}'", rule.mode.substr(0, 32)));
  std::vector<double> roi(2 * axes.size(), 0);
  std::fill(roi.begin() + static_cast<ptrdiff_t>(axes.size()), roi.end(), 1);
  if (rule.points == "tf_crop_and_resize") {
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
    if (rule.points != "tf_crop_and_resize" && sizes.scales[axis] == 1 && sizes.shape[axis] == shape[axis]) continue;
    ResizeLine line{shape[axis], sizes.shape[axis], sizes.scales[axis], roi[i], roi[axes.size() + i]};
    // Between two axes there can be more than before and after them.
    Shape next = shape;
    next[axis] = line.out;
    OREE_TRY(call.fits(x.dtype(), next));
    values = along(rule, values, shape, axis, line, extrapolation);
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
