// SPDX-License-Identifier: Apache-2.0
// Matrix products, and what is made of them.
#include <fmt/format.h>

#include "model/ops/einsum.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// numpy.matmul of inputs a and b: vectors become matrices and lose that dimension again, the rest broadcasts.
Result<std::optional<Dims>> matmul_dims(const Inference& in, size_t a_input, size_t b_input) {
  std::optional<Dims> a = in.dims(a_input), b = in.dims(b_input);
  OREE_TRY(want_rank_min(in, a_input, 1));
  OREE_TRY(want_rank_min(in, b_input, 1));
  if (!a || !b) return std::optional<Dims>();
  const bool row = a->size() == 1, column = b->size() == 1;
  if (row) a->insert(a->begin(), Dim(1));
  if (column) b->emplace_back(1);
  OREE_TRY(same_dim(in, a->back(), (*b)[b->size() - 2], "inner dimensions differ"));
  Result<Dims> out = broadcast(Dims(a->begin(), a->end() - 2), Dims(b->begin(), b->end() - 2));
  if (!out.ok()) return in.fail(out.error().message());
  if (!row) out->push_back((*a)[a->size() - 2]);
  if (!column) out->push_back(b->back());
  return std::optional(std::move(out).value());
}

Status infer_matmul(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1}));
  OREE_TRY_ASSIGN(std::optional<Dims> out, matmul_dims(in, 0, 1));
  in.set(0, in.dtype(0) ? in.dtype(0) : in.dtype(1), std::move(out));
  return {};
}

Status infer_matmul_integer(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dims> out, matmul_dims(in, 0, 1));
  in.set(0, Dtype::kInt32, std::move(out));
  return {};
}

Status infer_qlinear_matmul(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dims> out, matmul_dims(in, 0, 3));
  in.set(0, in.dtype(7), std::move(out));
  return {};
}

