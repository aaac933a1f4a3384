// SPDX-License-Identifier: Apache-2.0
// Truth, comparisons, bits and choices: operators whose result is exact.
#include <cmath>

#include "model/reference/access.h"
#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// --- bool, bool -> bool
template <typename F>
Status truth(KernelCall& call, F f) {
  if (call.need(0).dtype() != Dtype::kBool || call.need(1).dtype() != Dtype::kBool) {
    return call.invalid("inputs must be bool");
  }
  return binary<uint64_t>(call, Dtype::kBool, [&](uint64_t a, uint64_t b) -> uint64_t { return f(a != 0, b != 0); });
}

Status run_and(KernelCall& call) {
  return truth(call, [](bool a, bool b) { return a && b; });
}
Status run_or(KernelCall& call) {
  return truth(call, [](bool a, bool b) { return a || b; });
}
Status run_xor(KernelCall& call) {
  return truth(call, [](bool a, bool b) { return a != b; });
}
Status run_not(KernelCall& call) {
  if (call.need(0).dtype() != Dtype::kBool) return call.invalid("the input must be bool");
  return unary<uint64_t>(call, [](uint64_t a) -> uint64_t { return a == 0; });
}

// --- comparisons
template <typename F>
Status compare(KernelCall& call, F f) {
  OREE_TRY(same_dtypes(call));
  return with_domain(call.need(0).dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(Operands operands, broadcast_operands(call));
    OREE_TRY_ASSIGN(Tensor out, new_tensor(call, Dtype::kBool, operands.shape));
    Elements<T> a(call.need(0)), b(call.need(1));
    for (Walk w = operands.walk(); !w.done(); w.next()) out.data()[w.index()] = f(a[w.at(0)], b[w.at(1)]) ? 1 : 0;
    call.set(0, std::move(out));
    return {};
  });
}

Status run_equal(KernelCall& call) {
  return compare(call, [](auto a, auto b) { return a == b; });
}
Status run_greater(KernelCall& call) {
  return compare(call, [](auto a, auto b) { return a > b; });
}
Status run_greater_or_equal(KernelCall& call) {
  return compare(call, [](auto a, auto b) { return a >= b; });
}
Status run_less(KernelCall& call) {
  return compare(call, [](auto a, auto b) { return a < b; });
}
Status run_less_or_equal(KernelCall& call) {
  return compare(call, [](auto a, auto b) { return a <= b; });
}

// --- float -> bool
template <typename F>
Status classify(KernelCall& call, F f) {
  const Tensor& x = call.need(0);
  if (!dtype_is_float(x.dtype())) return call.invalid("the input must be of a float type");
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, Dtype::kBool, x.shape()));
  Elements<double> in(x);  // exact for every float type
  for (int64_t i = 0; i < in.size(); ++i) out.data()[i] = f(in[i]) ? 1 : 0;
  call.set(0, std::move(out));
  return {};
}

Status run_is_nan(KernelCall& call) {
  return classify(call, [](double v) { return std::isnan(v); });
}
Status run_is_inf(KernelCall& call) {
  bool negative = call.node.integer("detect_negative", 1) != 0;
  bool positive = call.node.integer("detect_positive", 1) != 0;
  return classify(call, [=](double v) { return std::isinf(v) && (v < 0 ? negative : positive); });
}

// --- bits
template <typename F>
Status bits(KernelCall& call, F f) {
  OREE_TRY(same_dtypes(call));
  Dtype dtype = call.need(0).dtype();
  if (dtype_is_float(dtype) || dtype == Dtype::kBool) return call.invalid("inputs must be of an integer type");
  return binary<uint64_t>(call, dtype, f);
}

Status run_bitwise_and(KernelCall& call) {
  return bits(call, [](uint64_t a, uint64_t b) { return a & b; });
}
Status run_bitwise_or(KernelCall& call) {
  return bits(call, [](uint64_t a, uint64_t b) { return a | b; });
}
Status run_bitwise_xor(KernelCall& call) {
  return bits(call, [](uint64_t a, uint64_t b) { return a ^ b; });
}
Status run_bitwise_not(KernelCall& call) {
  Dtype dtype = call.need(0).dtype();
  if (dtype_is_float(dtype) || dtype == Dtype::kBool) return call.invalid("the input must be of an integer type");
  return unary<uint64_t>(call, [](uint64_t a) { return ~a; });
}
Status run_bit_shift(KernelCall& call) {
  std::string direction = call.node.text("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") return call.invalid("direction must be LEFT or RIGHT");
  bool left = direction == "LEFT";
  Dtype dtype = call.need(0).dtype();
  auto width = static_cast<uint64_t>(dtype_bits(dtype));
  // What is shifted out of a narrow type on the left goes when it is narrowed. A negative shift is a great one, too.
  if (left || !dtype_is_signed(dtype)) {
    return bits(call, [=](uint64_t a, uint64_t by) { return by >= width ? 0 : left ? a << by : a >> by; });
  }
  OREE_TRY(same_dtypes(call));
  return binary<int64_t>(call, dtype, [=](int64_t a, int64_t by) {  // keeps the sign
    return a >> (static_cast<uint64_t>(by) >= width ? 63 : by);
  });
}

// --- choices
Status run_where(KernelCall& call) {
  const Tensor &condition = call.need(0), &a = call.need(1), &b = call.need(2);
  if (condition.dtype() != Dtype::kBool) return call.invalid("the condition must be bool");
  if (a.dtype() != b.dtype()) return call.invalid("both choices must have one type");
  OREE_TRY_ASSIGN(Operands operands, broadcast_operands(call));
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, a.dtype(), operands.shape));
  Mover from_a(a, out), from_b(b, out);
  for (Walk w = operands.walk(); !w.done(); w.next()) {
    if (condition.data()[w.at(0)]) {
      from_a.copy(w.index(), w.at(1));
    } else {
      from_b.copy(w.index(), w.at(2));
    }
  }
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"And", run_and, 2},
    {"BitShift", run_bit_shift, 2},
    {"BitwiseAnd", run_bitwise_and, 2},
    {"BitwiseNot", run_bitwise_not},
    {"BitwiseOr", run_bitwise_or, 2},
    {"BitwiseXor", run_bitwise_xor, 2},
    {"Equal", run_equal, 2},
    {"Greater", run_greater, 2},
    {"GreaterOrEqual", run_greater_or_equal, 2},
    {"IsInf", run_is_inf},
    {"IsNaN", run_is_nan},
    {"Less", run_less, 2},
    {"LessOrEqual", run_less_or_equal, 2},
    {"Not", run_not},
    {"Or", run_or, 2},
    {"Where", run_where, 3},
    {"Xor", run_xor, 2},
};

}  // namespace

const std::span<const KernelEntry> kLogicKernels = kTable;

}  // namespace oree
