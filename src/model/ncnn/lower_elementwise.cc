// SPDX-License-Identifier: Apache-2.0
// Operators that compute each element by itself, and those of two operands with broadcasting.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ncnn/ncnn_lower.h"

namespace oree {
namespace {

// --- of one operand: a layer of its own, or UnaryOp with a number
struct Unary {
  std::string_view op, layer;
  int number = -1;
};
constexpr Unary kUnary[] = {
    {"Abs", "UnaryOp", 0},         {"Acos", "UnaryOp", 13}, {"Acosh", "UnaryOp", 25}, {"Asin", "UnaryOp", 12},
    {"Asinh", "UnaryOp", 23},      {"Atan", "UnaryOp", 14}, {"Atanh", "UnaryOp", 26}, {"Ceil", "UnaryOp", 3},
    {"Cos", "UnaryOp", 10},        {"Cosh", "UnaryOp", 24}, {"Erf", "Erf"},           {"Exp", "UnaryOp", 7},
    {"Floor", "UnaryOp", 2},       {"Log", "UnaryOp", 8},   {"Mish", "Mish"},         {"Neg", "UnaryOp", 1},
    {"Reciprocal", "UnaryOp", 15}, {"Relu", "ReLU"},        {"Round", "UnaryOp", 18}, {"Sigmoid", "Sigmoid"},
    {"Sign", "UnaryOp", 20},       {"Sin", "UnaryOp", 9},   {"Sinh", "UnaryOp", 22},  {"Softplus", "Softplus"},
    {"Sqrt", "UnaryOp", 5},        {"Tan", "UnaryOp", 11},  {"Tanh", "TanH"},
};

Status unary(NcnnNode& n) {
  auto entry = std::ranges::find(kUnary, n.node().op, &Unary::op);
  OREE_ASSERT(entry != std::end(kUnary));
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  NcnnParams p;
  if (entry->number >= 0) p.set(0, entry->number);
  n.finish(entry->layer, {x}, std::move(p));
  return {};
}

Status with_params(NcnnNode& n, std::string_view layer, NcnnParams params) {
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish(layer, {x}, std::move(params));
  return {};
}

Status leaky_relu(NcnnNode& n) { return with_params(n, "ReLU", NcnnParams().set(0, n.real("alpha", 0.01F))); }
Status elu(NcnnNode& n) { return with_params(n, "ELU", NcnnParams().set(0, n.real("alpha", 1.0F))); }
Status celu(NcnnNode& n) { return with_params(n, "CELU", NcnnParams().set(0, n.real("alpha", 1.0F))); }
Status hard_swish(NcnnNode& n) { return with_params(n, "HardSwish", NcnnParams().set(0, 1.0F / 6).set(1, 0.5F)); }
Status selu(NcnnNode& n) {
  return with_params(n, "SELU", NcnnParams().set(0, n.real("alpha", 1.67326319F)).set(1, n.real("gamma", 1.05070102F)));
}
Status hard_sigmoid(NcnnNode& n) {
  const float alpha = n.real("alpha", 0.2F);
  if (!(alpha > 0)) return n.unsupported(fmt::format("alpha {} of a HardSigmoid", alpha));
  return with_params(n, "HardSigmoid", NcnnParams().set(0, alpha).set(1, n.real("beta", 0.5F)));
}
Status gelu(NcnnNode& n) {
  return with_params(n, "GELU", NcnnParams().set(0, n.node().text("approximate", "none") == "tanh" ? 1 : 0));
}

Status swish(NcnnNode& n) {
  if (n.real("alpha", 1) == 1) return with_params(n, "Swish", {});
  return n.unsupported("an alpha other than 1");
}

Status clip(NcnnNode& n) {
  const std::optional<float> low = n.number(1), high = n.number(2);
  if ((n.has(1) && !low) || (n.has(2) && !high)) return n.unsupported("a bound that is no constant");
  return with_params(n, "Clip", NcnnParams().set(0, low.value_or(-INFINITY)).set(1, high.value_or(INFINITY)));
}

Status identity(NcnnNode& n) {
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  n.finish_with(x);
  return {};
}

Status dropout(NcnnNode& n) {
  if (n.node().output(1) != kNoValue) return n.unsupported("its mask is wanted");
  if (n.number(2).value_or(0) != 0) return n.unsupported("it trains");
  return identity(n);
}

// --- of two operands
enum Operation {
  kAdd = 0,
  kSub = 1,
  kMul = 2,
  kDiv = 3,
  kMax = 4,
  kMin = 5,
  kPow = 6,
  kRsub = 7,
  kRdiv = 8,
  kRpow = 9
};

Operation swapped(Operation op) { return op == kSub ? kRsub : op == kDiv ? kRdiv : op == kPow ? kRpow : op; }

// As the result lies, with leading ones: ncnn broadcasts operands of one rank as everyone does, of different ranks by
// rules of its own.
Shape aligned(const Shape& shape, const Shape& result) {
  Shape out(result.size() - std::min(shape.size(), result.size()), 1);
  out.insert(out.end(), shape.begin(), shape.end());
  const size_t surplus = out.size() - ncnn_mat(result).size();
  if (result.empty()) return {1};
  return Shape(out.begin() + static_cast<ptrdiff_t>(surplus), out.end());
}

Shape broadcast_of(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    out[out.size() - 1 - i] = std::max(x, y);
  }
  return out;
}

// The result so far, `left` of the shape `a`, with operand `input`.
Result<NcnnBlob> join(NcnnNode& n, Operation op, NcnnBlob left, const Shape& a, size_t input) {
  const Shape result = broadcast_of(a, n.shape(input));
  const Shape mat = ncnn_mat(result);
  left = n.net().reshaped(left, aligned(a, result));
  if (std::optional<float> number = n.number(input); number && std::isfinite(*number) && n.net().mat(left) == mat)
    return n.layer("BinaryOp", {left}, mat, NcnnParams().set(0, op).set(1, 1).set(2, *number));
  OREE_TRY_ASSIGN(NcnnBlob right, n.operand(input, aligned(n.shape(input), result)));
  return n.layer("BinaryOp", {left, right}, mat, NcnnParams().set(0, op));
}

Status binary(NcnnNode& n, Operation op) {
  const size_t count = n.node().inputs.size();
  if (count == 1) return identity(n);
  // A number before the operand: ncnn has a swapped operation for it.
  if (count == 2 && n.number(0) && !n.stored(1)) {
    OREE_TRY_ASSIGN(NcnnBlob x, n.operand(1));
    OREE_TRY_ASSIGN(NcnnBlob result, join(n, swapped(op), x, n.shape(1), 0));
    n.finish_with(result);
    return {};
  }
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  Shape shape = n.shape(0);
  for (size_t i = 1; i < count; ++i) {
    OREE_TRY_ASSIGN(NcnnBlob joined, join(n, op, x, shape, i));
    x = joined;
    shape = broadcast_of(shape, n.shape(i));
  }
  n.finish_with(x);
  return {};
}

Status add(NcnnNode& n) { return binary(n, kAdd); }
Status sub(NcnnNode& n) { return binary(n, kSub); }
Status mul(NcnnNode& n) { return binary(n, kMul); }
Status div(NcnnNode& n) { return binary(n, kDiv); }
Status max(NcnnNode& n) { return binary(n, kMax); }
Status min(NcnnNode& n) { return binary(n, kMin); }

// ncnn's kernels take powers by logarithms, which are wrong at zero and below: those that products and roots can make
// are made so, and others are taken of constants above zero alone.
Status pow(NcnnNode& n) {
  constexpr int kSquare = 4, kRoot = 5, kReciprocalRoot = 6, kReciprocal = 15;
  const std::optional<float> exponent = n.number(1);
  if (std::optional<Constant> base = n.floats(0)) {
    const std::vector<double> values = base->to_doubles();
    if (std::ranges::all_of(values, [](double v) { return v > 0; })) return binary(n, kPow);
  }
  if (!exponent || n.shape(1).size() > n.shape(0).size())
    return n.unsupported("a power of numbers that may be zero or less, to no constant");
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  const Shape mat = n.net().mat(x);
  auto function = [&](NcnnBlob of, int number) { return n.layer("UnaryOp", {of}, mat, NcnnParams().set(0, number)); };
  NcnnBlob result = x;
  if (*exponent == 2 || *exponent == 4 || *exponent == -2 || *exponent == 3) result = function(x, kSquare);
  if (*exponent == 4) result = function(result, kSquare);
  if (*exponent == 3) result = n.layer("BinaryOp", {result, x}, mat, NcnnParams().set(0, kMul));
  if (*exponent == -2 || *exponent == -1) result = function(result, kReciprocal);
  if (*exponent == 0.5F) result = function(x, kRoot);
  if (*exponent == -0.5F) result = function(x, kReciprocalRoot);
  if (result == x && *exponent != 1) return n.unsupported(fmt::format("the power of {}", *exponent));
  n.finish_with(result);
  return {};
}

// One slope, or one for each place of the first dimension; else of what is above zero and what is below.
Status prelu(NcnnNode& n) {
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0));
  const Shape mat = n.net().mat(x);
  if (std::optional<Constant> slope = n.floats(1)) {
    const Shape lies = aligned(n.shape(1), n.shape(0));
    const bool first = lies.size() == mat.size() && lies[0] == mat[0] && slope->elements() == mat[0];
    if (slope->elements() == 1 || first) {
      n.finish("PReLU", {x}, NcnnParams().set(0, slope->elements()), {{*slope}});
      return {};
    }
  }
  OREE_TRY_ASSIGN(NcnnBlob slope, n.operand(1, aligned(n.shape(1), n.shape(0))));
  const NcnnBlob above = n.layer("ReLU", {x}, mat);
  const NcnnBlob below = n.layer("Clip", {x}, mat, NcnnParams().set(0, -INFINITY).set(1, 0.0F));
  const NcnnBlob sloped = n.layer("BinaryOp", {below, slope}, mat, NcnnParams().set(0, kMul));
  n.finish("BinaryOp", {above, sloped}, NcnnParams().set(0, kAdd));
  return {};
}

