// SPDX-License-Identifier: Apache-2.0
// GridSample and the grids of AffineGrid. Each place of the grid gathers the elements around it, and their weights are
// computed in the graph, because the grid is. Source of the formulas: the ONNX specification.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

constexpr double kFar = 1 << 20;  // beyond any picture, and every whole number up to there is a float

struct Sampling {
  std::string padding;
  bool nearest = false, align_corners = false;
};

// Two elements beside each other along one axis, and how much of each.
struct Pair {
  ValueId at[2] = {kNoValue, kNoValue}, weight[2] = {kNoValue, kNoValue};
};

class Sampler {
 public:
  Sampler(Lower& r, Sampling how) : r_(r), how_(std::move(how)) {}

  ValueId op(std::string_view name, ValueId a) { return r_.add(name, {a}); }
  ValueId op(std::string_view name, ValueId a, ValueId b) { return r_.add(name, {a, b}); }
  ValueId with(std::string_view name, ValueId a, double b) { return r_.add(name, {a, r_.number_like(a, b)}); }
  ValueId between(ValueId v, double low, double high) { return with("Min", with("Max", v, low), high); }

  // Places among `size` elements of coordinates from -1 to 1.
  ValueId place(ValueId coordinate, int64_t size) {
    const auto n = static_cast<double>(size);
    if (how_.align_corners) return with("Mul", with("Add", coordinate, 1), (n - 1) / 2);
    return with("Mul", with("Sub", with("Mul", with("Add", coordinate, 1), n), 1), 0.5);
  }

  // Back and forth between the borders: the distance to the middle of a sawtooth.
  ValueId reflected(ValueId x, int64_t size) {
    const double low = how_.align_corners ? 0 : -0.5, high = static_cast<double>(size) - (how_.align_corners ? 1 : 0.5);
    const double range = high - low;
    if (range <= 0) return with("Mul", x, 0);
    ValueId turns = with("Div", with("Sub", x, low), 2 * range);
    ValueId rest = with("Mul", op("Sub", turns, op("Floor", turns)), 2 * range);  // 0 ... 2 range
    return with("Add", op("Min", rest, op("Sub", r_.number_like(x, 2 * range), rest)), low);
  }

  // 1 where the element is there, 0 outside; only where nothing lies outside.
  ValueId there(ValueId at, int64_t size) {
    ValueId inside = op("And", with("GreaterOrEqual", at, 0), with("LessOrEqual", at, static_cast<double>(size - 1)));
    return r_.cast(inside, Dtype::kFloat32);
  }

  Pair pair(ValueId coordinate, int64_t size) {
    ValueId x = between(place(coordinate, size), -kFar, kFar);
    const auto last = static_cast<double>(size - 1);
    Pair p;
    if (how_.nearest) x = op("Round", x);
    if (how_.padding == "border") x = between(x, 0, last);
    if (how_.padding == "reflection") x = reflected(x, size);
    if (how_.nearest) {
      p.at[0] = between(op("Round", x), 0, last);  // once more, for what reflecting has rounded
      if (how_.padding == "zeros") p.weight[0] = there(x, size);
      return p;
    }
    ValueId first = op("Floor", x), second = with("Add", first, 1);
    p.weight[1] = op("Sub", x, first);
    p.weight[0] = op("Sub", r_.number_like(x, 1), p.weight[1]);
    if (how_.padding == "zeros") {
      p.weight[0] = op("Mul", p.weight[0], there(first, size));
      p.weight[1] = op("Mul", p.weight[1], there(second, size));
    }
    p.at[0] = between(first, 0, last);
    p.at[1] = between(second, 0, last);
    return p;
  }

 private:
  Lower& r_;
  Sampling how_;
};

// One number of each place of the grid, [N, places].
ValueId coordinate(Lower& r, const Shape& grid, int64_t index) {
  ValueId column =
      r.add("Slice", {r.in(1), r.ints_constant({index}), r.ints_constant({index + 1}), r.ints_constant({3})});
  return r.reshape(column, {grid[0], grid[1] * grid[2]});
}

