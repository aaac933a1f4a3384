// SPDX-License-Identifier: Apache-2.0
// Reals to integers and back.
#include <fmt/format.h>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// Scales: one, or one a slice along `axis`, or one a block of the slices.
Status want_scales(const Inference& in) {
  std::optional<Dims> x = in.dims(0), scale = in.dims(1);
  int64_t block = in.node().integer("block_size", 0);
  if (block < 0) return in.fail(fmt::format("block_size {}", block));
  std::optional<Dims> zero = in.dims(2);
  if (zero && scale && zero->size() != scale->size() && product(*zero).known() && product(*zero).size != 1)
    return in.fail(fmt::format("scales of {} and zero points of {}", dims_text(*scale), dims_text(*zero)));
  if (!x || !scale || scale->empty() || product(*scale).size == 1) return {};
  if (block > 0) return want_rank(in, 1, x->size());
  OREE_TRY(want_rank(in, 1, 1));
  OREE_TRY_ASSIGN(size_t axis, axis_of(in, in.node().integer("axis", 1), x->size()));
  OREE_TRY(same_dim(in, (*scale)[0], (*x)[axis], "scales and slices differ"));
  return {};
}

Status infer_quantize(Inference& in) {
  OREE_TRY(want_scales(in));
  std::optional<Dtype> otherwise = in.has(2) ? in.dtype(2) : Dtype::kUint8;
  // 0 stands for "not given".
  if (in.node().integer("output_dtype", 0) != 0) {
    OREE_TRY_ASSIGN(otherwise, dtype_attribute(in, "output_dtype", otherwise));
    if (in.has(2) && otherwise) OREE_TRY(want_dtype(in, 2, *otherwise));
  }
  in.set(0, otherwise, in.dims(0));
  return {};
}

Status infer_dequantize(Inference& in) {
  OREE_TRY(want_scales(in));
  OREE_TRY(want_same_dtype(in, {0, 2}));
  std::optional<Dtype> dtype = in.dtype(1);
  if (in.node().integer("output_dtype", 0) != 0) {
    OREE_TRY_ASSIGN(dtype, dtype_attribute(in, "output_dtype", dtype));
  }
  in.set(0, dtype, in.dims(0));
  return {};
}

Status infer_dynamic_quantize(Inference& in) {
  in.set(0, Dtype::kUint8, in.dims(0));
  in.set(1, Dtype::kFloat32, Dims());
  in.set(2, Dtype::kUint8, Dims());
  return {};
}

constexpr AttributeDef kQuantize[] = {
    {"axis", kInt}, {"block_size", kInt}, {"output_dtype", kInt}, {"precision", kInt}, {"saturate", kInt}};
constexpr AttributeDef kDequantize[] = {{"axis", kInt}, {"block_size", kInt}, {"output_dtype", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"DequantizeLinear", 2, 3, 1, 1, kNoTraits, kDequantize, infer_dequantize},
    {"DynamicQuantizeLinear", 1, 1, 3, 3, kNoTraits, {}, infer_dynamic_quantize},
    {"QuantizeLinear", 2, 3, 1, 1, kNoTraits, kQuantize, infer_quantize},
};

}  // namespace

std::span<const OpDef> quantize_ops() { return kOps; }

}  // namespace oree
