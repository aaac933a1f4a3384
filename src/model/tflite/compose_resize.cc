// SPDX-License-Identifier: Apache-2.0
// Resize: what TFLite's two operators compute stays; what else picks elements becomes Gather, and what mixes them a
// product with a constant matrix for each axis. Source of the formulas: the ONNX specification of Resize.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/tflite/lower.h"
#include "model/tflite/permute.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

struct AxisPlan {
  size_t axis = 0;
  int64_t from = 0, to = 0;
  float scale = 1;
  float roi_begin = 0, roi_end = 1;
};

struct Plan {
  std::string mode, points, nearest;
  float cubic = -0.75F, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
  std::vector<AxisPlan> axes;  // those that change
};

Result<std::vector<double>> numbers(const Lower& r, size_t input) {
  if (!r.has(input)) return std::vector<double>();
  std::optional<Constant> c = r.constant_of(r.in(input));
  if (!c) return r.unsupported(fmt::format("'{}' is no constant", r.value(r.in(input)).name));
  return c->to_doubles();
}

Result<Plan> plan_of(const Lower& r) {
  Plan p;
  p.mode = r.text("mode", "nearest");
  p.points = r.text("coordinate_transformation_mode", "half_pixel");
  p.nearest = r.text("nearest_mode", "round_prefer_floor");
  p.cubic = r.real("cubic_coeff_a", -0.75F);
  p.extrapolation = r.real("extrapolation_value", 0);
  p.exclude_outside = r.integer("exclude_outside", 0) != 0;
  p.antialias = r.integer("antialias", 0) != 0;
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  std::optional<Dims> in = r.dims(r.in(0)), out = r.dims(r.out());
  Ints axes = r.list("axes");
  if (axes.empty()) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  OREE_TRY_ASSIGN(std::vector<double> roi, numbers(r, 1));
  OREE_TRY_ASSIGN(std::vector<double> scales, numbers(r, 2));
  // A policy keeps one ratio for all axes: the least or the largest of those that the sizes ask for.
  std::string policy = r.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") {
    OREE_TRY_ASSIGN(std::vector<double> sizes, numbers(r, 3));
    std::optional<double> ratio;
    for (size_t i = 0; i < axes.size() && i < sizes.size(); ++i) {
      OREE_TRY_ASSIGN(size_t d, r.axis(axes[i], rank));
      double one = sizes[i] / static_cast<double>((*in)[d].size);
      ratio = !ratio ? one : policy == "not_larger" ? std::min(*ratio, one) : std::max(*ratio, one);
    }
    scales.assign(axes.size(), ratio.value_or(1));
  }
  bool crop = p.points == "tf_crop_and_resize";
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t d, r.axis(axes[i], rank));
    const Dim &from = (*in)[d], &to = (*out)[d];
    bool whole = !crop || (roi.size() == 2 * axes.size() && roi[i] == 0 && roi[axes.size() + i] == 1);
    if (!from.known() || !to.known()) {
      if (from == to && (from.known() || !from.symbol.empty())) continue;
      if (scales.size() == axes.size() && scales[i] == 1) continue;
      return r.unsupported("the size of its image is not known");
    }
    AxisPlan a{d, from.size, to.size, 1, 0, 1};
    a.scale = scales.size() == axes.size() ? static_cast<float>(scales[i])
                                           : static_cast<float>(to.size) / static_cast<float>(from.size);
    if (crop && roi.size() == 2 * axes.size()) {
      a.roi_begin = static_cast<float>(roi[i]);
      a.roi_end = static_cast<float>(roi[axes.size() + i]);
    }
    if (from.size != to.size || a.scale != 1 || !whole) p.axes.push_back(a);
  }
  return p;
}

