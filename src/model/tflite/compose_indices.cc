// SPDX-License-Identifier: Apache-2.0
// Operators that look elements up or put them somewhere, as those that TFLite has.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// The places along one axis of a tensor of that shape: {0, 1, 2, …} lying along it, as long everywhere else.
ValueId grid(Lower& r, const Shape& shape, size_t axis) {
  if (!r.affordable(Dtype::kInt64, shape)) return r.int_constant(0);
  Tensor t(Dtype::kInt64, shape);
  int64_t inner = 1;
  for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  for (int64_t i = 0; i < t.elements(); ++i) {
    t.as<int64_t>()[static_cast<size_t>(i)] = i / inner % shape[axis];
  }
  return r.constant(Constant(std::move(t)), "grid");
}

// Elements of indices along one axis as whole places: a further axis with a number for each axis of the data.
Result<ValueId> whole_places(Lower& r, ValueId indices, size_t axis, int64_t size) {
  OREE_TRY_ASSIGN(Shape shape, r.known(indices));
  ValueId places = r.add("Mod", {r.as_int64(indices), r.int_constant(size)});
  std::vector<ValueId> parts;
  ValueId last = r.ints_constant({-1});
  for (size_t d = 0; d < shape.size(); ++d) {
    parts.push_back(r.add("Unsqueeze", {d == axis ? places : grid(r, shape, d), last}));
  }
  return r.add("Concat", std::move(parts), {{"axis", int64_t{-1}}});
}

Result<bool> gather_elements(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), shape.size()));
  OREE_TRY_ASSIGN(ValueId places, whole_places(r, r.in(1), axis, shape[axis]));
  r.finish("GatherND", {r.in(0), places}, {{"tflite.counted_from_zero", int64_t{1}}});
  return true;
}

// What is scattered over zeros, taken where something was scattered, and the operand elsewhere. TFLite sums what meets
// at one place.
Result<bool> scatter(Lower& r, ValueId places, ValueId updates, const std::string& reduction) {
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  OREE_TRY(r.want_plain());
  if (!r.dims(updates)) return r.unsupported("updates of unknown shape");
  Attributes sum{{"reduction", std::string("add")}};
  auto over_zeros = [&](ValueId what) {
    ValueId zeros = r.zeros(*r.dtype(what), shape);
    return r.add("ScatterND", {zeros, places, what}, sum);
  };
  ValueId moved = over_zeros(updates);
  if (reduction == "add") {
    r.finish("Add", {r.in(0), moved});
    return true;
  }
  if (reduction != "none") return r.unsupported(fmt::format("reduction '{}'", reduction));
  OREE_TRY_ASSIGN(Shape update_shape, r.known(updates));
  Tensor ones(Dtype::kInt32, update_shape);
  std::ranges::fill(ones.as<int32_t>(), 1);
  ValueId met = over_zeros(r.constant(Constant(std::move(ones)), "ones"));
  r.finish("Where", {r.add("Greater", {met, r.number(Dtype::kInt32, 0)}), moved, r.in(0)});
  return true;
}

Result<bool> scatter_elements(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), shape.size()));
  OREE_TRY_ASSIGN(ValueId places, whole_places(r, r.in(1), axis, shape[axis]));
  return scatter(r, places, r.in(2), r.text("reduction", "none"));
}

Result<bool> scatter_nd(Lower& r) {
  OREE_TRY(r.want(3));
  std::string reduction = r.text("reduction", "none");
  if (reduction == "add" && r.is_zeros(r.in(0))) return false;
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape places_shape, r.known(r.in(1)));
  if (places_shape.empty() || places_shape.back() > static_cast<int64_t>(shape.size())) return r.invalid("its indices");
  Ints sizes(shape.begin(), shape.begin() + places_shape.back());
  ValueId places = r.add("Mod", {r.as_int64(r.in(1)), r.ints_constant(sizes)});
  return scatter(r, places, r.in(2), reduction);
}

