// SPDX-License-Identifier: Apache-2.0
// Resizing, borders, and channels that become places.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/ncnn/ncnn_lower.h"
#include "model/ops/resize_points.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;
constexpr int64_t kPlacesMax = 1 << 16;

// --- Resize: ncnn's own formulas, place by place, against what the operator asks for.
enum class Interp { kNearest = 1, kHalfPixels = 2, kCorners = 3 };

// What ncnn takes for a place: elements and how much of each.
std::map<int64_t, double> taken(Interp how, const ResizeLine& line, int64_t place) {
  const auto in = static_cast<double>(line.in), out = static_cast<double>(line.out), at = static_cast<double>(place);
  if (how == Interp::kNearest) {
    const float step = static_cast<float>(line.in) / static_cast<float>(line.out);
    return {{std::min(static_cast<int64_t>(static_cast<float>(place) * step), line.in - 1), 1.0}};
  }
  const bool corners = how == Interp::kCorners;
  const double scale = corners ? (line.out > 1 ? (in - 1) / (out - 1) : 0) : in / out;
  double point = corners ? at * scale : (at + 0.5) * scale - 0.5;
  point = std::clamp(point, 0.0, in - 1);
  const auto first = static_cast<int64_t>(point);
  const double part = point - static_cast<double>(first);
  if (part == 0 || first + 1 >= line.in) return {{first, 1.0}};
  return {{first, 1 - part}, {first + 1, part}};
}

bool same_parts(const std::map<int64_t, double>& a, const std::map<int64_t, double>& b) {
  auto covers = [](const std::map<int64_t, double>& x, const std::map<int64_t, double>& y) {
    return std::ranges::all_of(x, [&](const auto& part) {
      auto it = y.find(part.first);
      return std::abs(part.second - (it == y.end() ? 0 : it->second)) < 1e-5;
    });
  };
  return covers(a, b) && covers(b, a);
}

bool interpolates_so(const ResizeRule& rule, const ResizeLine& line, Interp how) {
  for (int64_t place = 0; place < line.out; ++place) {
    const std::optional<std::vector<ResizePart>> parts = resize_parts(rule, line, place);
    if (!parts) return false;
    std::map<int64_t, double> wanted;
    for (const ResizePart& p : *parts) wanted[p.at] += p.weight;
    if (!same_parts(wanted, taken(how, line, place))) return false;
  }
  return true;
}

// Height and width alone change; their scales are given, or follow from the sizes.
Result<std::vector<ResizeLine>> lines_of(const NcnnNode& n) {
  const Shape &in = n.shape(0), &out = n.out_shape();
  std::vector<double> scales;
  if (std::optional<Constant> c = n.floats(2)) scales = c->to_doubles();
  Ints axes = n.node().integers("axes");
  for (size_t d = 0; axes.size() < in.size() && n.node().integers("axes").empty(); ++d)
    axes.push_back(static_cast<int64_t>(d));
  std::vector<ResizeLine> lines;
  for (size_t d = 0; d < in.size(); ++d) {
    ResizeLine line{in[d], out[d]};
    line.scale = static_cast<double>(out[d]) / static_cast<double>(in[d]);
    for (size_t i = 0; i < axes.size() && scales.size() == axes.size(); ++i) {
      OREE_TRY_ASSIGN(size_t axis, n.axis(axes[i], in.size()));
      if (axis == d) line.scale = scales[i];
    }
    if (d + 2 < in.size() && (in[d] != out[d] || line.scale != 1))
      return n.unsupported("other dimensions than height and width are resized");
    if (out[d] > kPlacesMax && d + 2 >= in.size())
      return n.unsupported(fmt::format("a picture of {} places along an axis", out[d]));
    if (d + 2 >= in.size()) lines.push_back(line);
  }
  return lines;
}

