// SPDX-License-Identifier: Apache-2.0
#include "model/ops/infer_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "model/ops/element_types.h"

namespace oree {

std::optional<int64_t> sum(int64_t a, int64_t b) {
  int64_t out;
  return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

std::optional<int64_t> product(int64_t a, int64_t b) {
  int64_t out;
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

Dim product(std::span<const Dim> dims) {
  int64_t known = 1;
  const Dim* open = nullptr;
  int opens = 0;
  bool overflow = false;
  for (const Dim& d : dims) {
    if (!d.known()) {
      open = &d;
      ++opens;
      continue;
    }
    if (d.size == 0) return Dim(0);
    std::optional<int64_t> p = product(known, d.size);
    overflow |= !p;
    known = p.value_or(1);
  }
  if (overflow) return {};
  if (opens == 0) return Dim(known);
  return opens == 1 && known == 1 ? *open : Dim();
}

Status want_rank(const Inference& in, size_t input, size_t rank) {
  std::optional<Dims> d = in.dims(input);
  if (!d || d->size() == rank) return {};
  return in.fail(fmt::format("input {} must have rank {}, not {}", input, rank, d->size()));
}

Status want_rank_min(const Inference& in, size_t input, size_t rank) {
  std::optional<Dims> d = in.dims(input);
  if (!d || d->size() >= rank) return {};
  return in.fail(fmt::format("input {} must have rank {} or more, not {}", input, rank, d->size()));
}

Status want_dtype(const Inference& in, size_t input, Dtype dtype) {
  std::optional<Dtype> d = in.dtype(input);
  if (!d || *d == dtype) return {};
  return in.fail(fmt::format("input {} must be {}, not {}", input, dtype_name(dtype), dtype_name(*d)));
}

Status want_integers(const Inference& in, size_t input) {
  std::optional<Dtype> d = in.dtype(input);
  if (!d || *d == Dtype::kInt64 || *d == Dtype::kInt32) return {};
  return in.fail(fmt::format("input {} must be int32 or int64, not {}", input, dtype_name(*d)));
}

Status want_same_dtype(const Inference& in, std::initializer_list<size_t> inputs) {
  std::optional<Dtype> first;
  if (in.quantized()) return {};
  for (size_t i : inputs) {
    std::optional<Dtype> d = in.dtype(i);
    if (!d) continue;
    if (first && *first != *d) {
      return in.fail(fmt::format("input {} is {} beside one of {}", i, dtype_name(*d), dtype_name(*first)));
    }
    first = d;
  }
  return {};
}

Status want_all_same_dtype(const Inference& in) {
  for (size_t i = 1; i < in.inputs(); ++i) OREE_TRY(want_same_dtype(in, {0, i}));
  return {};
}

Result<size_t> axis_of(const Inference& in, int64_t axis, size_t rank) {
  auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return in.fail(fmt::format("axis {} of a tensor of rank {}", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

Result<std::vector<size_t>> axes_of(const Inference& in, std::span<const int64_t> axes, size_t rank) {
  std::vector<size_t> out;
  for (int64_t axis : axes) {
    OREE_TRY_ASSIGN(size_t a, axis_of(in, axis, rank));
    if (std::ranges::find(out, a) != out.end()) return in.fail(fmt::format("axis {} is named twice", axis));
    out.push_back(a);
  }
  return out;
}

std::optional<std::vector<int64_t>> known_ints(const Inference& in, size_t input) {
  std::optional<SymInts> ints = in.ints(input);
  if (!ints) return std::nullopt;
  std::vector<int64_t> out;
  for (const SymInt& i : *ints) {
    if (!i.value) return std::nullopt;
    out.push_back(*i.value);
  }
  return out;
}

std::optional<size_t> length(const Inference& in, size_t input) {
  std::optional<Dims> d = in.dims(input);
  if (!d || d->size() != 1 || !(*d)[0].known()) return std::nullopt;
  return static_cast<size_t>((*d)[0].size);
}

Result<Dim> same_dim(const Inference& in, const Dim& a, const Dim& b, std::string_view what) {
  if (a.known() && b.known() && a.size != b.size) return in.fail(fmt::format("{}: {} beside {}", what, a.size, b.size));
  if (a.known() || (!b.known() && !a.symbol.empty())) return a;
  return b;
}

Status want_one_way(const Inference& in, size_t input) {
  std::optional<Dims> x = in.dims(0), other = in.dims(input);
  if (!x || !other) return {};
  bool fits = other->size() <= x->size();
  for (size_t i = 1; fits && i <= other->size(); ++i) {
    const Dim &a = (*x)[x->size() - i], &b = (*other)[other->size() - i];
    fits = !b.known() || b.size == 1 || !a.known() || a.size == b.size;
  }
  if (fits) return {};
  return in.fail(fmt::format("input {} of {} does not broadcast to {}", input, dims_text(*other), dims_text(*x)));
}

Result<std::optional<Dims>> dims_from(const Inference& in, size_t input) {
  OREE_TRY(want_rank(in, input, 1));
  OREE_TRY(want_integers(in, input));
  if (std::optional<SymInts> ints = in.ints(input)) {
    Dims out;
    for (const SymInt& i : *ints) {
      if (i.value && *i.value < 0) return in.fail(fmt::format("a dimension of {}", *i.value));
      out.push_back(i.value ? Dim(*i.value) : Dim(i.symbol));
    }
    return std::optional(std::move(out));
  }
  std::optional<size_t> n = length(in, input);
  if (!n || *n > static_cast<size_t>(kTensorRankMax)) return std::optional<Dims>();
  return std::optional(Dims(*n));
}

Result<std::optional<Dtype>> dtype_attribute(const Inference& in, std::string_view name,
                                             std::optional<Dtype> otherwise) {
  if (in.node().find(name) == nullptr) return otherwise;
  int64_t number = in.node().integer(name, 0);
  if (!onnx_knows_dtype(number)) return in.fail(fmt::format("{} {} is no element type", name, number));
  return dtype_from_onnx(number);
}

Status infer_same(Inference& in) {
  in.set(0, in.dtype(0), in.dims(0));
  return {};
}

Status infer_same_all(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  return infer_same(in);
}

Result<std::optional<Dims>> broadcast_inputs(const Inference& in) {
  std::optional<Dims> dims = in.dims(0);
  for (size_t i = 1; i < in.inputs(); ++i) {
    std::optional<Dims> d = in.dims(i);
    if (!dims || !d) return std::optional<Dims>();
    Result<Dims> both = broadcast(*dims, *d);
    if (!both.ok()) return in.fail(both.error().message());
    dims = std::move(both).value();
  }
  return dims;
}

Status infer_arithmetic(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  OREE_TRY_ASSIGN(std::optional<Dims> dims, broadcast_inputs(in));
  std::optional<Dtype> dtype;
  for (size_t i = 0; i < in.inputs() && !dtype; ++i) dtype = in.dtype(i);
  in.set(0, dtype, std::move(dims));
  return {};
}

int64_t cost_product(int64_t a, int64_t b) {
  if (a < 0 || b < 0) return -1;
  std::optional<int64_t> p = product(a, b);
  return p && *p <= int64_t{1} << 62 ? *p : -1;
}

int64_t volume(const Graph& graph, ValueId value, size_t from) {
  if (value == kNoValue || !graph.value(value).dims) return -1;
  const Dims& dims = *graph.value(value).dims;
  int64_t n = 1;
  for (size_t i = from; i < dims.size(); ++i) n = cost_product(n, dims[i].size);
  return n;
}

int64_t volume(const Shape& shape, size_t from) {
  int64_t n = 1;
  for (size_t i = from; i < shape.size(); ++i) n = cost_product(n, shape[i]);
  return n;
}

int64_t dim_at(const Graph& graph, ValueId value, int axis) {
  if (value == kNoValue || !graph.value(value).dims) return -1;
  const Dims& dims = *graph.value(value).dims;
  int64_t at = axis < 0 ? axis + static_cast<int64_t>(dims.size()) : axis;
  return at < 0 || at >= static_cast<int64_t>(dims.size()) ? -1 : dims[static_cast<size_t>(at)].size;
}

}  // namespace oree