// Batch axes become numbers of the index.
Result<bool> gather_nd(Lower& r) {
  OREE_TRY(r.want(2));
  int64_t batch = r.integer("batch_dims", 0);
  if (batch == 0) return false;
  OREE_TRY_ASSIGN(Shape data, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(1)));
  if (shape.back() == 1) return false;
  if (batch < 0 || batch + shape.back() > static_cast<int64_t>(data.size())) return r.invalid("batch_dims");
  Ints sizes(data.begin() + batch, data.begin() + batch + shape.back());
  ValueId places = r.add("Mod", {r.as_int64(r.in(1)), r.ints_constant(sizes)});
  Shape one = shape;
  one.back() = 1;
  std::vector<ValueId> parts;
  for (int64_t d = 0; d < batch; ++d) parts.push_back(grid(r, one, static_cast<size_t>(d)));
  parts.push_back(places);
  ValueId whole = r.add("Concat", std::move(parts), {{"axis", int64_t{-1}}});
  r.finish("GatherND", {r.in(0), whole}, {{"tflite.counted_from_zero", int64_t{1}}});
  return true;
}

// A constant mask.
Result<bool> trilu(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  std::optional<double> given = r.number_of(r.in(1));
  if (r.has(1) && !given) return r.unsupported("a diagonal that is no constant");
  if (shape.size() < 2) return r.invalid("no matrix");
  auto k = static_cast<int64_t>(given.value_or(0));
  bool upper = r.integer("upper", 1) != 0;
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  Tensor mask(Dtype::kBool, {rows, columns});
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) mask.data()[i * columns + j] = upper ? j - i >= k : j - i <= k;
  }
  r.finish("Where", {r.constant(Constant(std::move(mask)), "mask"), r.in(0), r.number_like(r.in(0), 0)});
  return true;
}

Result<bool> eye_like(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(Shape shape, r.known(r.out()));
  if (shape.size() != 2) return r.invalid("no matrix");
  Tensor eye(Dtype::kFloat32, shape);
  int64_t k = r.integer("k", 0);
  for (int64_t i = 0; i < shape[0]; ++i) {
    if (i + k >= 0 && i + k < shape[1]) eye.as<float>()[static_cast<size_t>(i * shape[1] + i + k)] = 1;
  }
  r.finish("Cast", {r.constant(Constant(std::move(eye)))}, NodeRewrite::cast_to(*r.dtype(r.out())));
  return true;
}

// Channels in the order CRD are those of DCR, gathered.
Result<bool> depth_to_space(Lower& r) {
  OREE_TRY(r.want(1));
  if (r.text("mode", "DCR") == "DCR") return false;
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  int64_t block = r.integer("blocksize", 1), square = block * block;
  if (shape.size() != 4 || block < 1 || shape[1] % square != 0) return r.invalid("blocks do not fit the input");
  int64_t channels = shape[1] / square;
  Ints order;
  for (int64_t k = 0; k < square; ++k) {
    for (int64_t c = 0; c < channels; ++c) order.push_back(c * square + k);
  }
  ValueId x = r.add_like(r.in(0), "Gather", {r.in(0), r.ints_constant(order)}, {{"axis", int64_t{1}}});
  r.finish("DepthToSpace", {x}, {{"blocksize", block}});
  return true;
}

// The chosen slices, where which ones is known.
Result<bool> compress(Lower& r) {
  OREE_TRY(r.want(2));
  std::optional<Constant> c = r.constant_of(r.in(1));
  ValueId x = r.in(0);
  bool flat = !r.node().find("axis");
  if (flat) x = r.add_like(x, "Reshape", {x, r.ints_constant({-1})});
  int64_t axis = r.integer("axis", 0);
  ValueId places = kNoValue;
  if (c) {
    Ints chosen, flags = c->to_ints();
    for (size_t i = 0; i < flags.size(); ++i) {
      if (flags[i] != 0) chosen.push_back(static_cast<int64_t>(i));
    }
    places = r.ints_constant(chosen);
  } else {
    places = r.add("Reshape", {r.add("NonZero", {r.in(1)}), r.ints_constant({-1})});
  }
  r.finish("Gather", {x, places}, {{"axis", axis}, {"tflite.counted_from_zero", int64_t{1}}});
  return true;
}

