// SPDX-License-Identifier: Apache-2.0
// Operators that compute each output element from the input elements at the same place.
#include <fmt/format.h>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

Status infer_comparison(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  OREE_TRY_ASSIGN(std::optional<Dims> dims, broadcast_inputs(in));
  in.set(0, Dtype::kBool, std::move(dims));
  return {};
}

Status infer_logic(Inference& in) {
  for (size_t i = 0; i < in.inputs(); ++i) OREE_TRY(want_dtype(in, i, Dtype::kBool));
  return infer_arithmetic(in);
}

Status infer_test(Inference& in) {  // IsNaN, IsInf
  in.set(0, Dtype::kBool, in.dims(0));
  return {};
}

Status infer_pow(Inference& in) {  // the exponent's type is its own
  OREE_TRY_ASSIGN(std::optional<Dims> dims, broadcast_inputs(in));
  in.set(0, in.dtype(0), std::move(dims));
  return {};
}

// The slope gives way to the input's shape, never the other way round.
Status infer_prelu(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1}));
  OREE_TRY(want_one_way(in, 1));
  return infer_same(in);
}

Status infer_where(Inference& in) {
  OREE_TRY(want_dtype(in, 0, Dtype::kBool));
  OREE_TRY(want_same_dtype(in, {1, 2}));
  OREE_TRY_ASSIGN(std::optional<Dims> dims, broadcast_inputs(in));
  in.set(0, in.dtype(1) ? in.dtype(1) : in.dtype(2), std::move(dims));
  return {};
}

Status infer_clip(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  for (size_t i : {1, 2}) {
    if (std::optional<Dims> d = in.dims(i); d && product(*d).known() && product(*d).size != 1)
      return in.fail(fmt::format("input {} must be one number, not {}", i, dims_text(*d)));
  }
  return infer_same(in);
}

Status infer_cast(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dtype> to, dtype_attribute(in, "to", {}));
  in.set(0, to, in.dims(0));
  return {};
}

Status infer_bit_cast(Inference& in) {
  OREE_TRY(infer_cast(in));
  OREE_TRY_ASSIGN(std::optional<Dtype> to, dtype_attribute(in, "to", {}));
  if (to && in.dtype(0) && dtype_bits(*to) != dtype_bits(*in.dtype(0)))
    return in.fail(fmt::format("{} as {}: their sizes differ", dtype_name(*in.dtype(0)), dtype_name(*to)));
  return {};
}

Status infer_cast_like(Inference& in) {
  in.set(0, in.dtype(1), in.dims(0));
  return {};
}

Status infer_dropout(Inference& in) {
  in.set(0, in.dtype(0), in.dims(0));
  in.set(1, Dtype::kBool, in.dims(0));
  return {};
}

Status infer_swiglu(Inference& in) {
  OREE_TRY(infer_arithmetic(in));
  if (in.dims(0) && in.dims(1) && in.dims(0)->size() != in.dims(1)->size())
    return in.fail("both inputs must have the same shape");
  return {};
}

constexpr AttributeDef kAlpha[] = {{"alpha", kFloat}};
constexpr AttributeDef kAlphaBeta[] = {{"alpha", kFloat}, {"beta", kFloat}};
constexpr AttributeDef kSelu[] = {{"alpha", kFloat}, {"gamma", kFloat}};
constexpr AttributeDef kShrink[] = {{"bias", kFloat}, {"lambd", kFloat}};
constexpr AttributeDef kGelu[] = {{"approximate", kText}};
constexpr AttributeDef kIsInf[] = {{"detect_negative", kInt}, {"detect_positive", kInt}};
constexpr AttributeDef kBitShift[] = {{"direction", kText, true}};
constexpr AttributeDef kMod[] = {{"fmod", kInt}};
constexpr AttributeDef kTo[] = {{"to", kInt, true}};
constexpr AttributeDef kCast[] = {{"to", kInt, true}, {"saturate", kInt}, {"round_mode", kText}};
constexpr AttributeDef kCastLike[] = {{"saturate", kInt}, {"round_mode", kText}};
constexpr AttributeDef kDropout[] = {{"seed", kInt}};

