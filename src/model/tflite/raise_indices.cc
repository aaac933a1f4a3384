// SPDX-License-Identifier: Apache-2.0
// Operators that look elements up, and those that make tensors from numbers.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// ONNX takes int32 or int64 here.
ValueId index(Raise& r, ValueId v) {
  bool fits = r.dtype(v) == Dtype::kInt32 || r.dtype(v) == Dtype::kInt64;
  return fits ? v : r.cast(v, Dtype::kInt32);
}

Status gather(Raise& r) {
  OREE_TRY(r.want(2));
  int64_t batch = r.option("batch_dims"), axis = r.option("axis");
  if (batch < 0 || axis < 0) {
    OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
    OREE_TRY_ASSIGN(size_t index_rank, r.known_rank(r.in(1)));
    if (axis < 0) axis += static_cast<int64_t>(rank);
    if (batch < 0) batch += static_cast<int64_t>(index_rank);
  }
  if (batch == 0) {
    r.finish("Gather", {r.in(0), index(r, r.in(1))}, {{"axis", axis}});
    return {};
  }
  if (axis != batch) return r.unsupported(fmt::format("axis {} behind {} batch axes", axis, batch));
  ValueId places = r.add("Unsqueeze", {r.as_int64(r.in(1)), r.ints_constant(Ints{-1})});
  r.finish("GatherND", {r.in(0), places}, {{"batch_dims", batch}});
  return {};
}

Status gather_nd(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("GatherND", {r.in(0), r.as_int64(r.in(1))});
  return {};
}

// Inputs: places, updates, shape. What meets at one place is summed.
Status scatter_nd(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  ValueId zero = r.number_like(r.in(1), 0);
  ValueId empty = r.add("Expand", {zero, r.as_vector(r.as_int64(r.in(2)))});
  r.finish("ScatterND", {empty, r.as_int64(r.in(0)), r.in(1)}, {{"reduction", std::string("add")}});
  return {};
}

Status embedding_lookup(Raise& r) {
  OREE_TRY(r.want(2));
  if (r.dtype(r.in(1)) != r.dtype(r.out())) return r.unsupported("a table of another type than the result");
  r.finish("Gather", {r.in(1), index(r, r.in(0))});
  return {};
}

// Inputs: places, depth, on, off.
Status one_hot(Raise& r) {
  OREE_TRY(r.want(4));
  OREE_TRY(r.want_plain());
  ValueId axes = r.ints_constant(Ints{0});
  ValueId off = r.add("Unsqueeze", {r.in(3), axes}), on = r.add("Unsqueeze", {r.in(2), axes});
  r.finish("OneHot", {r.in(0), r.in(1), r.add("Concat", {off, on}, {{"axis", int64_t{0}}})},
           {{"axis", r.option("axis")}});
  return {};
}

Status range(Raise& r) {
  OREE_TRY(r.want(3));
  r.finish("Range", {r.in(0), r.in(1), r.in(2)});
  return {};
}

Status fill(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("Expand", {r.in(1), r.as_int64(r.in(0))});
  return {};
}

Status zeros_like(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  r.finish("Expand", {r.number_like(r.in(0), 0), r.add("Shape", {r.in(0)})});
  return {};
}

Status shape(Raise& r) {
  OREE_TRY(r.want(1));
  if (r.dtype(r.out()) == Dtype::kInt64) {
    r.finish("Shape", {r.in(0)});
  } else {
    r.finish("Cast", {r.add("Shape", {r.in(0)})}, NodeRewrite::cast_to(Dtype::kInt32));
  }
  return {};
}

Status rank(Raise& r) {
  OREE_TRY(r.want(1));
  r.finish("Cast", {r.add("Size", {r.add("Shape", {r.in(0)})})}, NodeRewrite::cast_to(Dtype::kInt32));
  return {};
}

// The places of what is true: a row for each.
Status where(Raise& r) {
  OREE_TRY(r.want(1));
  if (r.dtype(r.in(0)) != Dtype::kBool) return r.unsupported("a condition that is no bool");
  r.finish("Transpose", {r.add("NonZero", {r.in(0)})}, {{"perm", Ints{1, 0}}});
  return {};
}

// Inputs: boxes, scores, size of the output, IoU and score thresholds. What is selected fills the front of an output of
// fixed size; ONNX's operator has a row {batch, class, box} for each selected box.
Status non_max_suppression(Raise& r) {
  bool v5 = r.node().op == "NON_MAX_SUPPRESSION_V5";
  OREE_TRY(r.want(v5 ? 6 : 5, v5 ? 3 : 2));
  OREE_TRY(r.want_plain());
  if (v5) {
    std::optional<Constant> sigma = r.constant_of(r.in(5));
    if (!sigma || sigma->elements() != 1 || sigma->to_doubles()[0] != 0) return r.unsupported("soft suppression");
  }
  ValueId most = r.as_vector(r.as_int64(r.in(2)));
  ValueId zero = r.ints_constant(Ints{0}), one = r.ints_constant(Ints{1});
  ValueId boxes = r.add("Unsqueeze", {r.in(0), zero}),
          scores = r.add("Unsqueeze", {r.in(1), r.ints_constant(Ints{0, 1})});
  ValueId rows = r.add("NonMaxSuppression", {boxes, scores, most, r.as_vector(r.in(3)), r.as_vector(r.in(4))});
  ValueId chosen =
      r.add("Squeeze", {r.add("Slice", {rows, r.ints_constant(Ints{2}), r.ints_constant(Ints{3}), one}), one});
  ValueId count = r.add("Shape", {chosen});
  ValueId pads = r.add("Concat", {zero, r.add("Sub", {most, count})}, {{"axis", int64_t{0}}});
  ValueId padded = r.add("Pad", {chosen, pads});
  r.finish("Cast", {padded}, NodeRewrite::cast_to(Dtype::kInt32), 0);
  if (v5) {
    ValueId picked = r.add("Gather", {r.in(1), chosen});
    r.finish("Pad", {picked, pads}, {}, 1);
  }
  ValueId number = r.add("Squeeze", {count, zero});
  r.finish("Cast", {number}, NodeRewrite::cast_to(Dtype::kInt32), v5 ? 2 : 1);
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"GATHER", gather},
    {"GATHER_ND", gather_nd},
    {"SCATTER_ND", scatter_nd},
    {"EMBEDDING_LOOKUP", embedding_lookup},
    {"ONE_HOT", one_hot},
    {"RANGE", range},
    {"FILL", fill},
    {"ZEROS_LIKE", zeros_like},
    {"SHAPE", shape},
    {"RANK", rank},
    {"WHERE", where},
    {"NON_MAX_SUPPRESSION_V4", non_max_suppression},
    {"NON_MAX_SUPPRESSION_V5", non_max_suppression},
};

}  // namespace

std::span<const RaiseEntry> raise_indices() { return kEntries; }

}  // namespace oree