Result<bool> grid_sample(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  OREE_TRY(r.want_type(r.in(0), "f"));
  OREE_TRY(r.want_type(r.in(1), "f"));
  OREE_TRY_ASSIGN(Shape x, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape grid, r.known(r.in(1)));
  if (x.size() != 4 || grid.size() != 4) return r.unsupported("an image of other than two axes");
  std::string mode = r.text("mode", "linear");
  if (mode != "linear" && mode != "nearest") return r.unsupported(fmt::format("the mode '{}'", mode));
  const int64_t channels = x[1], height = x[2], width = x[3], places = grid[1] * grid[2];
  if (height < 1 || width < 1 || std::max(height, width) > static_cast<int64_t>(kFar))
    return r.unsupported("an image of that size");
  if (height * width > (1 << 24)) return r.unsupported("an image of more places than floats count");
  Sampler s(r, {r.text("padding_mode", "zeros"), mode == "nearest", r.integer("align_corners", 0) != 0});
  Pair across = s.pair(coordinate(r, grid, 0), width), down = s.pair(coordinate(r, grid, 1), height);
  ValueId rows = r.reshape(r.permute(r.in(0), {0, 2, 3, 1}), {x[0], height * width, channels});
  ValueId sum = kNoValue;
  for (int y = 0; y < (mode == "nearest" ? 1 : 2); ++y) {
    for (int z = 0; z < (mode == "nearest" ? 1 : 2); ++z) {
      ValueId at = s.op("Add", s.with("Mul", down.at[y], static_cast<double>(width)), across.at[z]);
      at = r.reshape(r.cast(at, Dtype::kInt32), {x[0], places, 1});
      ValueId part = r.add("GatherND", {rows, r.as_int64(at)},
                           {{"batch_dims", int64_t{1}}, {"tflite.counted_from_zero", int64_t{1}}});
      if (across.weight[z] != kNoValue)
        part = s.op("Mul", part, r.reshape(s.op("Mul", down.weight[y], across.weight[z]), {x[0], places, 1}));
      sum = sum == kNoValue ? part : s.op("Add", sum, part);
    }
  }
  r.finish("Transpose", {r.reshape(sum, {x[0], grid[1], grid[2], channels})}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

// theta [N, d, d + 1] times each place (x, y, ..., 1), which are constants.
Result<bool> affine_grid(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  OREE_TRY(r.want_type(r.in(0), "f"));
  OREE_TRY_ASSIGN(Ints size, r.ints(1));
  if (size.size() != 4 && size.size() != 5) return r.invalid("the size of its image");
  const size_t axes = size.size() - 2;
  const Shape image(size.begin() + 2, size.end());
  int64_t places = 1;
  for (int64_t n : image) {
    if (n < 1 || n > static_cast<int64_t>(kFar) || places > (1 << 24)) return r.unsupported("an image of that size");
    places *= n;
  }
  const Shape shape{static_cast<int64_t>(axes) + 1, places};
  if (!r.affordable(Dtype::kFloat32, shape)) return r.unsupported("an image of that size");
  const bool corners = r.integer("align_corners", 0) != 0;
  Tensor base(Dtype::kFloat32, shape);
  for (int64_t i = 0; i < places; ++i) {
    int64_t inner = 1;
    for (size_t k = 0; k < axes; ++k) {  // x first, which is the last axis
      const int64_t n = image[axes - 1 - k], at = i / inner % n;
      const double whole = static_cast<double>(n), d = static_cast<double>(at);
      const double v = !corners ? (2 * d + 1) / whole - 1 : n == 1 ? 0 : 2 * d / (whole - 1) - 1;
      base.as<float>()[static_cast<size_t>(static_cast<int64_t>(k) * places + i)] = static_cast<float>(v);
      inner *= n;
    }
    base.as<float>()[static_cast<size_t>(static_cast<int64_t>(axes) * places + i)] = 1;
  }
  ValueId product = r.add("MatMul", {r.in(0), r.constant(Constant(std::move(base)), "places")});
  Ints to{size[0]};
  to.insert(to.end(), image.begin(), image.end());
  to.push_back(static_cast<int64_t>(axes));
  r.finish("Identity", {r.reshape(r.permute(product, {0, 2, 1}), to)});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"AffineGrid", affine_grid},
    {"GridSample", grid_sample},
};

}  // namespace

std::span<const LowerEntry> compose_sampling() { return kEntries; }

}  // namespace oree
