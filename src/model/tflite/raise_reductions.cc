// SPDX-License-Identifier: Apache-2.0
// Reductions, extremes, running sums and normalisation by a norm.
#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

std::vector<ValueId> reduction_inputs(Raise& r, ValueId x) { return {x, r.as_vector(r.as_int64(r.in(1)))}; }

// No axes: nothing is reduced.
Attributes reduction_attributes(const Raise& r) {
  return {{"keepdims", r.option("keep_dims")}, {"noop_with_empty_axes", int64_t{1}}};
}

Status reduce(Raise& r, const char* op) {
  OREE_TRY(r.want(2));
  r.finish(op, reduction_inputs(r, r.in(0)), reduction_attributes(r));
  return {};
}
Status mean(Raise& r) { return reduce(r, "ReduceMean"); }
Status sum(Raise& r) { return reduce(r, "ReduceSum"); }
Status maximum(Raise& r) { return reduce(r, "ReduceMax"); }
Status minimum(Raise& r) { return reduce(r, "ReduceMin"); }
Status product(Raise& r) { return reduce(r, "ReduceProd"); }

// Of truth values: the largest or smallest of 0 and 1.
Status reduce_bool(Raise& r, const char* op) {
  OREE_TRY(r.want(2));
  ValueId extreme = r.add(op, reduction_inputs(r, r.cast(r.in(0), Dtype::kInt32)), reduction_attributes(r));
  r.finish("Cast", {extreme}, NodeRewrite::cast_to(Dtype::kBool));
  return {};
}
Status any(Raise& r) { return reduce_bool(r, "ReduceMax"); }
Status all(Raise& r) { return reduce_bool(r, "ReduceMin"); }

Status arg(Raise& r, const char* op) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Ints axis, r.ints(1));
  if (axis.size() != 1) return r.invalid("needs one axis");
  Attributes attributes{{"axis", axis[0]}, {"keepdims", int64_t{0}}};
  if (r.dtype(r.out()) == Dtype::kInt64) {
    r.finish(op, {r.in(0)}, std::move(attributes));
    return {};
  }
  r.finish("Cast", {r.add(op, {r.in(0)}, std::move(attributes))}, NodeRewrite::cast_to(Dtype::kInt32));
  return {};
}
Status arg_max(Raise& r) { return arg(r, "ArgMax"); }
Status arg_min(Raise& r) { return arg(r, "ArgMin"); }

// Largest first, along the last axis.
Status top_k(Raise& r) {
  OREE_TRY(r.want(2, 2));
  ValueId k = r.as_vector(r.as_int64(r.in(1)));
  if (r.dtype(r.out(1)) == Dtype::kInt64) {
    r.finish_many("TopK", {r.in(0), k}, {r.out(0), r.out(1)}, {});
    return {};
  }
  ValueId places = r.graph().add_value("TopK");
  r.finish_many("TopK", {r.in(0), k}, {r.out(0), places}, {});
  r.finish("Cast", {places}, NodeRewrite::cast_to(Dtype::kInt32), 1);
  return {};
}

Status cumsum(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("CumSum", {r.in(0), r.in(1)}, {{"exclusive", r.option("exclusive")}, {"reverse", r.option("reverse")}});
  return {};
}

// By the norm of the last axis, or by a millionth when that is less.
Status l2_normalization(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  ValueId norm = r.add("ReduceL2", {r.in(0), r.ints_constant(Ints{-1})});
  r.finish("Div", {r.in(0), r.add("Max", {norm, r.number_like(norm, 1e-6)})});
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"MEAN", mean},           {"SUM", sum},        {"REDUCE_MAX", maximum}, {"REDUCE_MIN", minimum},
    {"REDUCE_PROD", product}, {"REDUCE_ANY", any}, {"REDUCE_ALL", all},     {"ARG_MAX", arg_max},
    {"ARG_MIN", arg_min},     {"TOPK_V2", top_k},  {"CUMSUM", cumsum},      {"L2_NORMALIZATION", l2_normalization},
};

}  // namespace

std::span<const RaiseEntry> raise_reductions() { return kEntries; }

}  // namespace oree
