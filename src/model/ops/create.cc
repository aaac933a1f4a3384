// SPDX-License-Identifier: Apache-2.0
// Operators that make tensors out of numbers: shapes, ranges, random ones.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

Status infer_shape(Inference& in) {
  std::optional<Dims> x = in.dims(0), out = Dims(1);
  if (x) {
    auto rank = static_cast<int64_t>(x->size());
    auto bound = [&](int64_t v) { return std::clamp<int64_t>(v < 0 && v >= -rank ? v + rank : v, 0, rank); };
    int64_t start = bound(in.node().integer("start", 0)), end = bound(in.node().integer("end", rank));
    (*out)[0] = std::max<int64_t>(end - start, 0);
  }
  in.set(0, Dtype::kInt64, std::move(out));
  return {};
}

Status infer_size(Inference& in) {
  in.set(0, Dtype::kInt64, Dims());
  return {};
}

Status infer_constant_of_shape(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dims> out, dims_from(in, 0));
  const Attribute* value = in.node().find("value");
  Dtype dtype = value != nullptr ? std::get<Constant>(*value).dtype() : Dtype::kFloat32;
  if (value != nullptr && std::get<Constant>(*value).elements() != 1) return in.fail("the value must be one number");
  in.set(0, dtype, std::move(out));
  return {};
}

// max(ceil((limit - start) / delta), 0) elements
Status infer_range(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  Dims out(1);
  std::vector<double> parts;
  for (size_t i = 0; i < 3; ++i) {
    if (std::optional<std::vector<int64_t>> ints = known_ints(in, i); ints && ints->size() == 1)
      parts.push_back(static_cast<double>((*ints)[0]));
    if (std::optional<std::vector<double>> reals = in.reals(i); reals && reals->size() == 1)
      parts.push_back((*reals)[0]);
  }
  std::optional<SymInts> limit = in.ints(1);
  if (parts.size() == 3) {
    if (parts[2] == 0) return in.fail("a delta of 0");
    double n = std::max(std::ceil((parts[1] - parts[0]) / parts[2]), 0.0);
    if (!(n <= static_cast<double>(kTensorElementsMax))) return in.fail(fmt::format("a range of {} elements", n));
    out[0] = static_cast<int64_t>(n);
  } else if (parts == std::vector<double>{0, 1} && limit && limit->size() == 1) {
    out[0] = Dim((*limit)[0].symbol);
  }
  in.set(0, in.dtype(0) ? in.dtype(0) : in.dtype(1), std::move(out));
  return {};
}

Status infer_eye_like(Inference& in) {
  OREE_TRY(want_rank(in, 0, 2));
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "dtype", in.dtype(0)));
  in.set(0, dtype, in.dims(0));
  return {};
}

Status infer_random(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "dtype", Dtype::kFloat32));
  Dims out;
  for (int64_t d : in.node().integers("shape")) {
    if (d < 0) return in.fail(fmt::format("a dimension of {}", d));
    out.emplace_back(d);
  }
  in.set(0, dtype, std::move(out));
  return {};
}

Status infer_random_like(Inference& in) {
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "dtype", in.dtype(0)));
  in.set(0, dtype, in.dims(0));
  return {};
}

Status infer_multinomial(Inference& in) {
  OREE_TRY(want_rank(in, 0, 2));
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "dtype", Dtype::kInt32));
  int64_t samples = in.node().integer("sample_size", 1);
  if (samples < 0) return in.fail(fmt::format("{} samples", samples));
  in.set(0, dtype, Dims{in.dims(0) ? (*in.dims(0))[0] : Dim(), Dim(samples)});
  return {};
}

constexpr AttributeDef kShape[] = {{"end", kInt}, {"start", kInt}};
constexpr AttributeDef kConstantOfShape[] = {{"value", kTensor}};
constexpr AttributeDef kRange[] = {{"stash_type", kInt}};
constexpr AttributeDef kEyeLike[] = {{"dtype", kInt}, {"k", kInt}};
constexpr AttributeDef kBernoulli[] = {{"dtype", kInt}, {"seed", kFloat}};
constexpr AttributeDef kMultinomial[] = {{"dtype", kInt}, {"sample_size", kInt}, {"seed", kFloat}};
constexpr AttributeDef kNormal[] = {
    {"dtype", kInt}, {"mean", kFloat}, {"scale", kFloat}, {"seed", kFloat}, {"shape", kInts, true}};
constexpr AttributeDef kNormalLike[] = {{"dtype", kInt}, {"mean", kFloat}, {"scale", kFloat}, {"seed", kFloat}};
constexpr AttributeDef kUniform[] = {
    {"dtype", kInt}, {"high", kFloat}, {"low", kFloat}, {"seed", kFloat}, {"shape", kInts, true}};
constexpr AttributeDef kUniformLike[] = {{"dtype", kInt}, {"high", kFloat}, {"low", kFloat}, {"seed", kFloat}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"Bernoulli", 1, 1, 1, 1, kRandom, kBernoulli, infer_random_like},
    {"ConstantOfShape", 1, 1, 1, 1, kNoTraits, kConstantOfShape, infer_constant_of_shape},
    {"EyeLike", 1, 1, 1, 1, kNoTraits, kEyeLike, infer_eye_like},
    {"Multinomial", 1, 1, 1, 1, kRandom, kMultinomial, infer_multinomial},
    {"RandomNormal", 0, 0, 1, 1, kRandom, kNormal, infer_random},
    {"RandomNormalLike", 1, 1, 1, 1, kRandom, kNormalLike, infer_random_like},
    {"RandomUniform", 0, 0, 1, 1, kRandom, kUniform, infer_random},
    {"RandomUniformLike", 1, 1, 1, 1, kRandom, kUniformLike, infer_random_like},
    {"Range", 3, 3, 1, 1, kNoTraits, kRange, infer_range},
    {"Shape", 1, 1, 1, 1, kNoTraits, kShape, infer_shape},
    {"Size", 1, 1, 1, 1, kNoTraits, {}, infer_size},
};

}  // namespace

std::span<const OpDef> create_ops() { return kOps; }

}  // namespace oree
