// SPDX-License-Identifier: Apache-2.0
// MatMul, Gemm, Det, and products of quantized integers. Integers wrap: they are multiplied as uint64.
#include "model/reference/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {

Result<MatMulPlan> plan_matmul(const KernelCall& call, const Shape& a_shape, const Shape& b_shape) {
  Shape a = a_shape, b = b_shape;
  if (a.empty() || b.empty()) return call.invalid("a scalar has no matrix product");
  bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  MatMulPlan plan;
  plan.rows = a[a.size() - 2];
  plan.inner = a.back();
  plan.columns = b.back();
  if (b[b.size() - 2] != plan.inner) {
    return call.invalid(fmt::format("{} and {} do not multiply", shape_text(a_shape), shape_text(b_shape)));
  }
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  OREE_TRY_ASSIGN(plan.stack, broadcast_shape(call, a, b));
  plan.out = plan.stack;
  if (!row) plan.out.push_back(plan.rows);
  if (!column) plan.out.push_back(plan.columns);
  Result<int64_t> n = shape_elements(plan.out);
  if (!n) return call.invalid(n.error().message());
  plan.a_stack = broadcast_strides(a, plan.stack);
  plan.b_stack = broadcast_strides(b, plan.stack);
  OREE_TRY(call.affordable(static_cast<double>(*n) * static_cast<double>(plan.inner)));
  return plan;
}

namespace {

// Calls f(sums of one matrix, its first output element) for each matrix of the stack.
template <typename T, typename Sum, typename F>
void each_product(const MatMulPlan& plan, std::span<const T> a, std::span<const T> b, F f) {
  std::vector<Sum> sums(static_cast<size_t>(plan.rows * plan.columns));
  for (Walk w(plan.stack, {plan.a_stack, plan.b_stack}); !w.done(); w.next()) {
    std::ranges::fill(sums, Sum{});
    const T* a_matrix = a.data() + w.at(0) * plan.rows * plan.inner;
    const T* b_matrix = b.data() + w.at(1) * plan.inner * plan.columns;
    multiply<T, Sum>(a_matrix, plan.inner, 1, b_matrix, plan.columns, 1, plan, sums);
    f(std::span<const Sum>(sums), w.index() * plan.rows * plan.columns);
  }
}

template <typename T, typename Sum>
Status matmul(KernelCall& call, const MatMulPlan& plan) {
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), plan.out));
  Elements<T> a(call.need(0)), b(call.need(1));
  each_product<T, Sum>(plan, a.span(), b.span(), [&](std::span<const Sum> sums, int64_t first) {
    for (size_t i = 0; i < sums.size(); ++i) out[first + static_cast<int64_t>(i)] = static_cast<T>(sums[i]);
  });
  call.set(0, std::move(out).take());
  return {};
}

Status run_matmul(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  OREE_TRY_ASSIGN(MatMulPlan plan, plan_matmul(call, call.need(0).shape(), call.need(1).shape()));
  switch (domain_of(call.need(0).dtype())) {
    case Domain::kFloat: return matmul<float, double>(call, plan);
    case Domain::kDouble: return matmul<double, double>(call, plan);
    default: return matmul<uint64_t, uint64_t>(call, plan);
  }
}

// --- Gemm: alpha * A' * B' + beta * C

// Adds C, broadcast, to what is there: out[i] += beta * c.
template <typename Sum>
void add_scaled(std::span<Sum> out, const Tensor* c, Sum beta, const Shape& shape) {
  if (!c) return;
  Elements<Sum> in(*c);
  for (Walk w(shape, {broadcast_strides(c->shape(), shape)}); !w.done(); w.next()) {
    out[static_cast<size_t>(w.index())] += beta * in[w.at(0)];
  }
}

