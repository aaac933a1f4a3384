// SPDX-License-Identifier: Apache-2.0
// Products of matrices.
#include <fmt/format.h>

#include <algorithm>

#include "model/ncnn/ncnn_lower.h"

namespace oree {
namespace {

Tensor transposed(const Tensor& from) {
  const int64_t rows = from.shape()[0], columns = from.shape()[1];
  Tensor to(from.dtype(), {columns, rows});
  const size_t size = dtype_size(from.dtype());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      std::copy_n(from.data() + static_cast<size_t>(r * columns + c) * size, size,
                  to.data() + static_cast<size_t>(c * rows + r) * size);
    }
  }
  return to;
}

// Rows of `inputs` numbers, each by a matrix of outputs x inputs.
struct Rows {
  Constant weights;  // outputs x inputs
  std::optional<Constant> bias;
};

Status rows_by_matrix(NcnnNode& n, NcnnBlob x, const Rows& by) {
  const int64_t outputs = by.weights.shape()[0], inputs = by.weights.shape()[1];
  int64_t elements = 1;
  for (int64_t d : n.net().mat(x)) elements *= d;
  if (inputs < 1 || elements % inputs != 0)
    return n.invalid(fmt::format("rows of {} in {} elements", inputs, elements));
  const int64_t rows = elements / inputs;
  x = n.net().reshaped(x, rows == 1 ? Shape{inputs} : Shape{rows, inputs});
  NcnnParams p;
  p.set(0, outputs).set(1, by.bias ? 1 : 0).set(2, outputs * inputs);
  std::vector<NcnnWeights> weights = {{by.weights, true}};
  if (by.bias) weights.push_back({*by.bias});
  n.absorb_activation(p);
  n.finish("InnerProduct", {x}, rows == 1 ? Shape{outputs} : Shape{rows, outputs}, std::move(p), std::move(weights));
  return {};
}

// Float16 as it is stored, everything else as float32.
Constant weights_of(const NcnnNode& n, size_t input) {
  const Constant stored = *n.stored(input);
  return stored.dtype() == Dtype::kFloat16 ? stored : *n.floats(input);
}

// --- MatMul

// Both with a row and a column, and ones before them: as many dimensions as the result has.
struct Operands {
  Shape a, b, result;
};
Operands operands_of(const NcnnNode& n) {
  Operands o{n.shape(0), n.shape(1), {}};
  if (o.a.size() == 1) o.a.insert(o.a.begin(), 1);
  if (o.b.size() == 1) o.b.push_back(1);
  const size_t rank = std::max(o.a.size(), o.b.size());
  o.a.insert(o.a.begin(), rank - o.a.size(), 1);
  o.b.insert(o.b.begin(), rank - o.b.size(), 1);
  for (size_t i = 0; i < rank; ++i) o.result.push_back(std::max(o.a[i], o.b[i]));
  o.result[rank - 2] = o.a[rank - 2];
  o.result[rank - 1] = o.b[rank - 1];
  while (o.result.size() > 2 && o.result[0] == 1) {
    for (Shape* s : {&o.a, &o.b, &o.result}) s->erase(s->begin());
  }
  return o;
}

Status mat_mul(NcnnNode& n) {
  const bool constant = n.floats(1) && !n.stored(0);
  if (constant && n.shape(1).size() == 2) {
    OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
    const Constant b = weights_of(n, 1);
    return rows_by_matrix(n, x, {Constant(transposed(b.to_tensor())), {}});
  }
  const Operands o = operands_of(n);
  if (o.result.size() > static_cast<size_t>(kNcnnMatRankMax))
    return n.unsupported(fmt::format("a product of {} dimensions", o.result.size()));
  OREE_TRY_ASSIGN(NcnnBlob a, n.operand(0, o.a));
  OREE_TRY_ASSIGN(NcnnBlob b, n.operand(1, o.b));
  n.finish("MatMul", {a, b}, o.result, {});
  return {};
}

// --- Gemm

Constant scaled(const Constant& c, float by) {
  if (by == 1) return c;
  Tensor t = c.to_tensor();
  for (float& v : t.as<float>()) v *= by;
  return Constant(std::move(t));
}

// What is added to each row: nothing there, or a constant of one row. nullopt: something else.
std::optional<std::optional<Constant>> row_bias(const NcnnNode& n, int64_t outputs, float beta) {
  if (!n.has(2) || beta == 0) return std::optional<Constant>();
  std::optional<Constant> c = n.floats(2);
  if (!c) return std::nullopt;
  if (c->elements() == 1) {
    const std::vector<float> all(static_cast<size_t>(outputs), c->to_tensor().as<float>()[0] * beta);
    return std::optional(Constant::of_floats(all, {outputs}));
  }
  if (c->elements() != outputs || c->shape().back() != outputs) return std::nullopt;
  return std::optional(scaled(*c, beta));
}

// Operands that are computed, or a C of any shape: ncnn's own Gemm.
Status any_gemm(NcnnNode& n, float alpha, float beta) {
  auto matrix = [&](size_t input) { return n.operand(input, n.shape(input)); };
  if (n.shape(0).size() != 2 || n.shape(1).size() != 2) return n.invalid("its operands are no matrices");
  OREE_TRY_ASSIGN(NcnnBlob a, matrix(0));
  OREE_TRY_ASSIGN(NcnnBlob b, matrix(1));
  NcnnParams p;
  p.set(0, alpha).set(1, 1.0F).set(2, n.integer("transA", 0)).set(3, n.integer("transB", 0));
  const Shape result = n.out_shape();
  NcnnBlob product = n.layer("Gemm", {a, b}, result, std::move(p));
  if (n.has(2) && beta != 0) {
    Shape lies = n.shape(2);
    lies.insert(lies.begin(), 2 - std::min<size_t>(2, lies.size()), 1);
    OREE_TRY_ASSIGN(NcnnBlob c, n.operand(2, lies));
    if (beta != 1) c = n.layer("BinaryOp", {c}, lies, NcnnParams().set(0, 2).set(1, 1).set(2, beta));
    product = n.layer("BinaryOp", {product, c}, result, NcnnParams().set(0, 0));
  }
  n.finish_with(product);
  return {};
}

Status gemm(NcnnNode& n) {
  const float alpha = n.real("alpha", 1), beta = n.real("beta", 1);
  const bool plain = n.integer("transA", 0) == 0 && n.floats(1) && !n.stored(0) && n.shape(1).size() == 2;
  if (!plain) return any_gemm(n, alpha, beta);
  const bool turned = n.integer("transB", 0) != 0;
  const int64_t outputs = n.shape(1)[turned ? 0 : 1];
  const auto bias = row_bias(n, outputs, beta);
  if (!bias) return any_gemm(n, alpha, beta);
  Constant weights = alpha == 1 ? weights_of(n, 1) : scaled(*n.floats(1), alpha);
  if (!turned) weights = Constant(transposed(weights.to_tensor()));
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  return rows_by_matrix(n, x, {weights, *bias});
}

constexpr NcnnEntry kEntries[] = {{"Gemm", gemm}, {"MatMul", mat_mul}};

}  // namespace

std::span<const NcnnEntry> ncnn_linear() { return kEntries; }

}  // namespace oree
