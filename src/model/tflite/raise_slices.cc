// SPDX-License-Identifier: Apache-2.0
// SLICE and STRIDED_SLICE.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// A size of -1: to the end.
Status slice(Raise& r) {
  OREE_TRY(r.want(3));
  bool known = r.constant_of(r.in(1)).has_value() && r.constant_of(r.in(2)).has_value();
  if (known) {
    OREE_TRY_ASSIGN(Ints begin, r.ints(1));
    OREE_TRY_ASSIGN(Ints size, r.ints(2));
    if (begin.size() != size.size()) return r.invalid("begin and size differ in length");
    Ints ends(begin.size()), axes(begin.size());
    for (size_t i = 0; i < begin.size(); ++i) {
      if (begin[i] < 0 || begin[i] > INT32_MAX || size[i] < -1 || size[i] > INT32_MAX)
        return r.invalid("out of bounds");
      ends[i] = size[i] == -1 ? INT64_MAX : begin[i] + size[i];
      axes[i] = static_cast<int64_t>(i);
    }
    r.finish("Slice", {r.in(0), r.ints_constant(begin), r.ints_constant(ends), r.ints_constant(axes)});
    return {};
  }
  ValueId begin = r.as_int64(r.in(1)), size = r.as_int64(r.in(2));
  ValueId to_end = r.add("Less", {size, r.int_constant(0)});
  ValueId ends = r.add("Where", {to_end, r.int_constant(INT64_MAX), r.add("Add", {begin, size})});
  r.finish("Slice", {r.in(0), begin, ends});
  return {};
}

// STRIDED_SLICE as a list of axes: what it takes of each, and the axes of length 1 that it drops or adds.
struct Strided {
  Ints starts, ends, axes, steps;
  Ints squeezed;    // of the input's axes
  Ints unsqueezed;  // of the output's
};

bool bit(int64_t mask, size_t i) { return i < 32 && ((mask >> i) & 1) != 0; }

// Walks the entries of begin, end and strides beside the axes of the input and of the output. `take` is called for
// each entry that slices an axis.
template <typename Take>
Status walk(const Raise& r, size_t entries, size_t rank, Strided& out, const Take& take) {
  int64_t ellipsis = r.option("ellipsis_mask"), added = r.option("new_axis_mask"),
          dropped = r.option("shrink_axis_mask");
  size_t slicing = 0, dots = 0;
  for (size_t i = 0; i < entries; ++i) {
    dots += bit(ellipsis, i);
    slicing += !bit(ellipsis, i) && !bit(added, i);
  }
  if (dots > 1 || slicing > rank) return r.invalid("more entries than its input has axes");
  size_t axis = 0, to = 0;
  for (size_t i = 0; i < entries; ++i) {
    if (bit(ellipsis, i)) {
      axis += rank - slicing;
      to += rank - slicing;
    } else if (bit(added, i)) {
      out.unsqueezed.push_back(static_cast<int64_t>(to++));
    } else {
      OREE_TRY(take(i, axis));
      if (bit(dropped, i)) {
        out.squeezed.push_back(static_cast<int64_t>(axis));
      } else {
        ++to;
      }
      ++axis;
    }
  }
  return {};
}

void finish(Raise& r, ValueId sliced, const Strided& s) {
  if (!s.squeezed.empty() && !s.unsqueezed.empty()) {
    sliced = r.add_like(r.in(0), "Squeeze", {sliced, r.ints_constant(s.squeezed)});
  } else if (!s.squeezed.empty()) {
    r.finish("Squeeze", {sliced, r.ints_constant(s.squeezed)});
    return;
  }
  r.finish("Unsqueeze", {sliced, r.ints_constant(s.unsqueezed)});
}

