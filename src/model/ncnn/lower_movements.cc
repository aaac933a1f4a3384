// SPDX-License-Identifier: Apache-2.0
// Operators that move elements: reshaping, transposing, joining, cutting.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/ncnn/ncnn_lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

size_t unseen(const Shape& shape) { return shape.size() - std::min(shape.size(), ncnn_mat(shape).size()); }

Status reshape(NcnnNode& n) {
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish_with(x);
  return {};
}

// --- Transpose: dimensions of one element move for nothing, so only the others count.

// ncnn's number of an order: what lies where, the slowest dimension first.
std::optional<int64_t> order_type(const Ints& order) {
  static constexpr int kTwo[2][2] = {{0, 1}, {1, 0}};
  // Its lists name the fastest dimension first: "1 = h w c" gives c, w, h.
  static constexpr int kThree[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  if (order.size() == 2) {
    for (int i = 0; i < 2; ++i) {
      if (order[0] == kTwo[i][0]) return i;
    }
  }
  if (order.size() == 3) {
    for (int i = 0; i < 6; ++i) {
      if (std::ranges::equal(order, kThree[i])) return i;
    }
  }
  // Of four: c stays outermost in 0 to 5, then d, h and w in its place; the three others as above, by what is left.
  if (order.size() != 4) return std::nullopt;
  Ints left;
  for (size_t i = 1; i < 4; ++i) left.push_back(order[i] - (order[i] > order[0] ? 1 : 0));
  std::optional<int64_t> inner = order_type(left);
  return inner ? std::optional(order[0] * 6 + *inner) : std::nullopt;
}

Status transpose(NcnnNode& n) {
  const Shape& shape = n.shape(0);
  Ints perm = n.node().integers("perm");
  if (perm.empty()) {
    for (size_t i = shape.size(); i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  if (perm.size() != shape.size()) return n.invalid("its permutation has another rank");
  Shape solid;  // the dimensions that count, before
  Ints place(shape.size(), -1);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    place[i] = static_cast<int64_t>(solid.size());
    solid.push_back(shape[i]);
  }
  Ints order;
  Shape moved;
  for (int64_t p : perm) {
    OREE_TRY_ASSIGN(size_t from, n.axis(p, shape.size()));
    if (place[from] < 0) continue;
    order.push_back(place[from]);
    moved.push_back(shape[from]);
  }
  if (std::ranges::is_sorted(order)) return reshape(n);
  const std::optional<int64_t> type = order_type(order);
  if (!type) return n.unsupported(fmt::format("{} dimensions in another order", order.size()));
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, solid));
  n.finish("Permute", {x}, moved, NcnnParams().set(0, *type));
  return {};
}

// --- joining and cutting

// As ncnn_mat() of `like` has it: the leading 1 is not seen when that one's is not.
Shape seen_as(const Shape& shape, const Shape& like) {
  return Shape(shape.begin() + static_cast<ptrdiff_t>(std::min(shape.size(), unseen(like))), shape.end());
}

Status concat(NcnnNode& n) {
  const Shape& result = n.out_shape();
  OREE_TRY_ASSIGN(size_t axis, n.axis(n.integer("axis", 0), result.size()));
  if (n.node().inputs.size() == 1) return reshape(n);
  if (axis < unseen(result)) return n.invalid("several items are joined to one");
  std::vector<NcnnBlob> parts;
  for (size_t i = 0; i < n.node().inputs.size(); ++i) {
    OREE_TRY_ASSIGN(NcnnBlob part, n.operand(i, seen_as(n.shape(i), result)));
    parts.push_back(part);
  }
  n.finish("Concat", std::move(parts), NcnnParams().set(0, static_cast<int64_t>(axis - unseen(result))));
  return {};
}