// Where a place of the result lies in the operand.
float source(const Plan& p, const AxisPlan& a, int64_t x) {
  auto at = static_cast<float>(x), from = static_cast<float>(a.from), to = static_cast<float>(a.to);
  if (p.points == "asymmetric") return at / a.scale;
  if (p.points == "align_corners") return a.to == 1 ? 0 : at * (from - 1) / (to - 1);
  if (p.points == "tf_crop_and_resize") {
    if (a.to == 1) return 0.5F * (a.roi_begin + a.roi_end) * (from - 1);
    return a.roi_begin * (from - 1) + at * (a.roi_end - a.roi_begin) * (from - 1) / (to - 1);
  }
  if (p.points == "pytorch_half_pixel" && a.to == 1) return 0;
  float centre = (at + 0.5F) / a.scale - 0.5F;
  if (p.points == "half_pixel_symmetric") {
    float adjustment = to / (a.scale * from);
    return from / 2 * (1 - adjustment) + centre;
  }
  return centre;
}

int64_t nearest(const Plan& p, float x) {
  if (p.nearest == "floor") return static_cast<int64_t>(std::floor(x));
  if (p.nearest == "ceil") return static_cast<int64_t>(std::ceil(x));
  bool half = x - std::floor(x) == 0.5F;
  if (half) return static_cast<int64_t>(p.nearest == "round_prefer_ceil" ? std::ceil(x) : std::floor(x));
  return static_cast<int64_t>(std::round(x));
}

// What RESIZE_NEAREST_NEIGHBOR takes, in the engine's own arithmetic.
int64_t engine_nearest(const AxisPlan& a, std::string_view points, int64_t x) {
  bool corners = points == "align_corners";
  float scale = corners && a.to > 1 ? static_cast<float>(a.from - 1) / static_cast<float>(a.to - 1)
                                    : static_cast<float>(a.from) / static_cast<float>(a.to);
  float at = (static_cast<float>(x) + (points == "half_pixel" ? 0.5F : 0.0F)) * scale;
  return std::clamp<int64_t>(static_cast<int64_t>(corners ? std::round(at) : std::floor(at)), 0, a.from - 1);
}

Ints picked(const Plan& p, const AxisPlan& a) {
  Ints out;
  for (int64_t x = 0; x < a.to; ++x) {
    out.push_back(std::clamp<int64_t>(nearest(p, source(p, a, x)), 0, a.from - 1));
  }
  return out;
}

Result<bool> pick(Lower& r, const Plan& p) {
  for (const AxisPlan& a : p.axes) {
    for (int64_t x = 0; x < a.to && p.points == "tf_crop_and_resize"; ++x) {
      float at = source(p, a, x);
      if (at < 0 || at > static_cast<float>(a.from - 1)) return r.unsupported("a value for what lies outside");
    }
  }
  bool images =
      r.rank(r.in(0)) == size_t{4} && std::ranges::all_of(p.axes, [](const AxisPlan& a) { return a.axis >= 2; });
  for (std::string_view points : {"asymmetric", "half_pixel", "align_corners"}) {
    bool same = images;
    for (const AxisPlan& a : p.axes) {
      Ints wanted = picked(p, a);
      for (int64_t x = 0; x < a.to && same; ++x) same = wanted[static_cast<size_t>(x)] == engine_nearest(a, points, x);
    }
    if (!same) continue;
    r.finish("Resize", r.node().inputs,
             {{"mode", std::string("nearest")},
              {"nearest_mode", std::string(points == "asymmetric" ? "floor" : "round_prefer_ceil")},
              {"coordinate_transformation_mode", std::string(points)},
              {"tflite.settled", int64_t{1}},
              {"axes", r.list("axes").empty() ? Ints{0, 1, 2, 3} : r.list("axes")}});
    return true;
  }
  ValueId x = r.in(0);
  for (const AxisPlan& a : p.axes) {
    x = r.add_like(r.in(0), "Gather", {x, r.ints_constant(picked(p, a))}, {{"axis", static_cast<int64_t>(a.axis)}});
  }
  r.finish("Identity", {x});
  return true;
}