template <typename T, typename Sum>
Status gemm(KernelCall& call, const MatMulPlan& plan, bool a_turned, bool b_turned) {
  Dtype dtype = call.need(0).dtype();
  OREE_TRY_ASSIGN(NewElements<Sum> sums, new_elements<Sum>(call, dtype, plan.out));
  Elements<T> a(call.need(0)), b(call.need(1));
  multiply<T, Sum>(a.data(), a_turned ? 1 : plan.inner, a_turned ? plan.rows : 1, b.data(), b_turned ? 1 : plan.columns,
                   b_turned ? plan.inner : 1, plan, sums.span());
  float alpha = call.node.real("alpha", 1), beta = call.node.real("beta", 1);
  if (alpha == 1 && beta == 1) {  // integers stay whole
    add_scaled<Sum>(sums.span(), call.in(2), 1, plan.out);
    call.set(0, std::move(sums).take());
    return {};
  }
  NewElements<double> out(dtype, plan.out);
  for (int64_t i = 0; i < out.size(); ++i) {
    bool below_zero = dtype_is_signed(dtype) && static_cast<int64_t>(sums[i]) < 0;
    out[i] = double{alpha} *
             (below_zero ? static_cast<double>(static_cast<int64_t>(sums[i])) : static_cast<double>(sums[i]));
  }
  add_scaled<double>(out.span(), call.in(2), double{beta}, plan.out);
  call.set(0, std::move(out).take());
  return {};
}

Status run_gemm(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  Shape a = call.need(0).shape(), b = call.need(1).shape();
  if (a.size() != 2 || b.size() != 2) return call.invalid("A and B must be matrices");
  bool a_turned = call.node.integer("transA", 0) != 0, b_turned = call.node.integer("transB", 0) != 0;
  if (a_turned) std::swap(a[0], a[1]);
  if (b_turned) std::swap(b[0], b[1]);
  OREE_TRY_ASSIGN(MatMulPlan plan, plan_matmul(call, a, b));
  if (call.in(2)) {
    OREE_TRY_ASSIGN(Shape both, broadcast_shape(call, plan.out, call.in(2)->shape()));
    if (both != plan.out) return call.invalid("C does not broadcast to the product");
  }
  switch (domain_of(call.need(0).dtype())) {
    case Domain::kFloat: return gemm<float, double>(call, plan, a_turned, b_turned);
    case Domain::kDouble: return gemm<double, double>(call, plan, a_turned, b_turned);
    default: return gemm<uint64_t, uint64_t>(call, plan, a_turned, b_turned);
  }
}

// --- quantized integers

bool is_byte(const Tensor& t) { return t.dtype() == Dtype::kInt8 || t.dtype() == Dtype::kUint8; }

// An operand less its zero point, which is one, or one a row of A or a column of B, per matrix or for all.
Result<std::vector<int64_t>> centred(const KernelCall& call, size_t operand, size_t zero_point, bool by_row) {
  const Tensor& x = call.need(operand);
  if (!is_byte(x)) return call.invalid("operands must be int8 or uint8");
  std::vector<int64_t> out(static_cast<size_t>(x.elements()));
  widen<int64_t>(x, out);
  const Tensor* zero = call.in(zero_point);
  if (!zero) return out;
  if (zero->dtype() != x.dtype()) return call.invalid("a zero point must have its operand's type");
  Shape shape = zero->shape();
  if (by_row && shape.size() == 1 && shape[0] != 1) shape.push_back(1);
  OREE_TRY_ASSIGN(Shape both, broadcast_shape(call, x.shape(), shape));
  if (both != x.shape()) return call.invalid("a zero point does not broadcast to its operand");
  Elements<int64_t> z(*zero);
  for (Walk w(x.shape(), {broadcast_strides(shape, x.shape())}); !w.done(); w.next()) {
    out[static_cast<size_t>(w.index())] -= z[w.at(0)];
  }
  return out;
}

Status run_matmul_integer(KernelCall& call) {
  OREE_TRY_ASSIGN(MatMulPlan plan, plan_matmul(call, call.need(0).shape(), call.need(1).shape()));
  OREE_TRY_ASSIGN(std::vector<int64_t> a, centred(call, 0, 2, true));
  OREE_TRY_ASSIGN(std::vector<int64_t> b, centred(call, 1, 3, false));
  OREE_TRY_ASSIGN(NewElements<int64_t> out, new_elements<int64_t>(call, Dtype::kInt32, plan.out));
  each_product<int64_t, int64_t>(plan, a, b, [&](std::span<const int64_t> sums, int64_t first) {
    std::ranges::copy(sums, out.span().begin() + first);
  });
  call.set(0, std::move(out).take());
  return {};
}