// TFLite's operator is of one image and one class: several are done one by one, each class's boxes found among all.
Result<bool> non_max_suppression(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Shape boxes, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape scores, r.known(r.in(1)));
  if (boxes.size() != 3 || scores.size() != 3 || r.integer("center_point_box", 0) != 0)
    return r.unsupported("boxes by their centres");
  if (scores[0] * scores[1] > 256) return r.unsupported(fmt::format("{} images of {} classes", scores[0], scores[1]));
  auto number = [&](size_t input, double otherwise, Dtype dtype) {
    std::optional<double> v = r.has(input) ? r.number_of(r.in(input)) : otherwise;
    return v ? std::optional(r.number(dtype, *v)) : std::nullopt;
  };
  std::optional<double> most = r.has(2) ? r.number_of(r.in(2)) : 0.0;
  auto overlap = number(3, 0, Dtype::kFloat32);
  auto score = number(4, -3.4028234663852886e38, Dtype::kFloat32);
  if (!most || !overlap || !score) return r.unsupported("thresholds that are no constants");
  // "All of them" is said by a number beyond any other.
  const auto chosen_max = static_cast<int64_t>(std::clamp(*most, 0.0, static_cast<double>(boxes[1])));
  ValueId size = r.number(Dtype::kInt32, static_cast<double>(chosen_max));
  std::vector<ValueId> all;
  Dims found{Dim(chosen_max)};
  for (int64_t n = 0; n < scores[0]; ++n) {
    ValueId image = r.reshape(
        r.add("Slice", {r.in(0), r.ints_constant({n}), r.ints_constant({n + 1}), r.ints_constant({0})}), {boxes[1], 4});
    for (int64_t c = 0; c < scores[1]; ++c) {
      ValueId row = r.reshape(
          r.add("Slice", {r.in(1), r.ints_constant({n, c}), r.ints_constant({n + 1, c + 1}), r.ints_constant({0, 1})}),
          {boxes[1]});
      ValueId chosen = r.graph().add_value("chosen", Dtype::kInt32, found),
              count = r.graph().add_value("count", Dtype::kInt32, Dims{});
      r.finish_emit_many("NON_MAX_SUPPRESSION_V4", {image, row, size, *overlap, *score}, {chosen, count}, {});
      ValueId end = r.reshape(r.as_int64(count), {1});
      ValueId first = r.add("Slice", {r.cast(chosen, Dtype::kInt64), r.ints_constant({0}), end});
      ValueId box = r.add("Unsqueeze", {first, r.ints_constant({1})});
      // {image, class} before each: no constant knows how many.
      ValueId zero = r.add("Mul", {box, r.int_constant(0)});
      all.push_back(r.add("Concat",
                          {r.add("Add", {zero, r.int_constant(n)}), r.add("Add", {zero, r.int_constant(c)}), box},
                          {{"axis", int64_t{1}}}));
    }
  }
  if (all.size() == 1) {
    r.finish("Identity", {all[0]});
  } else {
    r.finish("Concat", std::move(all), {{"axis", int64_t{0}}});
  }
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Compress", compress},
    {"DepthToSpace", depth_to_space},
    {"EyeLike", eye_like},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"NonMaxSuppression", non_max_suppression},
    {"ScatterElements", scatter_elements},
    {"ScatterND", scatter_nd},
    {"Trilu", trilu},
};

}  // namespace

std::span<const LowerEntry> compose_indices() { return kEntries; }

}  // namespace oree
