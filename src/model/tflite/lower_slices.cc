// SPDX-License-Identifier: Apache-2.0
// Slice as STRIDED_SLICE.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

constexpr size_t kAxesMax = 5;  // of STRIDED_SLICE

struct Axis {
  int64_t begin = 0, end = INT64_MAX, step = 1;
};

// Bounds as TFLite takes them: counted from the front where the size is known, masked where they mean "all".
Status set_bounds(const Lower& r, const Axis& a, const Dim& size, size_t at, Ints& begins, Ints& ends,
                  int64_t& begin_mask, int64_t& end_mask) {
  int64_t bit = int64_t{1} << at, begin = a.begin, end = a.end;
  if (a.step == 0) return r.invalid("a step of 0");
  if (size.known()) {
    int64_t n = size.size;
    int64_t low = a.step > 0 ? 0 : -1, high = a.step > 0 ? n : n - 1;
    begin = std::clamp(begin < 0 ? std::max(begin, -n - 1) + n : begin, std::max<int64_t>(low, 0),
                       std::max<int64_t>(high, 0));
    end = std::clamp(end < 0 ? std::max(end, -n - 1) + n : end, low, high);
    if (end == -1) {
      end = 0;
      end_mask |= bit;
    }
  } else {
    if (a.step < 0 ? begin == INT64_MAX : begin == INT64_MIN) begin_mask |= bit;
    if (a.step < 0 ? end == INT64_MIN : end >= INT32_MAX) end_mask |= bit;
    if (begin == -1 && a.step < 0) begin_mask |= bit;
  }
  begins[at] = begin;
  ends[at] = end;
  return {};
}

Result<bool> constant_slice(Lower& r, size_t rank, const Ints& axes, const Ints& steps) {
  OREE_TRY_ASSIGN(Ints starts, r.ints(1));
  OREE_TRY_ASSIGN(Ints stops, r.ints(2));
  if (starts.size() != axes.size() || stops.size() != axes.size()) return r.invalid("its lists differ in length");
  std::vector<Axis> all(rank);
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t at, r.axis(axes[i], rank));
    all[at] = {starts[i], stops[i], steps[i]};
  }
  Ints begins(rank), ends(rank), strides(rank);
  int64_t begin_mask = 0, end_mask = 0;
  for (size_t d = 0; d < rank; ++d) {
    strides[d] = all[d].step;
    OREE_TRY(set_bounds(r, all[d], (*r.dims(r.in(0)))[d], d, begins, ends, begin_mask, end_mask));
  }
  r.finish_emit("STRIDED_SLICE", {r.in(0), r.int32s(begins), r.int32s(ends), r.int32s(strides)},
                {{"begin_mask", begin_mask}, {"end_mask", end_mask}});
  return true;
}

// Bounds that are computed, each put at the place of its axis; what is not sliced is taken whole.
Result<bool> computed_slice(Lower& r, size_t rank, const Ints& axes, const Ints& steps) {
  Ints place(rank, -1), strides(rank, 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t at, r.axis(axes[i], rank));
    place[at] = static_cast<int64_t>(i);
    strides[at] = steps[i];
    if (steps[i] < 0) return r.unsupported("computed bounds of steps backwards");
  }
  auto whole = [&](size_t input, int64_t otherwise) {
    // Within 32 bits first: INT64_MAX is how exporters say "to the end".
    ValueId v = r.as_int64(r.in(input));
    v = r.add("Max", {r.add("Min", {v, r.int_constant(INT32_MAX)}), r.int_constant(-INT32_MAX)});
    std::vector<ValueId> parts;
    for (size_t d = 0; d < rank; ++d) {
      if (place[d] < 0) {
        parts.push_back(r.ints_constant({otherwise}));
      } else {
        parts.push_back(
            axes.size() == 1 ? v : r.add("Slice", {v, r.ints_constant({place[d]}), r.ints_constant({place[d] + 1})}));
      }
    }
    return r.as_int32(parts.size() == 1 ? parts[0] : r.add("Concat", parts, {{"axis", int64_t{0}}}));
  };
  ValueId begin = whole(1, 0), end = whole(2, INT32_MAX);
  r.finish_emit("STRIDED_SLICE", {r.in(0), begin, end, r.int32s(strides)});
  return true;
}

// Neighbours that are taken whole become one axis, so that few enough are left: the same slice between two Reshapes.
Result<bool> slice_of_fewer(Lower& r, size_t rank) {
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape result, r.known(r.out()));
  OREE_TRY_ASSIGN(Ints axes, r.ints_or_none(3));
  if (!r.has(3)) {
    OREE_TRY_ASSIGN(Ints starts, r.ints(1));
    for (size_t d = 0; d < starts.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  }
  std::vector<bool> sliced(rank, false);
  for (int64_t& a : axes) {
    OREE_TRY_ASSIGN(size_t at, r.axis(a, rank));
    sliced[at] = true;
  }
  Ints merged, place(rank);
  for (size_t d = 0; d < rank; ++d) {
    if (d > 0 && !sliced[d] && !sliced[d - 1]) {
      merged.back() *= shape[d];
    } else {
      merged.push_back(shape[d]);
    }
    place[d] = static_cast<int64_t>(merged.size()) - 1;
  }
  if (merged.size() > kAxesMax) return r.unsupported(fmt::format("{} dimensions, at most {}", rank, kAxesMax));
  for (int64_t& a : axes) a = place[static_cast<size_t>(a < 0 ? a + static_cast<int64_t>(rank) : a)];
  std::vector<ValueId> inputs{r.reshape(r.in(0), merged), r.in(1), r.in(2), r.ints_constant(axes)};
  if (r.has(4)) inputs.push_back(r.in(4));
  r.finish("Reshape", {r.add_like(r.in(0), "Slice", std::move(inputs)), r.ints_constant(result)});
  return true;
}

Result<bool> slice(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_type(r.in(0), "filbcCsI"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank > kAxesMax) return slice_of_fewer(r, rank);
  OREE_TRY_ASSIGN(Ints axes, r.ints_or_none(3));
  OREE_TRY_ASSIGN(Ints steps, r.ints_or_none(4));
  if (!r.has(3)) {
    std::optional<Shape> count = r.shape(r.in(1));
    if (!count || count->size() != 1) return r.unsupported("bounds of unknown number");
    for (int64_t d = 0; d < (*count)[0]; ++d) axes.push_back(d);
  }
  if (!r.has(4)) steps.assign(axes.size(), 1);
  if (steps.size() != axes.size()) return r.invalid("its lists differ in length");
  bool known = r.constant_of(r.in(1)).has_value() && r.constant_of(r.in(2)).has_value();
  return known ? constant_slice(r, rank, axes, steps) : computed_slice(r, rank, axes, steps);
}

constexpr LowerEntry kEntries[] = {{"Slice", slice}};

}  // namespace

std::span<const LowerEntry> lower_slices() { return kEntries; }

}  // namespace oree