double kernel(const Plan& p, double x) {
  x = std::abs(x);
  if (p.mode == "linear") return std::max(1 - x, 0.0);
  auto c = static_cast<double>(p.cubic);
  if (x <= 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
  if (x < 2) return ((c * x - 5 * c) * x + 8 * c) * x - 4 * c;
  return 0;
}

// Rows: places of the result; columns: how much of each element of the operand they have.
Tensor weights(const Plan& p, const AxisPlan& a) {
  Tensor m(Dtype::kFloat32, {a.to, a.from});
  double stretch = p.antialias && a.scale < 1 ? 1 / static_cast<double>(a.scale) : 1;
  double reach = (p.mode == "linear" ? 1 : 2) * stretch;
  for (int64_t x = 0; x < a.to; ++x) {
    auto at = static_cast<double>(source(p, a, x));
    if (p.points == "tf_crop_and_resize" && (at < 0 || at > static_cast<double>(a.from - 1))) continue;
    double sum = 0;
    std::vector<std::pair<int64_t, double>> row;
    for (auto i = static_cast<int64_t>(std::floor(at - reach)); i <= static_cast<int64_t>(std::ceil(at + reach)); ++i) {
      double w = kernel(p, (static_cast<double>(i) - at) / stretch);
      bool outside = i < 0 || i >= a.from;
      if (w == 0 || (outside && p.exclude_outside)) continue;
      // Beyond the border an antialiasing filter, too, sees the border's element again.
      row.emplace_back(std::clamp<int64_t>(i, 0, a.from - 1), w);
      sum += w;
    }
    bool normalise = p.exclude_outside || stretch != 1;
    for (const auto& [i, w] : row) {
      m.as<float>()[static_cast<size_t>(x * a.from + i)] += static_cast<float>(normalise ? w / sum : w);
    }
  }
  return m;
}

Result<bool> mix(Lower& r, const Plan& p) {
  OREE_TRY(r.want_plain());
  OREE_TRY(r.want_type(r.in(0), "f"));
  if (p.points == "tf_crop_and_resize") {
    for (const AxisPlan& a : p.axes) {
      for (int64_t x = 0; x < a.to; ++x) {
        float at = source(p, a, x);
        bool outside = at < 0 || at > static_cast<float>(a.from - 1);
        if (outside && p.extrapolation != 0) return r.unsupported("a value for what lies outside");
      }
    }
  }
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  ValueId x = r.in(0);
  for (const AxisPlan& a : p.axes) {
    Ints order(rank);
    for (size_t d = 0; d < rank; ++d) order[d] = static_cast<int64_t>(d);
    std::swap(order[a.axis], order[rank - 1]);
    bool last = a.axis + 1 == rank;
    ValueId columns = r.constant(permuted(Constant(weights(p, a)), Ints{1, 0}));
    ValueId y = r.add("MatMul", {last ? x : r.permute(x, order), columns});
    x = last ? y : r.permute(y, order);
  }
  r.finish("Identity", {x});
  return true;
}

// RESIZE_BILINEAR measures by the sizes of both images alone, and knows three kinds of points.
bool engine_linear(const Lower& r, const Plan& p) {
  if (p.mode != "linear" || p.antialias || r.rank(r.in(0)) != size_t{4}) return false;
  bool points = p.points == "asymmetric" || p.points == "half_pixel" || p.points == "align_corners" ||
                p.points == "pytorch_half_pixel";
  return points && std::ranges::all_of(p.axes, [&](const AxisPlan& a) {
           bool whole = a.scale * static_cast<float>(a.from) == static_cast<float>(a.to) || p.points == "align_corners";
           bool lone = p.points == "pytorch_half_pixel" && a.to == 1;
           return a.axis >= 2 && whole && !lone;
         });
}

Result<bool> resize(Lower& r) {
  OREE_TRY(r.want(1));
  if (r.integer("tflite.settled", 0) != 0) return false;
  if (!r.dims(r.in(0)) || !r.dims(r.out())) return r.unsupported("the rank of its image is not known");
  OREE_TRY_ASSIGN(Plan p, plan_of(r));
  if (p.axes.empty()) {
    r.finish("Identity", {r.in(0)});
    return true;
  }
  if (p.mode == "nearest") return pick(r, p);
  if (!engine_linear(r, p)) return mix(r, p);
  if (p.points != "pytorch_half_pixel") return false;
  Attributes attributes = r.node().attributes;
  attributes["coordinate_transformation_mode"] = std::string("half_pixel");
  r.finish("Resize", r.node().inputs, std::move(attributes));
  return true;
}

constexpr LowerEntry kEntries[] = {{"Resize", resize}};

}  // namespace

std::span<const LowerEntry> compose_resize() { return kEntries; }

}  // namespace oree