Status infer_gemm(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1, 2}));
  OREE_TRY(want_rank(in, 0, 2));
  OREE_TRY(want_rank(in, 1, 2));
  std::optional<Dims> a = in.dims(0), b = in.dims(1), c = in.dims(2);
  const size_t at = in.node().integer("transA", 0) != 0 ? 1 : 0, bt = in.node().integer("transB", 0) != 0 ? 1 : 0;
  if (a && b) OREE_TRY(same_dim(in, (*a)[1 - at], (*b)[bt], "inner dimensions differ"));
  Dims out{a ? (*a)[at] : Dim(), b ? (*b)[1 - bt] : Dim()};
  if (c) {
    Result<Dims> both = broadcast(out, *c);
    if (!both.ok() || both->size() != 2)
      return in.fail(fmt::format("{} to be added to {}", dims_text(*c), dims_text(out)));
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_det(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY(want_rank_min(in, 0, 2));
  if (x) {
    OREE_TRY(same_dim(in, x->back(), (*x)[x->size() - 2], "a matrix that is not square"));
    x->resize(x->size() - 2);
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

// Heads apart: [batch, heads, length, size]; together: [batch, length, heads * size].
struct Heads {
  Dim batch, heads, length, size;
};

Result<Heads> heads_of(const Inference& in, size_t input, std::string_view attribute) {
  std::optional<Dims> x = in.dims(input);
  if (!x) return Heads{};
  if (x->size() == 4) return Heads{(*x)[0], (*x)[1], (*x)[2], (*x)[3]};
  OREE_TRY(want_rank(in, input, 3));
  int64_t heads = in.node().integer(attribute, 0);
  if (heads < 1 || ((*x)[2].known() && (*x)[2].size % heads != 0))
    return in.fail(fmt::format("{} {} for {}", attribute, heads, dims_text(*x)));
  return Heads{(*x)[0], Dim(heads), (*x)[1], (*x)[2].known() ? Dim((*x)[2].size / heads) : Dim()};
}

// Q, K, V, mask, past K, past V, length -> Y, present K, present V, scores
Status infer_attention(Inference& in) {
  OREE_TRY_ASSIGN(Heads q, heads_of(in, 0, "q_num_heads"));
  OREE_TRY_ASSIGN(Heads k, heads_of(in, 1, "kv_num_heads"));
  OREE_TRY_ASSIGN(Heads v, heads_of(in, 2, "kv_num_heads"));
  OREE_TRY(same_dim(in, q.size, k.size, "sizes of query and key heads differ"));
  Dim total = k.length;
  if (in.has(4)) {
    OREE_TRY(want_rank(in, 4, 4));
    std::optional<Dims> past = in.dims(4);
    total = past && (*past)[2].known() && total.known() ? Dim((*past)[2].size + total.size) : Dim();
  }
  std::optional<Dims> y;
  if (in.dims(0)) {
    Dim width = q.heads.known() && v.size.known() ? Dim(q.heads.size * v.size.size) : Dim();
    y = in.dims(0)->size() == 4 ? Dims{q.batch, q.heads, q.length, v.size} : Dims{q.batch, q.length, width};
  }
  in.set(0, in.dtype(0), std::move(y));
  in.set(1, in.dtype(1), Dims{k.batch, k.heads, total, k.size});
  in.set(2, in.dtype(2), Dims{v.batch, v.heads, total, v.size});
  in.set(3, in.dtype(0), Dims{q.batch, q.heads, q.length, total});
  return {};
}

int64_t matmul_macs(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), dim_at(g, n.input(0), -1));
}
int64_t gemm_macs(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), dim_at(g, n.input(0), n.integer("transA", 0) != 0 ? 0 : 1));
}
// Scores and weighted sums: queries x keys x (size of a key + size of a value).
int64_t attention_macs(const Graph& g, const Node& n) {
  int64_t out = volume(g, n.output(0)), q = volume(g, n.input(0));
  int64_t keys = dim_at(g, n.input(1), -2);
  if (n.input(4) != kNoValue) {
    int64_t past = dim_at(g, n.input(4), 2);
    keys = keys < 0 || past < 0 ? -1 : keys + past;
  }
  return out < 0 || q < 0 ? -1 : cost_product(keys, out + q);
}

constexpr AttributeDef kGemm[] = {{"alpha", kFloat}, {"beta", kFloat}, {"transA", kInt}, {"transB", kInt}};
constexpr AttributeDef kEinsum[] = {{"equation", kText, true}};
constexpr AttributeDef kRotary[] = {{"interleaved", kInt}, {"num_heads", kInt}, {"rotary_embedding_dim", kInt}};
constexpr AttributeDef kAttention[] = {{"is_causal", kInt},
                                       {"kv_num_heads", kInt},
                                       {"left_window_size", kInt},
                                       {"q_num_heads", kInt},
                                       {"qk_matmul_output_mode", kInt},
                                       {"right_window_size", kInt},
                                       {"scale", kFloat},
                                       {"softcap", kFloat},
                                       {"softmax_precision", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer, macs
    {"Attention", 3, 7, 1, 4, kNoTraits, kAttention, infer_attention, attention_macs},
    {"Det", 1, 1, 1, 1, kNoTraits, {}, infer_det},
    {"Einsum", 1, kVariadic, 1, 1, kNoTraits, kEinsum, infer_einsum, einsum_macs},
    {"Gemm", 2, 3, 1, 1, kNoTraits, kGemm, infer_gemm, gemm_macs},
    {"MatMul", 2, 2, 1, 1, kNoTraits, {}, infer_matmul, matmul_macs},
    {"MatMulInteger", 2, 4, 1, 1, kNoTraits, {}, infer_matmul_integer, matmul_macs},
    {"QLinearMatMul", 8, 8, 1, 1, kNoTraits, {}, infer_qlinear_matmul, matmul_macs},
    {"RotaryEmbedding", 3, 4, 1, 1, kNoTraits, kRotary, infer_same},
};

}  // namespace

std::span<const OpDef> linear_ops() { return kOps; }

}  // namespace oree