// All of it known: one Slice of the axes that lose something.
Status strided_constant(Raise& r, size_t rank) {
  OREE_TRY_ASSIGN(Ints begin, r.ints(1));
  OREE_TRY_ASSIGN(Ints end, r.ints(2));
  OREE_TRY_ASSIGN(Ints strides, r.ints(3));
  if (begin.size() != end.size() || begin.size() != strides.size() || begin.size() > 32) {
    return r.invalid("begin, end and strides differ in length");
  }
  Strided s;
  Status walked = walk(r, begin.size(), rank, s, [&](size_t i, size_t axis) -> Status {
    int64_t step = strides[i], from = begin[i], to = end[i];
    if (step == 0) return r.invalid("a stride of 0");
    if (r.flag("offset")) to += from;
    if (bit(r.option("shrink_axis_mask"), i)) {
      step = 1;
      to = from == -1 ? INT64_MAX : from + 1;
    } else {
      if (bit(r.option("begin_mask"), i)) from = step > 0 ? 0 : INT64_MAX;
      if (bit(r.option("end_mask"), i)) to = step > 0 ? INT64_MAX : INT64_MIN;
      if (from == 0 && to == INT64_MAX && step == 1) return {};
    }
    s.starts.push_back(from);
    s.ends.push_back(to);
    s.axes.push_back(static_cast<int64_t>(axis));
    s.steps.push_back(step);
    return {};
  });
  OREE_TRY(walked);
  ValueId x = r.in(0);
  bool shaped = !s.squeezed.empty() || !s.unsqueezed.empty();
  std::vector<ValueId> inputs{x, r.ints_constant(s.starts), r.ints_constant(s.ends), r.ints_constant(s.axes)};
  if (std::ranges::any_of(s.steps, [](int64_t v) { return v != 1; })) inputs.push_back(r.ints_constant(s.steps));
  if (!shaped) {
    r.finish("Slice", std::move(inputs));
    return {};
  }
  finish(r, s.starts.empty() ? x : r.add_like(x, "Slice", std::move(inputs)), s);
  return {};
}

// Bounds that are computed: masked entries get theirs by Where.
Status strided_computed(Raise& r, size_t rank) {
  OREE_TRY_ASSIGN(Ints strides, r.ints(3));
  if (r.flag("offset")) return r.unsupported("computed bounds as an offset");
  if (r.option("ellipsis_mask") != 0 || r.option("new_axis_mask") != 0)
    return r.unsupported("computed bounds with masks");
  Strided s;
  std::vector<uint8_t> keep_begin, keep_end, one_long;
  Ints begin_otherwise, end_otherwise;
  OREE_TRY(walk(r, strides.size(), rank, s, [&](size_t i, size_t axis) -> Status {
    if (strides[i] == 0) return r.invalid("a stride of 0");
    bool shrink = bit(r.option("shrink_axis_mask"), i), forward = strides[i] > 0;
    one_long.push_back(shrink);
    keep_begin.push_back(shrink || !bit(r.option("begin_mask"), i));
    keep_end.push_back(!shrink && !bit(r.option("end_mask"), i));
    begin_otherwise.push_back(forward ? 0 : INT64_MAX);
    end_otherwise.push_back(forward ? INT64_MAX : INT64_MIN);
    s.axes.push_back(static_cast<int64_t>(axis));
    s.steps.push_back(shrink ? 1 : strides[i]);
    return {};
  }));
  auto bools = [&](const std::vector<uint8_t>& v) {
    Tensor t(Dtype::kBool, {static_cast<int64_t>(v.size())});
    std::ranges::copy(v, t.data());
    return r.constant(Constant(std::move(t)), "mask");
  };
  auto all = [](const std::vector<uint8_t>& v, uint8_t what) {
    return std::ranges::all_of(v, [&](uint8_t x) { return x == what; });
  };
  ValueId begin = r.as_int64(r.in(1)), end = r.as_int64(r.in(2));
  if (!all(keep_begin, 1)) begin = r.add("Where", {bools(keep_begin), begin, r.ints_constant(begin_otherwise)});
  if (!all(keep_end, 1)) end = r.add("Where", {bools(keep_end), end, r.ints_constant(end_otherwise)});
  if (!all(one_long, 0)) {
    // One behind the begin; behind the last element, which is -1, comes the end.
    ValueId next = r.add("Add", {begin, r.int_constant(1)});
    ValueId last = r.add("Equal", {next, r.int_constant(0)});
    next = r.add("Where", {last, r.int_constant(INT64_MAX), next});
    end = r.add("Where", {bools(one_long), next, end});
  }
  std::vector<ValueId> inputs{r.in(0), begin, end, r.ints_constant(s.axes), r.ints_constant(s.steps)};
  if (s.squeezed.empty()) {
    r.finish("Slice", std::move(inputs));
  } else {
    finish(r, r.add_like(r.in(0), "Slice", std::move(inputs)), s);
  }
  return {};
}

Status strided_slice(Raise& r) {
  OREE_TRY(r.want(4));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  bool known = r.constant_of(r.in(1)).has_value() && r.constant_of(r.in(2)).has_value();
  return known ? strided_constant(r, rank) : strided_computed(r, rank);
}

constexpr RaiseEntry kEntries[] = {
    {"SLICE", slice},
    {"STRIDED_SLICE", strided_slice},
};

}  // namespace

std::span<const RaiseEntry> raise_slices() { return kEntries; }

}  // namespace oree
