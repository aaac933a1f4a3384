// SPDX-License-Identifier: Apache-2.0
// Operators that move elements without looking at them.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"
#include "model/ops/reshape.h"

namespace oree {
namespace {

using enum AttributeKind;

Status infer_reshape(Inference& in) {
  OREE_TRY(want_rank(in, 1, 1));
  OREE_TRY(want_integers(in, 1));
  std::optional<SymInts> wanted = in.ints(1);
  if (!wanted) {
    std::optional<size_t> rank = length(in, 1);
    if (rank && *rank <= static_cast<size_t>(kTensorRankMax)) {
      in.set(0, in.dtype(0), Dims(*rank));
    } else {
      in.set(0, in.dtype(0), {});
    }
    return {};
  }
  Result<Dims> dims = reshaped_dims(in.dims(0), *wanted, in.node().integer("allowzero", 0) != 0);
  if (!dims.ok()) return in.fail(dims.error().message());
  in.set(0, in.dtype(0), std::move(dims).value());
  return {};
}

Status infer_transpose(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  std::vector<int64_t> perm = in.node().integers("perm");
  bool given = in.node().find("perm") != nullptr;
  if (!x) {
    in.set(0, in.dtype(0), given && perm.size() <= kTensorRankMax ? std::optional(Dims(perm.size())) : std::nullopt);
    return {};
  }
  if (!given) {
    std::reverse(x->begin(), x->end());
    in.set(0, in.dtype(0), std::move(x));
    return {};
  }
  if (perm.size() != x->size()) return in.fail(fmt::format("perm has {} axes for rank {}", perm.size(), x->size()));
  OREE_TRY_ASSIGN(std::vector<size_t> from, axes_of(in, perm, x->size()));
  Dims out;
  for (size_t axis : from) out.push_back((*x)[axis]);
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_flatten(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (!x) {
    in.set(0, in.dtype(0), Dims(2));
    return {};
  }
  auto rank = static_cast<int64_t>(x->size());
  int64_t axis = in.node().integer("axis", 1);
  if (axis < -rank || axis > rank) return in.fail(fmt::format("axis {} of a tensor of rank {}", axis, rank));
  std::span<const Dim> dims(*x);
  auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  in.set(0, in.dtype(0), Dims{product(dims.first(at)), product(dims.subspan(at))});
  return {};
}

Status infer_squeeze(Inference& in) {
  std::optional<Dims> x = in.dims(0), out;
  if (x && !in.has(1)) {
    if (known_shape(*x)) {
      std::erase_if(*x, [](const Dim& d) { return d.size == 1; });
      out = std::move(x);
    }
  } else if (std::optional<std::vector<int64_t>> axes = known_ints(in, 1); x && axes) {
    OREE_TRY_ASSIGN(std::vector<size_t> gone, axes_of(in, *axes, x->size()));
    out.emplace();
    for (size_t i = 0; i < x->size(); ++i) {
      bool goes = std::ranges::find(gone, i) != gone.end();
      if (!goes) out->push_back((*x)[i]);
      if (goes && (*x)[i].known() && (*x)[i].size != 1)
        return in.fail(fmt::format("dimension {} is {}, not 1", i, (*x)[i].size));
    }
  } else if (std::optional<size_t> n = length(in, 1); x && n && *n <= x->size()) {
    out = Dims(x->size() - *n);
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_unsqueeze(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  std::optional<size_t> n = length(in, 1);
  std::optional<std::vector<int64_t>> axes = known_ints(in, 1);
  if (axes) n = axes->size();
  if (!x || !n) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  if (*n > static_cast<size_t>(kTensorRankMax)) return in.fail(fmt::format("{} axes", *n));
  Dims out(x->size() + *n);
  if (axes) {
    OREE_TRY_ASSIGN(std::vector<size_t> fresh, axes_of(in, *axes, out.size()));
    auto next = x->begin();
    for (size_t i = 0; i < out.size(); ++i) out[i] = std::ranges::find(fresh, i) != fresh.end() ? Dim(1) : *next++;
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_concat(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  std::optional<Dims> out;
  for (size_t i = 0; i < in.inputs() && !out; ++i) {
    if (in.dims(i)) out = Dims(in.dims(i)->size());
  }
  std::optional<Dtype> dtype;
  for (size_t i = 0; i < in.inputs() && !dtype; ++i) dtype = in.dtype(i);
  if (!out) {
    in.set(0, dtype, {});
    return {};
  }
  OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 0), out->size()));
  std::optional<int64_t> total = 0;
  for (size_t i = 0; i < in.inputs(); ++i) {
    OREE_TRY(want_rank(in, i, out->size()));
    std::optional<Dims> d = in.dims(i);
    if (!d || !(*d)[axis].known()) total.reset();
    for (size_t k = 0; d && k < d->size(); ++k) {
      if (k == axis) continue;
      OREE_TRY_ASSIGN((*out)[k], same_dim(in, (*out)[k], (*d)[k], "concatenated tensors differ"));
    }
    if (total) total = sum(*total, (*d)[axis].size);
  }
  if (total) (*out)[axis] = *total;
  if (in.inputs() == 1) out = in.dims(0);
  in.set(0, dtype, std::move(out));
  return {};
}

// The sizes along the axis that a Split makes; nothing where they do not follow.
Result<std::vector<Dim>> split_sizes(const Inference& in, const Dim& whole) {
  std::vector<Dim> sizes(in.outputs());
  if (in.has(1)) {
    std::optional<std::vector<int64_t>> given = known_ints(in, 1);
    if (!given) return sizes;
    if (given->size() != in.outputs())
      return in.fail(fmt::format("{} sizes for {} outputs", given->size(), in.outputs()));
    std::optional<int64_t> total = 0;
    for (size_t i = 0; i < given->size(); ++i) {
      if ((*given)[i] < 0) return in.fail(fmt::format("a size of {}", (*given)[i]));
      total = total ? sum(*total, (*given)[i]) : total;
      sizes[i] = (*given)[i];
    }
    if (!total || (whole.known() && *total != whole.size))
      return in.fail(fmt::format("the sizes do not add up to the dimension, {}", whole.size));
    return sizes;
  }
  auto parts = static_cast<int64_t>(in.outputs());
  if (in.node().find("num_outputs") != nullptr && in.node().integer("num_outputs", 0) != parts)
    return in.fail(fmt::format("num_outputs {} for {} outputs", in.node().integer("num_outputs", 0), parts));
  if (!whole.known()) return sizes;
  int64_t part = (whole.size + parts - 1) / parts, last = whole.size - part * (parts - 1);
  if (last < 0) return in.fail(fmt::format("{} cannot be split into {}", whole.size, parts));
  std::ranges::fill(sizes, Dim(part));
  sizes.back() = last;
  return sizes;
}

Status infer_split(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  if (!x) {
    for (size_t i = 0; i < in.outputs(); ++i) in.set(i, in.dtype(0), {});
    return {};
  }
  OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 0), x->size()));
  OREE_TRY_ASSIGN(std::vector<Dim> sizes, split_sizes(in, (*x)[axis]));
  for (size_t i = 0; i < in.outputs(); ++i) {
    (*x)[axis] = sizes[i];
    in.set(i, in.dtype(0), x);
  }
  return {};
}

Status infer_tile(Inference& in) {
  OREE_TRY(want_rank(in, 1, 1));
  std::optional<Dims> x = in.dims(0);
  if (!x) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  std::optional<SymInts> repeats = in.ints(1);
  if (std::optional<size_t> n = repeats ? repeats->size() : length(in, 1); n && *n != x->size())
    return in.fail(fmt::format("{} repeats for rank {}", *n, x->size()));
  for (size_t i = 0; i < x->size(); ++i) {
    Dim& d = (*x)[i];
    std::optional<int64_t> times = repeats ? (*repeats)[i].value : std::nullopt;
    if (times && *times < 0) return in.fail(fmt::format("{} repeats", *times));
    if (times == 1) continue;
    std::optional<int64_t> p = times && d.known() ? product(d.size, *times) : std::nullopt;
    if (times && d.known() && !p) return in.fail("the result is too large");
    if (d.size == 1 && repeats && !times) {
      d = Dim((*repeats)[i].symbol);
    } else {
      d = p ? Dim(*p) : Dim();
    }
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

Status infer_expand(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dims> shape, dims_from(in, 1));
  std::optional<Dims> x = in.dims(0), out;
  if (x && shape) {
    Result<Dims> both = broadcast(*x, *shape);
    if (!both.ok()) return in.fail(both.error().message());
    out = std::move(both).value();
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_pad(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 2}));
  std::optional<Dims> x = in.dims(0);
  std::optional<SymInts> pads = in.ints(1);
  if (!x) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  std::vector<int64_t> all(x->size());
  std::iota(all.begin(), all.end(), 0);
  std::optional<std::vector<int64_t>> named = in.has(3) ? known_ints(in, 3) : all;
  if (!named || !pads) {
    in.set(0, in.dtype(0), Dims(x->size()));
    return {};
  }
  OREE_TRY_ASSIGN(std::vector<size_t> axes, axes_of(in, *named, x->size()));
  if (pads->size() != 2 * axes.size()) return in.fail(fmt::format("{} pads for {} axes", pads->size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = (*x)[axes[i]];
    std::optional<int64_t> begin = (*pads)[i].value, end = (*pads)[i + axes.size()].value;
    if (begin == 0 && end == 0) continue;
    std::optional<int64_t> size;
    if (d.known() && begin && end) {
      std::optional<int64_t> both = sum(*begin, *end);
      size = both ? sum(*both, d.size) : std::nullopt;
      if (!size || *size < 0) return in.fail(fmt::format("pads {} and {} of a dimension of {}", *begin, *end, d.size));
    }
    d = size ? Dim(*size) : Dim();
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

constexpr AttributeDef kAxis[] = {{"axis", kInt}};
constexpr AttributeDef kConcat[] = {{"axis", kInt, true}};
constexpr AttributeDef kReshape[] = {{"allowzero", kInt}};
constexpr AttributeDef kTranspose[] = {{"perm", kInts}};
constexpr AttributeDef kSplit[] = {{"axis", kInt}, {"num_outputs", kInt}};
constexpr AttributeDef kPad[] = {{"mode", kText}};
constexpr AttributeDef kReverseSequence[] = {{"batch_axis", kInt}, {"time_axis", kInt}};
constexpr AttributeDef kTrilu[] = {{"upper", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"Concat", 1, kVariadic, 1, 1, kMoves, kConcat, infer_concat},
    {"Expand", 2, 2, 1, 1, kMoves, {}, infer_expand},
    {"Flatten", 1, 1, 1, 1, kMoves, kAxis, infer_flatten},
    {"Identity", 1, 1, 1, 1, kMoves, {}, infer_same},
    {"Pad", 2, 4, 1, 1, kNoTraits, kPad, infer_pad},
    {"Reshape", 2, 2, 1, 1, kMoves, kReshape, infer_reshape},
    {"ReverseSequence", 2, 2, 1, 1, kMoves, kReverseSequence, infer_same},
    {"Slice", 3, 5, 1, 1, kMoves, {}, infer_slice},
    {"Split", 1, 2, 1, kVariadic, kMoves, kSplit, infer_split},
    {"Squeeze", 1, 2, 1, 1, kMoves, {}, infer_squeeze},
    {"Tile", 2, 2, 1, 1, kMoves, {}, infer_tile},
    {"Transpose", 1, 1, 1, 1, kMoves, kTranspose, infer_transpose},
    {"Trilu", 1, 2, 1, 1, kNoTraits, kTrilu, infer_same},
    {"Unsqueeze", 2, 2, 1, 1, kMoves, {}, infer_unsqueeze},
};

}  // namespace

std::span<const OpDef> movement_ops() { return kOps; }

}  // namespace oree
