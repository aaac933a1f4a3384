// SPDX-License-Identifier: Apache-2.0
// Reductions, extremes and pads that TFLite lacks, from those that it has.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

std::vector<ValueId> over(const Lower& r, ValueId x) {
  std::vector<ValueId> out{x};
  if (r.has(1)) out.push_back(r.in(1));
  return out;
}

Result<bool> l1(Lower& r) {
  OREE_TRY(r.want(1));
  r.finish("ReduceSum", over(r, r.add("Abs", {r.in(0)})), r.node().attributes);
  return true;
}
Result<bool> sum_square(Lower& r) {
  OREE_TRY(r.want(1));
  r.finish("ReduceSum", over(r, r.add("Mul", {r.in(0), r.in(0)})), r.node().attributes);
  return true;
}
Result<bool> l2(Lower& r) {
  OREE_TRY(r.want(1));
  r.finish("Sqrt", {r.add("ReduceSumSquare", over(r, r.in(0)), r.node().attributes)});
  return true;
}
Result<bool> log_sum(Lower& r) {
  OREE_TRY(r.want(1));
  r.finish("Log", {r.add("ReduceSum", over(r, r.in(0)), r.node().attributes)});
  return true;
}

// The largest is taken out first, so that nothing overflows.
Result<bool> log_sum_exp(Lower& r) {
  OREE_TRY(r.want(1));
  Attributes kept = r.node().attributes, wanted = r.node().attributes;
  kept["keepdims"] = int64_t{1};
  ValueId most = r.add("ReduceMax", over(r, r.in(0)), kept);
  ValueId sum = r.add("ReduceSum", over(r, r.add("Exp", {r.add("Sub", {r.in(0), most})})), wanted);
  ValueId level = r.integer("keepdims", 1) != 0 ? most : r.add("ReduceMax", over(r, r.in(0)), wanted);
  r.finish("Add", {r.add("Log", {sum}), level});
  return true;
}

// TFLite drops the axis, and takes the first of equals.
Result<bool> arg(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), rank));
  auto at = static_cast<int64_t>(axis);
  bool last = r.integer("select_last_index", 0) != 0, keeps = r.integer("keepdims", 1) != 0;
  if (!last && !keeps) return false;
  ValueId x = r.in(0);
  Attributes plain{{"axis", at}, {"keepdims", int64_t{0}}};
  if (last) {
    ValueId back = r.ints_constant({-1});
    x = r.add_like(x, "Slice", {x, back, r.ints_constant({INT64_MIN}), r.ints_constant({at}), back});
  }
  ValueId place = r.add(r.node().op, {x}, plain);
  if (last) {
    const Dim size = (*r.dims(r.in(0)))[axis];
    if (!size.known()) return r.unsupported("the last of an axis of unknown size");
    place = r.add("Sub", {r.int_constant(size.size - 1), place});
  }
  if (keeps) {
    r.finish("Unsqueeze", {place, r.ints_constant({at})});
  } else {
    r.finish("Identity", {place});
  }
  return true;
}

// TFLite's is of the last axis, the largest first.
Result<bool> top_k(Lower& r) {
  OREE_TRY(r.want(2, 2));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), rank));
  bool largest = r.integer("largest", 1) != 0;
  if (axis + 1 == rank && largest) return false;
  Ints order(rank);
  for (size_t d = 0; d < rank; ++d) order[d] = static_cast<int64_t>(d);
  std::swap(order[axis], order[rank - 1]);
  bool moves = axis + 1 != rank;
  ValueId x = moves ? r.permute(r.in(0), order) : r.in(0);
  if (!largest) {
    OREE_TRY(r.want_plain());
    x = r.add("Neg", {x});
  }
  std::vector<ValueId> found = r.add_many("TopK", {x, r.in(1)}, 2, {});
  if (!largest) found[0] = r.add("Neg", {found[0]});
  for (size_t i : {0, 1}) {
    if (r.out(i) == kNoValue) continue;
    if (moves) {
      r.finish("Transpose", {found[i]}, {{"perm", order}}, i);
    } else {
      r.finish("Identity", {found[i]}, {}, i);
    }
  }
  return true;
}

