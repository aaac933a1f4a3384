// SPDX-License-Identifier: Apache-2.0
// Operators along axes: reductions, running sums, softmax, the largest.
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

Dims reduced(const Dims& x, const std::vector<size_t>& axes, bool keep) {
  Dims out;
  for (size_t i = 0; i < x.size(); ++i) {
    bool gone = std::ranges::find(axes, i) != axes.end();
    if (!gone) out.push_back(x[i]);
    if (gone && keep) out.emplace_back(1);
  }
  return out;
}

Status infer_reduce(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  bool keep = in.node().integer("keepdims", 1) != 0;
  bool noop = in.node().integer("noop_with_empty_axes", 0) != 0;
  if (in.has(1)) {
    OREE_TRY(want_rank(in, 1, 1));
    OREE_TRY(want_integers(in, 1));
  }
  std::optional<std::vector<int64_t>> axes = in.has(1) ? known_ints(in, 1) : std::vector<int64_t>{};
  std::optional<Dims> out;
  if (x && axes) {
    OREE_TRY_ASSIGN(std::vector<size_t> gone, axes_of(in, *axes, x->size()));
    for (size_t i = 0; axes->empty() && !noop && i < x->size(); ++i) gone.push_back(i);
    out = reduced(*x, gone, keep);
  } else if (axes && axes->empty() && !keep && !noop) {
    out = Dims();
  } else if (x && keep) {
    out = Dims(x->size());
  } else if (std::optional<size_t> n = length(in, 1); x && n && *n > 0 && *n <= x->size()) {
    out = Dims(x->size() - *n);
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_arg(Inference& in) {
  std::optional<Dims> out;
  if (std::optional<Dims> x = in.dims(0)) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 0), x->size()));
    out = reduced(*x, {axis}, in.node().integer("keepdims", 1) != 0);
  }
  in.set(0, Dtype::kInt64, std::move(out));
  return {};
}

Status infer_softmax(Inference& in) {
  if (std::optional<Dims> x = in.dims(0); x && !x->empty())
    OREE_TRY(axis_of(in, in.node().integer("axis", -1), x->size()));
  return infer_same(in);
}

Status infer_running(Inference& in) {  // CumSum, CumProd
  OREE_TRY(want_integers(in, 1));
  std::optional<std::vector<int64_t>> axis = known_ints(in, 1);
  if (axis && axis->size() != 1) return in.fail("the axis must be one number");
  if (std::optional<Dims> x = in.dims(0); x && axis) OREE_TRY(axis_of(in, (*axis)[0], x->size()));
  return infer_same(in);
}

Status infer_top_k(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (x) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", -1), x->size()));
    Dim& d = (*x)[axis];
    std::optional<SymInts> k = in.ints(1);
    if (k && k->size() != 1) return in.fail("k must be one number");
    SymInt n = k ? (*k)[0] : SymInt();
    if (n.value && (*n.value < 0 || (d.known() && *n.value > d.size)))
      return in.fail(fmt::format("the largest {} of {}", *n.value, dims_text({d})));
    d = n.value ? Dim(*n.value) : Dim(n.symbol);
  }
  in.set(0, in.dtype(0), x);
  in.set(1, Dtype::kInt64, x);
  return {};
}

constexpr AttributeDef kReduce[] = {{"keepdims", kInt}, {"noop_with_empty_axes", kInt}};
constexpr AttributeDef kArg[] = {{"axis", kInt}, {"keepdims", kInt}, {"select_last_index", kInt}};
constexpr AttributeDef kAxis[] = {{"axis", kInt}};
constexpr AttributeDef kRunning[] = {{"exclusive", kInt}, {"reverse", kInt}};
constexpr AttributeDef kTopK[] = {{"axis", kInt}, {"largest", kInt}, {"sorted", kInt}};
constexpr AttributeDef kLpNormalization[] = {{"axis", kInt}, {"p", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"ArgMax", 1, 1, 1, 1, kNoTraits, kArg, infer_arg},
    {"ArgMin", 1, 1, 1, 1, kNoTraits, kArg, infer_arg},
    {"CumProd", 2, 2, 1, 1, kNoTraits, kRunning, infer_running},
    {"CumSum", 2, 2, 1, 1, kNoTraits, kRunning, infer_running},
    {"Hardmax", 1, 1, 1, 1, kNoTraits, kAxis, infer_softmax},
    {"LogSoftmax", 1, 1, 1, 1, kNoTraits, kAxis, infer_softmax},
    {"LpNormalization", 1, 1, 1, 1, kNoTraits, kLpNormalization, infer_softmax},
    {"ReduceL1", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceL2", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceLogSum", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceLogSumExp", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceMax", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceMean", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceMin", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceProd", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceSum", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"ReduceSumSquare", 1, 2, 1, 1, kNoTraits, kReduce, infer_reduce},
    {"Softmax", 1, 1, 1, 1, kNoTraits, kAxis, infer_softmax},
    {"TopK", 2, 2, 2, 2, kNoTraits, kTopK, infer_top_k},
};

}  // namespace

std::span<const OpDef> reduce_ops() { return kOps; }

}  // namespace oree
