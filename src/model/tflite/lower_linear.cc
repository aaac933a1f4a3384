// SPDX-License-Identifier: Apache-2.0
// Matrix products: FULLY_CONNECTED where one side is weights, BATCH_MATMUL else.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// A constant that adds one number to each output, as such a list; kNoValue when it is another shape.
ValueId as_bias(Lower& r, ValueId c, int64_t outputs) {
  std::optional<Constant> constant = r.constant_of(c);
  if (!constant) return kNoValue;
  const Shape& shape = constant->shape();
  bool row = constant->elements() == outputs && (shape.empty() || shape.back() == outputs);
  if (row) return shape.size() == 1 ? c : r.reshape(c, {outputs});
  if (constant->elements() != 1 || constant->dtype() != Dtype::kFloat32) return kNoValue;
  std::vector<float> all(static_cast<size_t>(outputs), static_cast<float>(constant->to_doubles()[0]));
  return r.constant(Constant::of_floats(all, {outputs}), "bias");
}

Attributes options_of(const Lower& r, int64_t activation) {
  Attributes options{{"fused_activation_function", activation}};
  options.emplace("asymmetric_quantize_inputs", r.integer("tflite.asymmetric_quantize_inputs", 0));
  options.emplace("quantized_bias_type", r.integer("tflite.quantized_bias_type", 0));
  return options;
}

Status want_product_types(const Lower& r) {
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  bool scaled = r.is_float(r.in(0)) || r.value(r.in(0)).quantization;
  return scaled ? Status() : Status(r.unsupported("integers without a scale"));
}

// Alpha, beta and transA were composed.
Result<bool> gemm(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(want_product_types(r));
  bool rows = r.integer("transB", 0) != 0;
  std::optional<Shape> shape = r.shape(r.in(1));
  bool weights = r.is_constant_like(r.in(1)) && shape && shape->size() == 2;
  if (!weights) {
    if (r.quantized()) return r.unsupported("quantized factors that are both computed");
    Attributes options{{"adj_y", int64_t{rows}}};
    if (!r.has(2)) {
      r.finish_emit("BATCH_MATMUL", {r.in(0), r.in(1)}, std::move(options));
    } else {
      ValueId product =
          r.emit("BATCH_MATMUL", {r.in(0), r.in(1)}, std::move(options), *r.dtype(r.out()), *r.dims(r.out()));
      r.finish("Add", {product, r.in(2)});
    }
    return true;
  }
  int64_t outputs = (*shape)[rows ? 0 : 1];
  ValueId w = rows ? r.in(1) : r.permute(r.in(1), {1, 0});
  ValueId bias = kNoValue;
  if (!r.has(2)) {
    // Kernels of 16 bits round otherwise with a bias, be it zero.
    const bool without = r.quantized() && r.dtype(r.in(0)) == Dtype::kInt16;
    if (!without) bias = r.zero_bias(outputs);
  } else {
    bias = r.quantized() ? r.in(2) : as_bias(r, r.in(2), outputs);
    if (bias == kNoValue) {  // another shape, or computed: added by itself
      ValueId product = r.emit("FULLY_CONNECTED", {r.in(0), w, r.zero_bias(outputs)}, options_of(r, 0),
                               *r.dtype(r.out()), *r.dims(r.out()));
      r.finish("Add", {product, r.in(2)});
      return true;
    }
  }
  int64_t activation = r.absorb_activation();
  r.finish_emit("FULLY_CONNECTED", {r.in(0), w, bias}, options_of(r, activation));
  return true;
}

// An Add of a constant row, which alone uses the product, is its bias.
ValueId absorb_bias(Lower& r, int64_t outputs) {
  NodeId user = r.graph().only_user(r.out());
  if (user == kNoNode || !r.graph().node(user).is("Add") || r.graph().node(user).block != r.block()) return kNoValue;
  const Node& add = r.graph().node(user);
  ValueId other = add.inputs[add.inputs[0] == r.out() ? 1 : 0];
  std::optional<Constant> constant = r.constant_of(other);
  if (!constant || constant->elements() != outputs || constant->shape().empty()) return kNoValue;
  if (constant->shape().back() != outputs || r.dims(add.outputs[0]) != r.dims(r.out())) return kNoValue;
  ValueId bias = as_bias(r, other, outputs);
  if (bias != kNoValue) r.take_over(user);
  return bias;
}

// The operand of a transposition of the last two axes; kNoValue when it is none.
ValueId untransposed(const Lower& r, ValueId v) {
  NodeId producer = r.value(v).producer;
  if (producer == kNoNode) return kNoValue;
  const Node& node = r.graph().node(producer);
  if (node.domain != kTfliteDomain || node.op != "TRANSPOSE") return kNoValue;
  std::optional<Constant> perm = r.constant_of(node.inputs[1]);
  if (!perm) return kNoValue;
  Ints order = perm->to_ints();
  size_t n = order.size();
  if (n < 2) return kNoValue;
  std::swap(order[n - 1], order[n - 2]);
  for (size_t d = 0; d < n; ++d) {
    if (order[d] != static_cast<int64_t>(d)) return kNoValue;
  }
  return node.inputs[0];
}

// Operands of rank 1 were composed.
Result<bool> matmul(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(want_product_types(r));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  std::optional<Shape> shape = r.shape(r.in(1));
  // Of a float operand and integer weights BATCH_MATMUL knows one scale for all.
  const std::optional<Quantization>& scaled = r.value(r.in(1)).quantization;
  const bool product = scaled && !(scaled->per_axis() && r.is_float(r.in(0)));
  if (r.is_constant_like(r.in(1)) && shape && shape->size() == 2 && !product) {
    int64_t outputs = (*shape)[1];
    ValueId w = r.permute(r.in(1), {1, 0});
    ValueId bias = r.quantized() ? kNoValue : absorb_bias(r, outputs);
    if (bias == kNoValue) bias = r.zero_bias(outputs);
    int64_t activation = r.absorb_activation();
    Attributes options = options_of(r, activation);
    if (rank > 2) options.emplace("keep_num_dims", int64_t{1});
    r.finish_emit("FULLY_CONNECTED", {r.in(0), w, bias}, std::move(options));
    return true;
  }
  if (rank > 5) return r.unsupported(fmt::format("{} dimensions, at most 5", rank));
  ValueId x = r.in(0), y = r.in(1);
  Attributes options{{"asymmetric_quantize_inputs", r.integer("tflite.asymmetric_quantize_inputs", 0)}};
  if (ValueId v = untransposed(r, x); v != kNoValue) {
    options.emplace("adj_x", int64_t{1});
    x = v;
  }
  if (ValueId v = untransposed(r, y); v != kNoValue) {
    options.emplace("adj_y", int64_t{1});
    y = v;
  }
  r.finish_emit("BATCH_MATMUL", {x, y}, std::move(options));
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Gemm", gemm},
    {"MatMul", matmul},
};

}  // namespace

std::span<const LowerEntry> lower_linear() { return kEntries; }

}  // namespace oree