// --- Pad
Result<Ints> pads_of(const Lower& r, size_t rank) {
  OREE_TRY_ASSIGN(Ints pads, r.ints(1));
  OREE_TRY_ASSIGN(Ints axes, r.ints_or_none(3));
  if (!r.has(3)) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (pads.size() != 2 * axes.size()) return r.invalid("two pads for each axis are needed");
  Ints all(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    OREE_TRY_ASSIGN(size_t axis, r.axis(axes[i], rank));
    all[axis] = pads[i];
    all[rank + axis] = pads[axes.size() + i];
  }
  return all;
}

// Which element of an axis lies at each place of the padded one.
Result<Ints> sources(const Lower& r, const std::string& mode, int64_t size, int64_t before, int64_t behind) {
  Ints out;
  if (size < 1) return r.unsupported("of an empty axis");
  for (int64_t i = -before; i < size + behind; ++i) {
    int64_t from = i;
    if (mode == "edge") from = std::clamp<int64_t>(i, 0, size - 1);
    if (mode == "wrap") from = ((i % size) + size) % size;
    if (mode == "reflect") {
      int64_t period = std::max<int64_t>(2 * size - 2, 1), at = ((i % period) + period) % period;
      from = at < size ? at : period - at;
    }
    out.push_back(from);
  }
  return out;
}

// Modes that TFLite lacks pick elements; negative pads cut first.
Result<bool> pad(Lower& r) {
  OREE_TRY(r.want(2));
  std::string mode = r.text("mode", "constant");
  if (!r.constant_of(r.in(1))) {
    bool has = mode == "constant" || mode == "reflect";
    return has ? Result<bool>(false) : r.unsupported(fmt::format("computed pads in mode '{}'", mode));
  }
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(Ints pads, pads_of(r, rank));
  bool cuts = std::ranges::any_of(pads, [](int64_t p) { return p < 0; });
  // TFLite reflects at most what there is.
  bool far = false;
  for (size_t d = 0; d < rank && mode == "reflect"; ++d) {
    const Dim size = (*r.dims(r.in(0)))[d];
    int64_t most = std::max(pads[d], pads[rank + d]);
    far = far || (most > 0 && (!size.known() || most >= size.size));
  }
  if (!cuts && (mode == "constant" || (mode == "reflect" && !far))) return false;
  ValueId x = r.in(0);
  if (mode == "constant") {
    Ints starts, ends, axes;
    for (size_t d = 0; d < rank; ++d) {
      starts.push_back(std::max<int64_t>(-pads[d], 0));
      ends.push_back(pads[rank + d] < 0 ? pads[rank + d] : INT64_MAX);
      axes.push_back(static_cast<int64_t>(d));
    }
    x = r.add_like(x, "Slice", {x, r.ints_constant(starts), r.ints_constant(ends), r.ints_constant(axes)});
    for (int64_t& p : pads) p = std::max<int64_t>(p, 0);
    std::vector<ValueId> inputs{x, r.ints_constant(pads)};
    if (r.has(2)) inputs.push_back(r.in(2));
    r.finish("Pad", std::move(inputs));
    return true;
  }
  for (size_t d = 0; d < rank; ++d) {
    if (pads[d] == 0 && pads[rank + d] == 0) continue;
    const Dim size = (*r.dims(r.in(0)))[d];
    if (!size.known()) return r.unsupported("an axis of unknown size");
    OREE_TRY_ASSIGN(Ints from, sources(r, mode, size.size, pads[d], pads[rank + d]));
    x = r.add_like(r.in(0), "Gather", {x, r.ints_constant(from)}, {{"axis", static_cast<int64_t>(d)}});
  }
  r.finish("Identity", {x});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"ArgMax", arg},
    {"ArgMin", arg},
    {"Pad", pad},
    {"ReduceL1", l1},
    {"ReduceL2", l2},
    {"ReduceLogSum", log_sum},
    {"ReduceLogSumExp", log_sum_exp},
    {"ReduceSumSquare", sum_square},
    {"TopK", top_k},
};

}  // namespace

std::span<const LowerEntry> compose_reductions() { return kEntries; }

}  // namespace oree
