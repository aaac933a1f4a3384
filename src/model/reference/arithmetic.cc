// SPDX-License-Identifier: Apache-2.0
// Arithmetic of two and more numbers. Integers wrap as two's complement; dividing one by 0 is an error.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// f over two numbers of one kind, which becomes a plain function: the loop exists once a type.
template <auto F>
Status number(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  return with_domain(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return binary<T, T (*)(T, T)>(call, call.need(0).dtype(), F);
  });
}

// kInvalid when input 1 holds an integer 0.
Status no_zero_divisor(const KernelCall& call) {
  const Tensor& divisor = call.need(1);
  if (dtype_is_float(divisor.dtype())) return {};
  Elements<int64_t> d(divisor);
  for (int64_t i = 0; i < d.size(); ++i) {
    if (d[i] == 0) return call.invalid("an integer is divided by 0");
  }
  return {};
}

// Towards zero. The divisor is no integer 0.
template <typename T>
T divide(T a, T b) {
  if constexpr (std::is_same_v<T, int64_t>) {
    if (b == -1) return wrap_sub(T{}, a);  // the smallest integer has no opposite
  }
  return a / b;
}

// The remainder with the sign of the divisor (as Python's %).
template <typename T>
T floored_mod(T a, T b) {
  if constexpr (std::is_unsigned_v<T>) {
    return a % b;
  } else if constexpr (std::is_integral_v<T>) {
    if (b == -1) return 0;
    T rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  } else {
    T rest = std::fmod(a, b);
    if (rest == 0) return std::copysign(rest, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;  // NaN stays NaN
  }
}

// The remainder with the sign of the dividend (as C's fmod).
template <typename T>
T truncated_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return a % b;
  }
}

Status run_div(KernelCall& call) {
  OREE_TRY(no_zero_divisor(call));
  return number<[](auto a, auto b) { return divide(a, b); }>(call);
}

Status run_mod(KernelCall& call) {
  OREE_TRY(no_zero_divisor(call));
  if (call.node.integer("fmod", 0) != 0) return number<[](auto a, auto b) { return truncated_mod(a, b); }>(call);
  return number<[](auto a, auto b) { return floored_mod(a, b); }>(call);
}

// --- Pow: the result has the base's type, the exponent any

// The exponent is not negative.
uint64_t whole_power(uint64_t base, uint64_t exponent) {
  uint64_t out = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) out *= base;
    base *= base;
  }
  return out;
}

Status integer_power(KernelCall& call) {
  const Tensor &base = call.need(0), &exponent = call.need(1);
  bool exponent_signed = dtype_is_signed(exponent.dtype()), impossible = false;
  auto power = [&](int64_t b, int64_t e) -> int64_t {
    if (!exponent_signed || e >= 0) {
      return static_cast<int64_t>(whole_power(static_cast<uint64_t>(b), static_cast<uint64_t>(e)));
    }
    if (b == 0) impossible = true;
    if (b == 1) return 1;
    if (b == -1) return e % 2 == 0 ? 1 : -1;
    return 0;
  };
  OREE_TRY(binary<int64_t>(call, base.dtype(), power));
  if (impossible) return call.invalid("an integer 0 has no negative power");
  return {};
}

Status run_pow(KernelCall& call) {
  const Tensor &base = call.need(0), &exponent = call.need(1);
  OREE_TRY(number_inputs(call));
  if (!dtype_is_float(base.dtype()) && !dtype_is_float(exponent.dtype())) return integer_power(call);
  if (domain_of(base.dtype()) == Domain::kFloat && domain_of(exponent.dtype()) == Domain::kFloat) {
    return binary<float>(call, base.dtype(), [](float b, float e) { return std::pow(b, e); });
  }
  return binary<double>(call, base.dtype(), [](double b, double e) { return std::pow(b, e); });
}

// --- any number of inputs

// The result so far and the next input to the new result.
template <auto F>
Status variadic(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  OREE_TRY_ASSIGN(Operands operands, broadcast_operands(call));
  Dtype dtype = call.need(0).dtype();
  return with_domain(dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, dtype, operands.shape));
    for (size_t k = 0; k < call.inputs.size(); ++k) {
      Elements<T> in(call.need(k));
      for (Walk w(operands.shape, {operands.strides[k]}); !w.done(); w.next()) {
        T& so_far = out[w.index()];
        so_far = k == 0 ? in[w.at(0)] : F(so_far, in[w.at(0)]);
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

// NaN wins, as in numpy.
template <typename T>
T greater_of(T a, T b) {
  return a > b || a != a ? a : b;
}
template <typename T>
T smaller_of(T a, T b) {
  return a < b || a != a ? a : b;
}

Status run_mean(KernelCall& call) {
  OREE_TRY(real_input(call));
  OREE_TRY(same_dtypes(call));
  OREE_TRY_ASSIGN(Operands operands, broadcast_operands(call));
  return with_real(call.need(0).dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), operands.shape));
    for (size_t k = 0; k < call.inputs.size(); ++k) {
      Elements<T> in(call.need(k));
      for (Walk w(operands.shape, {operands.strides[k]}); !w.done(); w.next()) out[w.index()] += in[w.at(0)];
    }
    for (T& sum : out.span()) sum /= static_cast<T>(call.inputs.size());
    call.set(0, std::move(out).take());
    return {};
  });
}

Status run_clip(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  for (size_t i : {1, 2}) {
    if (call.in(i) && call.in(i)->elements() != 1) return call.invalid("min and max must be one number each");
  }
  return with_domain(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::optional<T> low, high;
    if (call.in(1)) low = Elements<T>(*call.in(1))[0];
    if (call.in(2)) high = Elements<T>(*call.in(2))[0];
    return unary<T>(call, [&](T x) {  // in this order: where min is above max, max it is
      if (low && x < *low) x = *low;
      if (high && x > *high) x = *high;
      return x;
    });
  });
}

constexpr KernelEntry kTable[] = {
    {"Add", number<[](auto a, auto b) { return wrap_add(a, b); }>, 2},
    {"Clip", run_clip},
    {"Div", run_div, 2},
    {"Max", variadic<[](auto a, auto b) { return greater_of(a, b); }>},
    {"Mean", run_mean},
    {"Min", variadic<[](auto a, auto b) { return smaller_of(a, b); }>},
    {"Mod", run_mod, 2},
    {"Mul", number<[](auto a, auto b) { return wrap_mul(a, b); }>, 2},
    {"Pow", run_pow, 2},
    {"Sub", number<[](auto a, auto b) { return wrap_sub(a, b); }>, 2},
    {"Sum", variadic<[](auto a, auto b) { return wrap_add(a, b); }>},
};

}  // namespace

const std::span<const KernelEntry> kArithmeticKernels = kTable;

}  // namespace oree
