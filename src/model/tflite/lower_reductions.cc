// SPDX-License-Identifier: Apache-2.0
// Reductions, extremes and running sums.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Result<bool> reduce(Lower& r, std::string_view op, std::string_view types) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), types));
  Attributes options{{"keep_dims", r.integer("keepdims", 1)}};
  bool none = r.has(1) && r.shape(r.in(1)) == Shape{0};  // an empty list, wherever it comes from
  if (r.has(1) && !r.constant_of(r.in(1)) && !none) {
    r.finish_emit(op, {r.in(0), r.as_int32(r.in(1))}, std::move(options));
    return true;
  }
  Ints axes;
  if (!none) {
    OREE_TRY_ASSIGN(axes, r.ints_or_none(1));
  }
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (axes.empty() && r.integer("noop_with_empty_axes", 0) != 0) {
    r.finish("Identity", {r.in(0)});
    return true;
  }
  if (axes.empty()) {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  for (int64_t& a : axes) {
    OREE_TRY_ASSIGN(size_t at, r.axis(a, rank));
    a = static_cast<int64_t>(at);
  }
  if (axes.empty()) {  // of a scalar
    r.finish("Identity", {r.in(0)});
    return true;
  }
  r.finish_emit(op, {r.in(0), r.int32s(axes)}, std::move(options));
  return true;
}

Result<bool> mean(Lower& r) { return reduce(r, "MEAN", "filcCs"); }
Result<bool> sum(Lower& r) { return reduce(r, "SUM", "filcCs"); }
Result<bool> product(Lower& r) { return reduce(r, "REDUCE_PROD", "fil"); }
Result<bool> maximum(Lower& r) {
  bool truth = r.dtype(r.in(0)) == Dtype::kBool;
  return truth ? reduce(r, "REDUCE_ANY", "b") : reduce(r, "REDUCE_MAX", "filcCs");
}
Result<bool> minimum(Lower& r) {
  bool truth = r.dtype(r.in(0)) == Dtype::kBool;
  return truth ? reduce(r, "REDUCE_ALL", "b") : reduce(r, "REDUCE_MIN", "filcCs");
}

// Without keepdims: those were composed.
Result<bool> arg(Lower& r, std::string_view op) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "ficCb"));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", 0), rank));
  bool narrow = r.absorb_cast(Dtype::kInt32);
  r.finish_emit(op, {r.in(0), r.int32(static_cast<int64_t>(axis))}, {{"output_type", int64_t{narrow ? 2 : 4}}});
  return true;
}
Result<bool> arg_max(Lower& r) { return arg(r, "ARG_MAX"); }
Result<bool> arg_min(Lower& r) { return arg(r, "ARG_MIN"); }

// The largest of the last axis; other forms were composed. TFLite counts places in 32 bits.
Result<bool> top_k(Lower& r) {
  OREE_TRY(r.want(2, 2));
  OREE_TRY(r.want_type(r.in(0), "filcC"));
  ValueId k = r.constant_of(r.in(1)) ? r.int32(r.constant_of(r.in(1))->to_ints().at(0))
                                     : r.as_int32(r.reshape(r.in(1), Ints{}));
  ValueId values = r.out(0) != kNoValue ? r.out(0) : r.graph().add_value("unused", r.dtype(r.in(0)), r.dims(r.out(1)));
  std::optional<Dims> dims = r.dims(r.out(0) != kNoValue ? r.out(0) : r.out(1));
  ValueId places = r.graph().add_value("places", Dtype::kInt32, dims);
  r.finish_emit_many("TOPK_V2", {r.in(0), k}, {values, places}, {});
  if (r.out(1) != kNoValue) r.finish("Cast", {places}, NodeRewrite::cast_to(Dtype::kInt64), 1);
  return true;
}

Result<bool> cumsum(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "filc"));
  OREE_TRY_ASSIGN(Ints axis, r.ints(1));
  if (axis.size() != 1) return r.invalid("needs one axis");
  r.finish_emit("CUMSUM", {r.in(0), r.int32(axis[0])},
                {{"exclusive", r.integer("exclusive", 0)}, {"reverse", r.integer("reverse", 0)}});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"ArgMax", arg_max},    {"ArgMin", arg_min},     {"CumSum", cumsum}, {"ReduceMax", maximum}, {"ReduceMean", mean},
    {"ReduceMin", minimum}, {"ReduceProd", product}, {"ReduceSum", sum}, {"TopK", top_k},
};

}  // namespace

std::span<const LowerEntry> lower_reductions() { return kEntries; }

}  // namespace oree
