// SPDX-License-Identifier: Apache-2.0
// Operators that pick or place elements by index.
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

Status infer_gather(Inference& in) {
  OREE_TRY(want_integers(in, 1));
  std::optional<Dims> x = in.dims(0), indices = in.dims(1), out;
  if (x) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 0), x->size()));
    if (indices) {
      auto at = x->begin() + static_cast<ptrdiff_t>(axis);
      out = Dims(x->begin(), at);
      out->insert(out->end(), indices->begin(), indices->end());
      out->insert(out->end(), at + 1, x->end());
    }
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_gather_elements(Inference& in) {
  OREE_TRY(want_integers(in, 1));
  if (std::optional<Dims> x = in.dims(0)) {
    OREE_TRY(axis_of(in, in.node().integer("axis", 0), x->size()));
    OREE_TRY(want_rank(in, 1, x->size()));
  }
  in.set(0, in.dtype(0), in.dims(1));
  return {};
}

// indices [b..., i..., n] pick slices x[b..., n numbers, rest...]
Status infer_gather_nd(Inference& in) {
  std::optional<Dims> x = in.dims(0), indices = in.dims(1), out;
  int64_t batch = in.node().integer("batch_dims", 0);
  if (x && indices) {
    if (indices->empty() || batch < 0 || batch >= static_cast<int64_t>(std::min(x->size(), indices->size())))
      return in.fail(fmt::format("batch_dims {} of {} and {}", batch, dims_text(*x), dims_text(*indices)));
    const Dim& n = indices->back();
    if (n.known()) {
      auto from = static_cast<size_t>(batch) + static_cast<size_t>(n.size);
      if (n.size < 1 || from > x->size()) return in.fail(fmt::format("{} indices into {}", n.size, dims_text(*x)));
      out = Dims(indices->begin(), indices->end() - 1);
      out->insert(out->end(), x->begin() + static_cast<ptrdiff_t>(from), x->end());
    }
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_scatter_elements(Inference& in) {
  OREE_TRY(want_integers(in, 1));
  OREE_TRY(want_same_dtype(in, {0, 2}));
  if (std::optional<Dims> x = in.dims(0)) {
    OREE_TRY(axis_of(in, in.node().integer("axis", 0), x->size()));
    OREE_TRY(want_rank(in, 1, x->size()));
    OREE_TRY(want_rank(in, 2, x->size()));
  }
  return infer_same(in);
}

Status infer_scatter_nd(Inference& in) {
  OREE_TRY(want_dtype(in, 1, Dtype::kInt64));
  OREE_TRY(want_same_dtype(in, {0, 2}));
  OREE_TRY(want_rank_min(in, 0, 1));
  OREE_TRY(want_rank_min(in, 1, 1));
  std::optional<Dims> x = in.dims(0), indices = in.dims(1);
  if (x && indices && indices->back().known()) {
    const int64_t n = indices->back().size;
    if (n > static_cast<int64_t>(x->size())) return in.fail(fmt::format("{} indices into {}", n, dims_text(*x)));
    OREE_TRY(want_rank(in, 2, indices->size() - 1 + x->size() - static_cast<size_t>(n)));
  }
  return infer_same(in);
}

Status infer_tensor_scatter(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1}));
  if (std::optional<Dims> x = in.dims(0)) OREE_TRY(want_rank(in, 1, x->size()));
  return infer_same(in);
}

Status infer_one_hot(Inference& in) {
  std::optional<Dims> out = in.dims(0);
  std::optional<SymInts> depth = in.ints(1);
  if (std::optional<std::vector<double>> real = in.reals(1); real && real->size() == 1)
    depth = SymInts{static_cast<int64_t>(std::clamp(real->front(), -1.0, 0x1p62))};
  if (depth && depth->size() != 1) return in.fail("the depth must be one number");
  if (std::optional<size_t> n = length(in, 2); n && *n != 2) return in.fail("the values must be two, off and on");
  if (out) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", -1), out->size() + 1));
    Dim d;
    if (depth && (*depth)[0].value) {
      if (*(*depth)[0].value < 0) return in.fail(fmt::format("a depth of {}", *(*depth)[0].value));
      d = *(*depth)[0].value;
    } else if (depth) {
      d = Dim((*depth)[0].symbol);
    }
    out->insert(out->begin() + static_cast<ptrdiff_t>(axis), std::move(d));
  }
  in.set(0, in.dtype(2), std::move(out));
  return {};
}

// Some of the elements, or of the slices along an axis that is given.
Status infer_some(Inference& in) {
  std::optional<Dims> out = in.dims(0);
  if (in.node().find("axis") == nullptr) {
    out = Dims(1);
  } else if (out) {
    OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 0), out->size()));
    (*out)[axis] = Dim();
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_compress(Inference& in) {
  OREE_TRY(want_dtype(in, 1, Dtype::kBool));
  OREE_TRY(want_rank(in, 1, 1));
  return infer_some(in);
}

Status infer_non_zero(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  in.set(0, Dtype::kInt64, Dims{x ? Dim(static_cast<int64_t>(x->size())) : Dim(), Dim()});
  return {};
}

Status infer_unique(Inference& in) {
  OREE_TRY(infer_some(in));
  for (size_t i = 1; i < 4; ++i) in.set(i, Dtype::kInt64, Dims(1));
  return {};
}

Status infer_non_max_suppression(Inference& in) {
  OREE_TRY(want_rank(in, 0, 3));
  OREE_TRY(want_rank(in, 1, 3));
  in.set(0, Dtype::kInt64, Dims{Dim(), Dim(3)});
  return {};
}

constexpr AttributeDef kAxis[] = {{"axis", kInt}};
constexpr AttributeDef kBatchDims[] = {{"batch_dims", kInt}};
constexpr AttributeDef kScatterElements[] = {{"axis", kInt}, {"reduction", kText}};
constexpr AttributeDef kScatterNd[] = {{"reduction", kText}};
constexpr AttributeDef kTensorScatter[] = {{"axis", kInt}, {"mode", kText}};
constexpr AttributeDef kUnique[] = {{"axis", kInt}, {"sorted", kInt}};
constexpr AttributeDef kNms[] = {{"center_point_box", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"Compress", 2, 2, 1, 1, kMoves, kAxis, infer_compress},
    {"Gather", 2, 2, 1, 1, kMoves, kAxis, infer_gather},
    {"GatherElements", 2, 2, 1, 1, kMoves, kAxis, infer_gather_elements},
    {"GatherND", 2, 2, 1, 1, kMoves, kBatchDims, infer_gather_nd},
    {"NonMaxSuppression", 2, 5, 1, 1, kNoTraits, kNms, infer_non_max_suppression},
    {"NonZero", 1, 1, 1, 1, kNoTraits, {}, infer_non_zero},
    {"OneHot", 3, 3, 1, 1, kNoTraits, kAxis, infer_one_hot},
    {"ScatterElements", 3, 3, 1, 1, kNoTraits, kScatterElements, infer_scatter_elements},
    {"ScatterND", 3, 3, 1, 1, kNoTraits, kScatterNd, infer_scatter_nd},
    {"TensorScatter", 2, 3, 1, 1, kNoTraits, kTensorScatter, infer_tensor_scatter},
    {"Unique", 1, 1, 1, 4, kNoTraits, kUnique, infer_unique},
};

}  // namespace

std::span<const OpDef> index_ops() { return kOps; }

}  // namespace oree