constexpr uint32_t kEach = kElementwise;
constexpr uint32_t kSwap = kElementwise | kCommutative;

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"Abs", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Acos", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Acosh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Add", 2, 2, 1, 1, kSwap, {}, infer_arithmetic},
    {"And", 2, 2, 1, 1, kSwap, {}, infer_logic},
    {"Asin", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Asinh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Atan", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Atanh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"BitCast", 1, 1, 1, 1, kEach, kTo, infer_bit_cast},
    {"BitShift", 2, 2, 1, 1, kEach, kBitShift, infer_arithmetic},
    {"BitwiseAnd", 2, 2, 1, 1, kSwap, {}, infer_arithmetic},
    {"BitwiseNot", 1, 1, 1, 1, kEach, {}, infer_same},
    {"BitwiseOr", 2, 2, 1, 1, kSwap, {}, infer_arithmetic},
    {"BitwiseXor", 2, 2, 1, 1, kSwap, {}, infer_arithmetic},
    {"Cast", 1, 1, 1, 1, kEach, kCast, infer_cast},
    {"CastLike", 2, 2, 1, 1, kNoTraits, kCastLike, infer_cast_like},
    {"Ceil", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Celu", 1, 1, 1, 1, kEach, kAlpha, infer_same},
    {"Clip", 1, 3, 1, 1, kEach, {}, infer_clip},
    {"Cos", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Cosh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Div", 2, 2, 1, 1, kEach, {}, infer_arithmetic},
    {"Dropout", 1, 3, 1, 2, kNoTraits, kDropout, infer_dropout},
    {"Elu", 1, 1, 1, 1, kEach, kAlpha, infer_same},
    {"Equal", 2, 2, 1, 1, kSwap, {}, infer_comparison},
    {"Erf", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Exp", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Floor", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Gelu", 1, 1, 1, 1, kEach, kGelu, infer_same},
    {"Greater", 2, 2, 1, 1, kEach, {}, infer_comparison},
    {"GreaterOrEqual", 2, 2, 1, 1, kEach, {}, infer_comparison},
    {"HardSigmoid", 1, 1, 1, 1, kEach, kAlphaBeta, infer_same},
    {"HardSwish", 1, 1, 1, 1, kEach, {}, infer_same},
    {"IsInf", 1, 1, 1, 1, kEach, kIsInf, infer_test},
    {"IsNaN", 1, 1, 1, 1, kEach, {}, infer_test},
    {"LeakyRelu", 1, 1, 1, 1, kEach, kAlpha, infer_same},
    {"Less", 2, 2, 1, 1, kEach, {}, infer_comparison},
    {"LessOrEqual", 2, 2, 1, 1, kEach, {}, infer_comparison},
    {"Log", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Max", 1, kVariadic, 1, 1, kSwap, {}, infer_arithmetic},
    {"Mean", 1, kVariadic, 1, 1, kSwap, {}, infer_arithmetic},
    {"Min", 1, kVariadic, 1, 1, kSwap, {}, infer_arithmetic},
    {"Mish", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Mod", 2, 2, 1, 1, kEach, kMod, infer_arithmetic},
    {"Mul", 2, 2, 1, 1, kSwap, {}, infer_arithmetic},
    {"Neg", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Not", 1, 1, 1, 1, kEach, {}, infer_logic},
    {"Or", 2, 2, 1, 1, kSwap, {}, infer_logic},
    {"PRelu", 2, 2, 1, 1, kEach, {}, infer_prelu},
    {"Pow", 2, 2, 1, 1, kEach, {}, infer_pow},
    {"Reciprocal", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Relu", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Round", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Selu", 1, 1, 1, 1, kEach, kSelu, infer_same},
    {"Shrink", 1, 1, 1, 1, kEach, kShrink, infer_same},
    {"Sigmoid", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Sign", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Sin", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Sinh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Softplus", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Softsign", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Sqrt", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Sub", 2, 2, 1, 1, kEach, {}, infer_arithmetic},
    {"Sum", 1, kVariadic, 1, 1, kSwap, {}, infer_arithmetic},
    {"SwiGLU", 2, 2, 1, 1, kEach, kAlpha, infer_swiglu},
    {"Swish", 1, 1, 1, 1, kEach, kAlpha, infer_same},
    {"Tan", 1, 1, 1, 1, kEach, {}, infer_same},
    {"Tanh", 1, 1, 1, 1, kEach, {}, infer_same},
    {"ThresholdedRelu", 1, 1, 1, 1, kEach, kAlpha, infer_same},
    {"Where", 3, 3, 1, 1, kEach, {}, infer_where},
    {"Xor", 2, 2, 1, 1, kSwap, {}, infer_logic},
};

}  // namespace

std::span<const OpDef> elementwise_ops() { return kOps; }

}  // namespace oree
