// SPDX-License-Identifier: Apache-2.0
// Attention and its rotary embedding, from products and a softmax. Source of the formulas: the ONNX specification.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

constexpr double kHidden = -3.4028234663852886e38;  // a score that weighs nothing, and no infinity

// Heads beside each other, [batch, length, heads * size], come to lie apart: [batch, heads, length, size].
Result<ValueId> heads_apart(Lower& r, size_t input, const char* heads_attribute) {
  OREE_TRY_ASSIGN(Shape shape, r.known(r.in(input)));
  if (shape.size() == 4) return r.in(input);
  const int64_t heads = r.integer(heads_attribute, 0);
  if (shape.size() != 3 || heads < 1 || shape[2] % heads != 0) return r.invalid(fmt::format("{} heads", heads));
  return r.permute(r.reshape(r.in(input), {shape[0], shape[1], heads, shape[2] / heads}), {0, 2, 1, 3});
}

// Which keys a query sees by their places alone, [length, keys]; kNoValue: all of them.
ValueId places_seen(Lower& r, int64_t length, int64_t keys, int64_t past) {
  const bool causal = r.integer("is_causal", 0) != 0;
  const int64_t left = r.integer("left_window_size", -1), right = r.integer("right_window_size", -1);
  if (!causal && left < 0 && right < 0) return kNoValue;
  if (!r.affordable(Dtype::kBool, {length, keys})) return kNoValue;
  Tensor seen(Dtype::kBool, {length, keys});
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t k = 0; k < keys; ++k) {
      const int64_t ahead = k - (past + i);
      seen.data()[i * keys + k] =
          (!causal || ahead <= 0) && (left < 0 || -ahead <= left) && (right < 0 || ahead <= right);
    }
  }
  return r.constant(Constant(std::move(seen)), "mask");
}

struct Parts {
  ValueId q = kNoValue, k = kNoValue, v = kNoValue;  // heads apart, the past before k and v
  int64_t past = 0;
};

Result<Parts> parts_of(Lower& r) {
  Parts p;
  OREE_TRY_ASSIGN(p.q, heads_apart(r, 0, "q_num_heads"));
  OREE_TRY_ASSIGN(p.k, heads_apart(r, 1, "kv_num_heads"));
  OREE_TRY_ASSIGN(p.v, heads_apart(r, 2, "kv_num_heads"));
  if (r.has(6)) return r.unsupported("a cache that is filled in part");
  if (r.has(4)) {
    OREE_TRY(r.want_type(r.in(4), "f"));
    OREE_TRY_ASSIGN(Shape past, r.known(r.in(4)));
    if (past.size() != 4 || !r.has(5)) return r.invalid("its past");
    p.past = past[2];
    p.k = r.add("Concat", {r.in(4), p.k}, {{"axis", int64_t{2}}});
    p.v = r.add("Concat", {r.in(5), p.v}, {{"axis", int64_t{2}}});
  }
  return p;
}

// What the mask and the places hide; `shape` is that of the scores, [batch, heads, length, keys].
Result<ValueId> masked(Lower& r, ValueId scores, const Shape& shape, int64_t past) {
  ValueId hidden = r.number_like(scores, kHidden);
  if (ValueId seen = places_seen(r, shape[2], shape[3], past); seen != kNoValue)
    scores = r.add("Where", {seen, scores, hidden});
  if (!r.has(3)) return scores;
  OREE_TRY(r.want_type(r.in(3), "fb"));
  OREE_TRY_ASSIGN(Shape mask, r.known(r.in(3)));
  if (mask.empty() || mask.back() != shape[3]) return r.unsupported("a mask that is shorter than the keys");
  if (r.dtype(r.in(3)) == Dtype::kBool) return r.add("Where", {r.in(3), scores, hidden});
  // Minus infinity is how such masks hide, too; beside it nothing else is to become infinite.
  return r.add("Max", {r.add("Add", {scores, r.in(3)}), hidden});
}

// A query that sees nothing weighs nothing: softmax would weigh all alike.
ValueId weights_of(Lower& r, ValueId scores, bool some_see_nothing) {
  ValueId weights = r.add("Softmax", {scores}, {{"axis", int64_t{-1}}});
  if (!some_see_nothing) return weights;
  ValueId best = r.add("ReduceMax", {scores, r.ints_constant({-1})}, {{"keepdims", int64_t{1}}});
  return r.add("Where", {r.add("Greater", {best, r.number_like(scores, kHidden)}), weights, r.number_like(weights, 0)});
}