constexpr NcnnEntry kEntries[] = {
    {"Abs", unary},
    {"Acos", unary},
    {"Acosh", unary},
    {"Add", add},
    {"Asin", unary},
    {"Asinh", unary},
    {"Atan", unary},
    {"Atanh", unary},
    {"Cast", identity},
    {"Ceil", unary},
    {"Celu", celu},
    {"Clip", clip},
    {"Cos", unary},
    {"Cosh", unary},
    {"Div", div},
    {"Dropout", dropout},
    {"Elu", elu},
    {"Erf", unary},
    {"Exp", unary},
    {"Floor", unary},
    {"Gelu", gelu},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", hard_swish},
    {"Identity", identity},
    {"LeakyRelu", leaky_relu},
    {"Log", unary},
    {"Max", max},
    {"Min", min},
    {"Mish", unary},
    {"Mul", mul},
    {"Neg", unary},
    {"PRelu", prelu},
    {"Pow", pow},
    {"Reciprocal", unary},
    {"Relu", unary},
    {"Round", unary},
    {"Selu", selu},
    {"Sigmoid", unary},
    {"Sign", unary},
    {"Sin", unary},
    {"Sinh", unary},
    {"Softplus", unary},
    {"Sqrt", unary},
    {"Sub", sub},
    {"Sum", add},
    {"Swish", swish},
    {"Tan", unary},
    {"Tanh", unary},
};

}  // namespace

std::span<const NcnnEntry> ncnn_elementwise() { return kEntries; }

}  // namespace oree