Status resize(NcnnNode& n) {
  OREE_TRY(n.want_one_item(0));
  if (n.shape(0).size() != 4) return n.unsupported("its operand is no picture");
  ResizeRule rule = resize_rule(n.node());
  rule.in_engine = true;
  if (rule.points == "tf_crop_and_resize") return n.unsupported("tf_crop_and_resize");
  OREE_TRY_ASSIGN(std::vector<ResizeLine> lines, lines_of(n));
  const bool nearest = rule.mode == "nearest";
  if (!nearest && rule.mode != "linear") return n.unsupported(fmt::format("the mode '{}'", rule.mode));
  for (Interp how : nearest ? std::vector{Interp::kNearest} : std::vector{Interp::kHalfPixels, Interp::kCorners}) {
    if (!std::ranges::all_of(lines, [&](const ResizeLine& line) { return interpolates_so(rule, line, how); })) continue;
    OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
    NcnnParams p;
    p.set(0, nearest ? 1 : 2).set(3, lines[0].out).set(4, lines[1].out).set(6, how == Interp::kCorners ? 1 : 0);
    n.finish("Interp", {x}, std::move(p));
    return {};
  }
  return n.unsupported(fmt::format("points of '{}' ({}) are others than ncnn's", rule.points, rule.mode));
}

// --- Pad
Status pad(NcnnNode& n) {
  static constexpr std::string_view kModes[] = {"constant", "edge", "reflect"};
  const Shape& shape = n.shape(0);
  const auto mode = std::ranges::find(kModes, n.node().text("mode", "constant"));
  if (mode == std::end(kModes)) return n.unsupported(fmt::format("the mode '{}'", n.node().text("mode", "")));
  OREE_TRY_ASSIGN(Ints given, n.ints(1));
  Ints axes;
  if (n.has(3)) {
    OREE_TRY_ASSIGN(axes, n.ints(3));
  } else {
    for (size_t d = 0; d < shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (given.size() != 2 * axes.size()) return n.invalid(fmt::format("{} borders", given.size()));
  const std::optional<float> value = n.has(2) ? n.number(2) : 0.0F;
  if (!value) return n.unsupported("its value is no constant");
  // Of the last three dimensions, counted from the last; ncnn names them right, bottom and behind.
  int64_t begins[3] = {}, ends[3] = {};
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t axis, n.axis(axes[i], shape.size()));
    const int64_t begin = given[i], end = given[axes.size() + i];
    if (begin == 0 && end == 0) continue;
    const size_t back = shape.size() - 1 - axis;
    if (begin < 0 || end < 0 || begin > kPlacesMax || end > kPlacesMax)
      return n.unsupported(fmt::format("borders of {} and {}", begin, end));
    if (back > 2 || back >= ncnn_mat(shape).size())
      return n.unsupported("a border around items, or channels of volumes");
    begins[back] = begin;
    ends[back] = end;
  }
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  NcnnParams p;
  p.set(0, begins[1]).set(1, ends[1]).set(2, begins[0]).set(3, ends[0]).set(4, static_cast<int64_t>(mode - kModes));
  p.set(5, *value).set(7, begins[2]).set(8, ends[2]);
  n.finish("Padding", {x}, std::move(p));
  return {};
}

// --- DepthToSpace
Status depth_to_space(NcnnNode& n) {
  OREE_TRY(n.want_one_item(0));
  const bool columns_first = n.node().text("mode", "DCR") == "CRD";
  const int64_t size = n.integer("blocksize", 0);
  if (size < 1 || n.shape(0).size() != 4 || n.shape(0)[1] % (size * size) != 0)
    return n.invalid(fmt::format("blocks of {} in {}", size, shape_text(n.shape(0))));
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish("PixelShuffle", {x}, NcnnParams().set(0, size).set(1, columns_first ? 0 : 1));
  return {};
}

constexpr NcnnEntry kEntries[] = {{"DepthToSpace", depth_to_space}, {"Pad", pad}, {"Resize", resize}};

}  // namespace

std::span<const NcnnEntry> ncnn_images() { return kEntries; }

}  // namespace oree