Result<bool> attention(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  OREE_TRY(r.want_type(r.in(0), "f"));
  if (r.out(3) != kNoValue) return r.unsupported("its scores as an output");
  OREE_TRY_ASSIGN(Parts p, parts_of(r));
  OREE_TRY_ASSIGN(Shape q, r.known(p.q));
  OREE_TRY_ASSIGN(Shape k, r.known(p.k));
  if (q.size() != 4 || k.size() != 4 || k[1] < 1 || q[1] % k[1] != 0) return r.invalid("its heads");
  const Shape scores_shape{q[0], q[1], q[2], k[2]};
  // Queries of heads that share keys lie below each other.
  const Ints shared{q[0], k[1], q[1] / k[1] * q[2], q[3]};
  const double scale = r.node().find("scale") ? static_cast<double>(r.real("scale", 1))
                                              : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(q[3], 1)));
  ValueId query = r.reshape(r.add("Mul", {p.q, r.number_like(p.q, scale)}), shared);
  ValueId scores = r.reshape(r.add("MatMul", {query, r.transposed_last_two(p.k)}), scores_shape);
  if (const auto cap = static_cast<double>(r.real("softcap", 0)); cap > 0) {
    ValueId flat = r.add("Tanh", {r.add("Div", {scores, r.number_like(scores, cap)})});
    scores = r.add("Mul", {flat, r.number_like(scores, cap)});
  }
  OREE_TRY_ASSIGN(scores, masked(r, scores, scores_shape, p.past));
  const bool given = r.has(3) && !r.constant_of(r.in(3));
  ValueId weights = r.reshape(weights_of(r, scores, given), {q[0], k[1], shared[2], k[2]});
  ValueId sums = r.add("MatMul", {weights, p.v});
  OREE_TRY_ASSIGN(Shape v, r.known(p.v));
  sums = r.reshape(sums, {q[0], q[1], q[2], v[3]});
  if (r.rank(r.in(0)) == size_t{3}) sums = r.reshape(r.permute(sums, {0, 2, 1, 3}), {q[0], q[2], q[1] * v[3]});
  r.finish("Identity", {sums});
  if (r.out(1) != kNoValue) r.finish("Identity", {p.k}, {}, 1);
  if (r.out(2) != kNoValue) r.finish("Identity", {p.v}, {}, 2);
  return true;
}

// Columns [begin, end) of the last axis, every step-th.
ValueId columns(Lower& r, ValueId x, int64_t begin, int64_t end, int64_t step = 1) {
  return r.add("Slice",
               {x, r.ints_constant({begin}), r.ints_constant({end}), r.ints_constant({-1}), r.ints_constant({step})});
}

Result<bool> rotary_embedding(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(ValueId x, heads_apart(r, 0, "num_heads"));
  OREE_TRY_ASSIGN(Shape shape, r.known(x));
  const int64_t size = shape[3], given = r.integer("rotary_embedding_dim", 0), turned = given == 0 ? size : given;
  if (turned < 2 || turned > size || turned % 2 != 0)
    return r.invalid(fmt::format("{} of {} numbers turn", turned, size));
  const bool interleaved = r.integer("interleaved", 0) != 0;
  // [batch, 1, length, turned / 2], for all heads.
  auto angles = [&](size_t input) {
    ValueId cache = r.has(3) ? r.add("Gather", {r.in(input), r.in(3)}, {{"axis", int64_t{0}}}) : r.in(input);
    return r.add("Unsqueeze", {cache, r.ints_constant({1})});
  };
  ValueId cosine = angles(1), sine = angles(2);
  const int64_t half = turned / 2;
  ValueId re = interleaved ? columns(r, x, 0, turned, 2) : columns(r, x, 0, half);
  ValueId im = interleaved ? columns(r, x, 1, turned, 2) : columns(r, x, half, turned);
  ValueId first = r.add("Sub", {r.add("Mul", {cosine, re}), r.add("Mul", {sine, im})});
  ValueId second = r.add("Add", {r.add("Mul", {sine, re}), r.add("Mul", {cosine, im})});
  ValueId result = kNoValue;
  if (interleaved) {
    ValueId last = r.ints_constant({-1});
    ValueId pairs = r.add("Concat", {r.add("Unsqueeze", {first, last}), r.add("Unsqueeze", {second, last})},
                          {{"axis", int64_t{-1}}});
    result = r.reshape(pairs, {shape[0], shape[1], shape[2], turned});
  } else {
    result = r.add("Concat", {first, second}, {{"axis", int64_t{-1}}});
  }
  if (turned < size) result = r.add("Concat", {result, columns(r, x, turned, size)}, {{"axis", int64_t{-1}}});
  if (r.rank(r.in(0)) == size_t{3})
    result = r.reshape(r.permute(result, {0, 2, 1, 3}), {shape[0], shape[2], shape[1] * size});
  r.finish("Identity", {result});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Attention", attention},
    {"RotaryEmbedding", rotary_embedding},
};

}  // namespace

std::span<const LowerEntry> compose_attention() { return kEntries; }

}  // namespace oree