Status split(NcnnNode& n) {
  const Shape& shape = n.shape(0);
  OREE_TRY_ASSIGN(size_t axis, n.axis(n.integer("axis", 0), shape.size()));
  const size_t count = n.node().outputs.size();
  if (count == 1) return reshape(n);
  if (axis < unseen(shape)) return n.unsupported("the one item of a batch is split");
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  NcnnOutLayer slice;
  slice.type = "Slice";
  slice.name = n.name();
  slice.bottoms = {x};
  Ints sizes;
  for (size_t i = 0; i < count; ++i) {
    if (n.node().output(i) == kNoValue) return n.unsupported("a part that nothing takes");
    const Shape part = seen_as(n.out_shape(i), shape);
    sizes.push_back(part[axis - unseen(shape)]);
    slice.tops.push_back(n.net().add_blob(fmt::format("{}_{}", n.name(), i), part));
  }
  slice.params.set(0, std::span<const int64_t>(sizes)).set(1, static_cast<int64_t>(axis - unseen(shape)));
  const std::vector<NcnnBlob> tops = slice.tops;
  n.net().add_layer(std::move(slice));
  for (size_t i = 0; i < count; ++i) n.finish_with(tops[i], i);
  return {};
}

// From `begins` to `ends` of the operand's dimensions; `mat` is what then lies there.
Status crop(NcnnNode& n, const Ints& begins, const Ints& ends) {
  const Shape& shape = n.shape(0);
  Ints starts, stops, axes;
  Shape mat = ncnn_mat(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (begins[d] == 0 && ends[d] == shape[d]) continue;
    if (d < unseen(shape)) return n.unsupported("the one item of a batch is cut");
    starts.push_back(begins[d]);
    stops.push_back(ends[d]);
    axes.push_back(static_cast<int64_t>(d - unseen(shape)));
    mat[d - unseen(shape)] = ends[d] - begins[d];
  }
  if (axes.empty()) return reshape(n);
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  NcnnParams p;
  p.set(9, std::span<const int64_t>(starts))
      .set(10, std::span<const int64_t>(stops))
      .set(11, std::span<const int64_t>(axes));
  n.finish("Crop", {x}, mat, std::move(p));
  return {};
}

Status slice(NcnnNode& n) {
  const Shape& shape = n.shape(0);
  OREE_TRY_ASSIGN(Ints starts, n.ints(1));
  OREE_TRY_ASSIGN(Ints stops, n.ints(2));
  Ints axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (n.has(3)) {
    OREE_TRY_ASSIGN(axes, n.ints(3));
  }
  if (n.has(4)) {
    OREE_TRY_ASSIGN(steps, n.ints(4));
  }
  if (stops.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return n.invalid("its lists have different lengths");
  Ints begins(shape.size(), 0), ends(shape.begin(), shape.end());
  for (size_t i = 0; i < starts.size(); ++i) {
    OREE_TRY_ASSIGN(size_t axis, n.axis(axes[i], shape.size()));
    const int64_t size = shape[axis];
    auto place = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    begins[axis] = place(starts[i]);
    ends[axis] = place(stops[i]);
    if (begins[axis] >= ends[axis]) return n.unsupported("a slice of nothing");
    if (steps[i] != 1 && ends[axis] - begins[axis] > 1) return n.unsupported(fmt::format("a step of {}", steps[i]));
  }
  return crop(n, begins, ends);
}

// One place of an axis, or places that follow each other.
Status gather(NcnnNode& n) {
  const Shape& shape = n.shape(0);
  OREE_TRY_ASSIGN(size_t axis, n.axis(n.integer("axis", 0), shape.size()));
  OREE_TRY_ASSIGN(Ints places, n.ints(1));
  for (int64_t& p : places) p = p < 0 ? p + shape[axis] : p;
  if (places.empty()) return n.unsupported("no places are gathered");
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0 || places[i] >= shape[axis])
      return n.invalid(fmt::format("place {} of {}", places[i], shape[axis]));
    if (places[i] != places[0] + static_cast<int64_t>(i)) return n.unsupported("places that do not follow each other");
  }
  Ints begins(shape.size(), 0), ends(shape.begin(), shape.end());
  begins[axis] = places[0];
  ends[axis] = places.back() + 1;
  return crop(n, begins, ends);
}

constexpr NcnnEntry kEntries[] = {
    {"Concat", concat}, {"Flatten", reshape}, {"Gather", gather},       {"Reshape", reshape},   {"Slice", slice},
    {"Split", split},   {"Squeeze", reshape}, {"Transpose", transpose}, {"Unsqueeze", reshape},
};

}  // namespace

std::span<const NcnnEntry> ncnn_movements() { return kEntries; }

}  // namespace oree