// a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point.
Status run_qlinear_matmul(KernelCall& call) {
  OREE_TRY_ASSIGN(MatMulPlan plan, plan_matmul(call, call.need(0).shape(), call.need(3).shape()));
  OREE_TRY_ASSIGN(std::vector<int64_t> a, centred(call, 0, 2, true));
  OREE_TRY_ASSIGN(std::vector<int64_t> b, centred(call, 3, 5, false));
  const Tensor &y_scale = call.need(6), &y_zero = call.need(7);
  for (size_t i : {1, 6, 7}) {
    if (call.need(i).elements() != 1) return call.unsupported("scales and zero points of rows");
  }
  if (!is_byte(y_zero)) return call.invalid("the output must be int8 or uint8");
  float a_by_y = Elements<float>(call.need(1))[0] / Elements<float>(y_scale)[0];
  Elements<float> b_scale(call.need(4));
  if (b_scale.size() != 1 && b_scale.size() != plan.columns) return call.invalid("scales do not fit the columns of B");
  auto zero = static_cast<float>(Elements<int64_t>(y_zero)[0]);
  OREE_TRY_ASSIGN(NewElements<float> out, new_elements<float>(call, y_zero.dtype(), plan.out));
  each_product<int64_t, int64_t>(plan, a, b, [&](std::span<const int64_t> sums, int64_t first) {
    for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); ++i) {
      float scale = a_by_y * b_scale[b_scale.size() == 1 ? 0 : i % plan.columns];
      out[first + i] = std::nearbyint(static_cast<float>(sums[static_cast<size_t>(i)]) * scale) + zero;
    }
  });
  call.set(0, std::move(out).take());  // saturates
  return {};
}

// --- determinants of [..., n, n]

// By elimination with the largest pivot; `m` is used up.
double determinant(std::span<double> m, int64_t n) {
  auto at = [&](int64_t r, int64_t c) -> double& { return m[static_cast<size_t>(r * n + c)]; };
  double out = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t r = k + 1; r < n; ++r) {
      if (std::fabs(at(r, k)) > std::fabs(at(pivot, k))) pivot = r;
    }
    if (at(pivot, k) == 0) return 0;
    if (pivot != k) {
      for (int64_t c = 0; c < n; ++c) std::swap(at(k, c), at(pivot, c));
      out = -out;
    }
    out *= at(k, k);
    for (int64_t r = k + 1; r < n; ++r) {
      double factor = at(r, k) / at(k, k);
      for (int64_t c = k; c < n; ++c) at(r, c) -= factor * at(k, c);
    }
  }
  return out;
}

Status run_det(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY(real_input(call));
  size_t rank = x.shape().size();
  if (rank < 2 || x.shape()[rank - 1] != x.shape()[rank - 2]) return call.invalid("matrices must be square");
  int64_t n = x.shape().back();
  OREE_TRY(call.affordable(static_cast<double>(x.elements()) * static_cast<double>(n)));
  Shape stack(x.shape().begin(), x.shape().end() - 2);
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, x.dtype(), stack));
  std::vector<double> m = x.to_doubles();
  for (int64_t i = 0; i < out.size(); ++i) {
    out[i] = determinant(std::span(m).subspan(static_cast<size_t>(i * n * n), static_cast<size_t>(n * n)), n);
  }
  call.set(0, std::move(out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"Det", run_det},
    {"Gemm", run_gemm, 2},
    {"MatMul", run_matmul, 2},
    {"MatMulInteger", run_matmul_integer, 2},
    {"QLinearMatMul", run_qlinear_matmul, 8},
};

}  // namespace

const std::span<const KernelEntry> kMatMulKernels = kTable;

}  // namespace oree
