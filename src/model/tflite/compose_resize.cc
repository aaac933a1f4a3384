// SPDX-License-Identifier: Apache-2.0
// Resize: what TFLite's two operators compute stays; what else picks elements becomes Gather, and what mixes them a
// product with a constant matrix for each axis.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/resize_points.h"
#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// Along one axis of a picture: each is looked at, and a hostile model has as many as it likes.
constexpr int64_t kPlacesMax = 1 << 20;

struct AxisPlan : ResizeLine {
  size_t axis = 0;
};

struct Plan {
  ResizeRule rule;
  float extrapolation = 0;
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
  p.rule = resize_rule(r.node());
  p.rule.in_engine = true;
  p.extrapolation = r.real("extrapolation_value", 0);
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
  bool crop = p.rule.points == "tf_crop_and_resize";
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t d, r.axis(axes[i], rank));
    const Dim &from = (*in)[d], &to = (*out)[d];
    bool whole = !crop || (roi.size() == 2 * axes.size() && roi[i] == 0 && roi[axes.size() + i] == 1);
    if (!from.known() || !to.known()) {
      if (from == to && (from.known() || !from.symbol.empty())) continue;
      if (scales.size() == axes.size() && scales[i] == 1) continue;
      return r.unsupported("the size of its image is not known");
    }
    if (to.size > kPlacesMax) return r.unsupported(fmt::format("a picture of {} places along an axis", to.size));
    AxisPlan a{{from.size, to.size}, d};
    a.scale = scales.size() == axes.size() ? scales[i] : static_cast<double>(to.size) / static_cast<double>(from.size);
    if (crop && roi.size() == 2 * axes.size()) {
      a.roi_begin = roi[i];
      a.roi_end = roi[axes.size() + i];
    }
    if (from.size != to.size || a.scale != 1 || !whole) p.axes.push_back(a);
  }
  return p;
}

// What RESIZE_NEAREST_NEIGHBOR takes, in the engine's own arithmetic.
int64_t engine_nearest(const AxisPlan& a, std::string_view points, int64_t x) {
  bool corners = points == "align_corners";
  float scale = corners && a.out > 1 ? static_cast<float>(a.in - 1) / static_cast<float>(a.out - 1)
                                     : static_cast<float>(a.in) / static_cast<float>(a.out);
  float at = (static_cast<float>(x) + (points == "half_pixel" ? 0.5F : 0.0F)) * scale;
  return std::clamp<int64_t>(static_cast<int64_t>(corners ? std::round(at) : std::floor(at)), 0, a.in - 1);
}

Result<Ints> picked(const Lower& r, const Plan& p, const AxisPlan& a) {
  Ints out;
  for (int64_t x = 0; x < a.out; ++x) {
    std::optional<std::vector<ResizePart>> parts = resize_parts(p.rule, a, x);
    if (!parts) return r.unsupported("a value for what lies outside");
    out.push_back(parts->front().at);
  }
  return out;
}

Result<bool> pick(Lower& r, const Plan& p) {
  std::vector<Ints> wanted;
  for (const AxisPlan& a : p.axes) {
    OREE_TRY_ASSIGN(Ints places, picked(r, p, a));
    wanted.push_back(std::move(places));
  }
  bool images =
      r.rank(r.in(0)) == size_t{4} && std::ranges::all_of(p.axes, [](const AxisPlan& a) { return a.axis >= 2; });
  for (std::string_view points : {"asymmetric", "half_pixel", "align_corners"}) {
    bool same = images;
    for (size_t i = 0; i < p.axes.size(); ++i) {
      for (int64_t x = 0; x < p.axes[i].out && same; ++x)
        same = wanted[i][static_cast<size_t>(x)] == engine_nearest(p.axes[i], points, x);
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
  for (size_t i = 0; i < p.axes.size(); ++i) {
    Attributes along{{"axis", static_cast<int64_t>(p.axes[i].axis)}};
    x = r.add_like(r.in(0), "Gather", {x, r.ints_constant(wanted[i])}, std::move(along));
  }
  r.finish("Identity", {x});
  return true;
}

// Rows: elements of the operand; columns: how much of each a place of the result has.
Result<ValueId> weights(Lower& r, const Plan& p, const AxisPlan& a) {
  if (!r.affordable(Dtype::kFloat32, {a.in, a.out})) return r.int_constant(0);
  Tensor m(Dtype::kFloat32, {a.in, a.out});
  for (int64_t x = 0; x < a.out; ++x) {
    std::optional<std::vector<ResizePart>> parts = resize_parts(p.rule, a, x);
    if (!parts && p.extrapolation != 0) return r.unsupported("a value for what lies outside");
    if (!parts) continue;
    for (const ResizePart& part : *parts)
      m.as<float>()[static_cast<size_t>(part.at * a.out + x)] += static_cast<float>(part.weight);
  }
  return r.constant(Constant(std::move(m)));
}

Result<bool> mix(Lower& r, const Plan& p) {
  OREE_TRY(r.want_plain());
  OREE_TRY(r.want_type(r.in(0), "f"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  ValueId x = r.in(0);
  for (const AxisPlan& a : p.axes) {
    Ints order(rank);
    for (size_t d = 0; d < rank; ++d) order[d] = static_cast<int64_t>(d);
    std::swap(order[a.axis], order[rank - 1]);
    bool last = a.axis + 1 == rank;
    OREE_TRY_ASSIGN(ValueId columns, weights(r, p, a));
    ValueId y = r.add("MatMul", {last ? x : r.permute(x, order), columns});
    x = last ? y : r.permute(y, order);
  }
  r.finish("Identity", {x});
  return true;
}

// RESIZE_BILINEAR measures by the sizes of both images alone, and knows three kinds of points.
bool engine_linear(const Lower& r, const Plan& p) {
  if (p.rule.mode != "linear" || p.rule.antialias || r.rank(r.in(0)) != size_t{4}) return false;
  bool points = p.rule.points == "asymmetric" || p.rule.points == "half_pixel" || p.rule.points == "align_corners" ||
                p.rule.points == "pytorch_half_pixel";
  return points && std::ranges::all_of(p.axes, [&](const AxisPlan& a) {
           bool whole = static_cast<float>(a.scale) * static_cast<float>(a.in) == static_cast<float>(a.out) ||
                        p.rule.points == "align_corners";
           bool lone = p.rule.points == "pytorch_half_pixel" && a.out == 1;
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
  if (p.rule.mode == "nearest") return pick(r, p);
  if (!engine_linear(r, p)) return mix(r, p);
  if (p.rule.points != "pytorch_half_pixel") return false;
  Attributes attributes = r.node().attributes;
  attributes["coordinate_transformation_mode"] = std::string("half_pixel");
  r.finish("Resize", r.node().inputs, std::move(attributes));
  return true;
}

constexpr LowerEntry kEntries[] = {{"Resize", resize}};

}  // namespace

std::span<const LowerEntry> compose_resize() { return kEntries; }

}  // namespace oree
