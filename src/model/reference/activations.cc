// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one real with parameters. Attributes are float32 in ONNX, whatever the input's type.
#include <cmath>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// f(x, alpha, beta) with the two parameters as the input's own kind of real.
template <typename F>
Status real(KernelCall& call, float alpha, float beta, F f) {
  OREE_TRY(real_input(call));
  return with_real(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return unary<T>(call, [&](T x) -> T { return f(x, static_cast<T>(alpha), static_cast<T>(beta)); });
  });
}

Status run_celu(KernelCall& call) {
  return real(call, call.node.real("alpha", 1), 0, [](auto x, auto alpha, auto) {
    decltype(x) zero{};
    return std::fmax(zero, x) + std::fmin(zero, alpha * (std::exp(x / alpha) - 1));
  });
}

Status run_elu(KernelCall& call) {
  return real(call, call.node.real("alpha", 1), 0,
              [](auto x, auto alpha, auto) { return x < 0 ? alpha * (std::exp(x) - 1) : x; });
}

Status run_selu(KernelCall& call) {
  float alpha = call.node.real("alpha", 1.67326319217681884765625f);
  float gamma = call.node.real("gamma", 1.05070102214813232421875f);
  return real(call, alpha, gamma, [](auto x, auto a, auto g) { return x > 0 ? g * x : g * (a * std::exp(x) - a); });
}

Status run_gelu(KernelCall& call) {
  std::string approximate = call.node.text("approximate", "none");
  if (approximate == "none") {
    return real(call, 0, 0, [](auto x, auto, auto) {
      using T = decltype(x);
      return T{0.5} * x * (T{1} + std::erf(x * static_cast<T>(0.70710678118654752440)));  // x / sqrt(2)
    });
  }
  if (approximate != "tanh") return call.invalid("approximate must be none or tanh");
  return real(call, 0, 0, [](auto x, auto, auto) {
    using T = decltype(x);
    T inner = static_cast<T>(0.79788456080286535588) * (x + static_cast<T>(0.044715) * x * x * x);  // sqrt(2 / pi)
    return T{0.5} * x * (T{1} + std::tanh(inner));
  });
}

Status run_hard_sigmoid(KernelCall& call) {
  return real(call, call.node.real("alpha", 0.2f), call.node.real("beta", 0.5f), [](auto x, auto alpha, auto beta) {
    using T = decltype(x);
    return std::fmax(T{0}, std::fmin(T{1}, alpha * x + beta));
  });
}

Status run_leaky_relu(KernelCall& call) {
  return real(call, call.node.real("alpha", 0.01f), 0, [](auto x, auto alpha, auto) { return x < 0 ? alpha * x : x; });
}

Status run_thresholded_relu(KernelCall& call) {
  return real(call, call.node.real("alpha", 1), 0,
              [](auto x, auto alpha, auto) { return x > alpha ? x : decltype(x){}; });
}

template <typename T>
T swish(T x, T alpha) {
  return x / (T{1} + std::exp(-alpha * x));
}

Status run_swish(KernelCall& call) {
  return real(call, call.node.real("alpha", 1), 0, [](auto x, auto alpha, auto) { return swish(x, alpha); });
}

Status run_swiglu(KernelCall& call) {
  OREE_TRY(real_input(call));
  OREE_TRY(same_dtypes(call));
  if (call.need(0).shape() != call.need(1).shape()) return call.invalid("both inputs must have one shape");
  float alpha = call.node.real("alpha", 1);
  return with_real(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return binary<T>(call, call.need(0).dtype(), [&](T a, T b) -> T { return swish(a, static_cast<T>(alpha)) * b; });
  });
}

Status run_shrink(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  float bias = call.node.real("bias", 0), lambd = call.node.real("lambd", 0.5f);
  auto shrunk = [](auto x, auto b, auto l) { return x < -l ? x + b : x > l ? x - b : decltype(x){}; };
  if (dtype_is_float(call.need(0).dtype())) return real(call, bias, lambd, shrunk);
  // Integers meet real bounds: as doubles, and back.
  return unary<double>(call, [&](double x) { return shrunk(x, double{bias}, double{lambd}); });
}

Status run_prelu(KernelCall& call) {
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  OREE_TRY_ASSIGN(Shape both, broadcast_shape(call, call.need(0).shape(), call.need(1).shape()));
  if (both != call.need(0).shape()) return call.invalid("the slope does not broadcast to the input");
  return with_domain(call.need(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    return binary<T>(call, call.need(0).dtype(), [](T x, T slope) { return x < T{} ? wrap_mul(x, slope) : x; });
  });
}

constexpr KernelEntry kTable[] = {
    {"Celu", run_celu},
    {"Elu", run_elu},
    {"Gelu", run_gelu},
    {"HardSigmoid", run_hard_sigmoid},
    {"LeakyRelu", run_leaky_relu},
    {"PRelu", run_prelu, 2},
    {"Selu", run_selu},
    {"Shrink", run_shrink},
    {"SwiGLU", run_swiglu, 2},
    {"Swish", run_swish},
    {"ThresholdedRelu", run_thresholded_relu},
};

}  // namespace

const std::span<const KernelEntry> kActivationKernels = kTable;

}  // namespace oree
