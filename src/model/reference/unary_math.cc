// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one real (or one number) without parameters.
#include <cmath>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

template <typename T>
T sigmoid(T x) {
  return T{1} / (T{1} + std::exp(-x));
}

template <typename T>
T softplus(T x) {  // log(1 + e^x), which does not overflow so
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

template <typename T>
T hard_swish(T x) {
  T gate = x / T{6} + T{0.5};
  return x * std::fmax(T{0}, std::fmin(T{1}, gate));
}

template <typename T>
T absolute(T x) {
  if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
  return x < T{} ? wrap_sub(T{}, x) : x;
}

template <typename T>
T sign_of(T x) {
  if (x > T{}) return T{1};
  return x < T{} ? static_cast<T>(-1) : x;  // 0 and NaN stay what they are
}

// f over reals; it becomes a plain function, so the loop exists once a type.
template <auto F>
Status real(KernelCall& call) {
  OREE_TRY(real_input(call));
  return with_real(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T, T (*)(T)>(call, F);
  });
}

// f over numbers of any kind.
template <auto F>
Status number(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  return with_domain(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T, T (*)(T)>(call, F);
  });
}

constexpr KernelEntry kTable[] = {
    {"Abs", number<[](auto x) { return absolute(x); }>},
    {"Acos", real<[](auto x) { return std::acos(x); }>},
    {"Acosh", real<[](auto x) { return std::acosh(x); }>},
    {"Asin", real<[](auto x) { return std::asin(x); }>},
    {"Asinh", real<[](auto x) { return std::asinh(x); }>},
    {"Atan", real<[](auto x) { return std::atan(x); }>},
    {"Atanh", real<[](auto x) { return std::atanh(x); }>},
    {"Ceil", real<[](auto x) { return std::ceil(x); }>},
    {"Cos", real<[](auto x) { return std::cos(x); }>},
    {"Cosh", real<[](auto x) { return std::cosh(x); }>},
    {"Erf", real<[](auto x) { return std::erf(x); }>},
    {"Exp", real<[](auto x) { return std::exp(x); }>},
    {"Floor", real<[](auto x) { return std::floor(x); }>},
    {"HardSwish", real<[](auto x) { return hard_swish(x); }>},
    {"Log", real<[](auto x) { return std::log(x); }>},
    {"Mish", real<[](auto x) { return x * std::tanh(softplus(x)); }>},
    {"Neg", number<[](auto x) { return wrap_sub(decltype(x){}, x); }>},
    {"Reciprocal", real<[](auto x) { return decltype(x){1} / x; }>},
    {"Relu", number<[](auto x) { return x < decltype(x){} ? decltype(x){} : x; }>},
    {"Round", real<[](auto x) { return std::nearbyint(x); }>},  // half to even
    {"Sigmoid", real<[](auto x) { return sigmoid(x); }>},
    {"Sign", number<[](auto x) { return sign_of(x); }>},
    {"Sin", real<[](auto x) { return std::sin(x); }>},
    {"Sinh", real<[](auto x) { return std::sinh(x); }>},
    {"Softplus", real<[](auto x) { return softplus(x); }>},
    {"Softsign", real<[](auto x) { return x / (decltype(x){1} + std::fabs(x)); }>},
    {"Sqrt", real<[](auto x) { return std::sqrt(x); }>},
    {"Tan", real<[](auto x) { return std::tan(x); }>},
    {"Tanh", real<[](auto x) { return std::tanh(x); }>},
};

}  // namespace

const std::span<const KernelEntry> kUnaryMathKernels = kTable;

}  // namespace oree
