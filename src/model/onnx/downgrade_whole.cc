// SPDX-License-Identifier: Apache-2.0
// Operators that an opset had not, built from those that it had. Formulas are those of the ONNX operator specification.
#include <cmath>
#include <numbers>

#include "model/onnx/onnx_downgrade.h"
#include "model/ops/element_types.h"

namespace oree {
namespace {

// x * sigmoid(alpha * x)
Status swish_24(Downgrade& d) {
  ValueId x = d.in(0), inner = x;
  float alpha = d.node().real("alpha", 1);
  if (alpha != 1) inner = d.add("Mul", {x, d.real(alpha, x)}, {}, x);
  d.finish("Mul", {x, d.add("Sigmoid", {inner}, {}, x)});
  return {};
}

// The last axes, from the attribute 'axis' on; nothing when that is not known.
std::vector<int64_t> last_axes(const Downgrade& d) {
  std::optional<size_t> rank = d.rank(0);
  int64_t axis = d.node().integer("axis", -1), end = rank ? static_cast<int64_t>(*rank) : 0;
  if (axis < 0) axis += end;
  std::vector<int64_t> axes;
  for (int64_t i = axis; axis >= 0 && i < end; ++i) axes.push_back(i);
  return axes;
}

// x * scale / sqrt(mean(x * x) + epsilon) over the last axes
Status rms_norm_23(Downgrade& d) {
  ValueId x = d.in(0);
  bool wide = d.dtype(0) == Dtype::kFloat32 || d.dtype(0) == Dtype::kFloat64;
  if (!wide) return d.unsupported("of half precision needs opset 23");
  if (d.dtype(0) != d.dtype(1)) return d.unsupported("of two types needs opset 23");
  std::vector<int64_t> axes = last_axes(d);
  if (axes.empty()) return d.unsupported("of unknown rank needs opset 23");
  ValueId mean = d.add("ReduceMean", {d.add("Mul", {x, x}, {}, x), d.ints(axes)}, {}, x, true);
  ValueId plus = d.add("Add", {mean, d.real(d.node().real("epsilon", 1e-5f), x)}, {}, x, true);
  ValueId root = d.add("Sqrt", {plus}, {}, x, true);
  d.finish("Mul", {d.add("Div", {x, root}, {}, x), d.in(1)});
  return {};
}

// 0.5 * x * (1 + erf(x / sqrt 2)), or with tanh in its place
Status gelu_20(Downgrade& d) {
  ValueId x = d.in(0), curve;
  if (d.node().text("approximate", "none") == "tanh") {
    ValueId square = d.add("Mul", {x, x}, {}, x), cube = d.add("Mul", {square, x}, {}, x);
    ValueId sum = d.add("Add", {x, d.add("Mul", {cube, d.real(0.044715f, x)}, {}, x)}, {}, x);
    float factor = static_cast<float>(std::sqrt(2 / std::numbers::pi));
    curve = d.add("Tanh", {d.add("Mul", {sum, d.real(factor, x)}, {}, x)}, {}, x);
  } else {
    float factor = static_cast<float>(1 / std::numbers::sqrt2);
    curve = d.add("Erf", {d.add("Mul", {x, d.real(factor, x)}, {}, x)}, {}, x);
  }
  ValueId half = d.add("Mul", {x, d.real(0.5f, x)}, {}, x);
  d.finish("Mul", {half, d.add("Add", {curve, d.real(1, x)}, {}, x)});
  return {};
}

// x * tanh(log(1 + exp(x)))
Status mish_18(Downgrade& d) {
  ValueId x = d.in(0);
  d.finish("Mul", {x, d.add("Tanh", {d.add("Softplus", {x}, {}, x)}, {}, x)});
  return {};
}

// x * max(0, min(1, x / 6 + 0.5))
Status hard_swish_14(Downgrade& d) {
  ValueId x = d.in(0);
  d.finish("Mul", {x, d.add("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}, x)});
  return {};
}

// (x - mean) / sqrt(variance + epsilon) * scale + bias, over the last axes
Status layer_norm_17(Downgrade& d) {
  ValueId x = d.in(0), scale = d.in(1), bias = d.in(2);
  bool wide = d.dtype(0) == Dtype::kFloat32 || d.dtype(0) == Dtype::kFloat64;
  if (!wide) return d.unsupported("of half precision needs opset 17");
  std::vector<int64_t> axes = last_axes(d);
  if (axes.empty()) return d.unsupported("of unknown rank needs opset 17");
  ValueId which = d.ints(axes), mean = d.add("ReduceMean", {x, which}, {}, x, true);
  ValueId centred = d.add("Sub", {x, mean}, {}, x);
  ValueId square = d.add("Mul", {centred, centred}, {}, x);
  ValueId variance = d.add("ReduceMean", {square, which}, {}, x, true);
  ValueId plus = d.add("Add", {variance, d.real(d.node().real("epsilon", 1e-5f), x)}, {}, x, true);
  ValueId root = d.add("Sqrt", {plus}, {}, x, true), normal = d.add("Div", {centred, root}, {}, x);
  ValueId mean_out = d.node().output(1), inverse_out = d.node().output(2);
  BlockId block = d.node().block;
  if (bias == kNoValue) {
    d.finish("Mul", {normal, scale});
  } else {
    d.finish("Add", {d.add("Mul", {normal, scale}, {}, x), bias});
  }
  Node more;
  more.op = "Identity", more.inputs = {mean}, more.outputs = {mean_out};
  if (mean_out != kNoValue) d.graph.add_node(more, block);
  more.op = "Reciprocal", more.inputs = {root}, more.outputs = {inverse_out};
  if (inverse_out != kNoValue) d.graph.add_node(more, block);
  return {};
}

// max(0, x) + min(0, alpha * (exp(x / alpha) - 1))
Status celu_12(Downgrade& d) {
  ValueId x = d.in(0);
  float alpha = d.node().real("alpha", 1);
  // Elu takes the same way with exp(x) where alpha is 1, so x is divided before and the result multiplied after.
  if (alpha == 1) {
    d.finish("Elu", {x});
    return {};
  }
  ValueId inner = d.add("Elu", {d.add("Div", {x, d.real(alpha, x)}, {}, x)}, {}, x);
  d.finish("Mul", {inner, d.real(alpha, x)});
  return {};
}

Status or_equal_12(Downgrade& d, const char* op) {
  ValueId a = d.in(0), b = d.in(1);
  ValueId strict = d.add(op, {a, b}, {}, kNoValue), same = d.add("Equal", {a, b}, {}, kNoValue);
  d.graph.set_type(strict, Dtype::kBool, std::nullopt);
  d.graph.set_type(same, Dtype::kBool, std::nullopt);
  d.finish("Or", {strict, same});
  return {};
}
Status greater_or_equal_12(Downgrade& d) { return or_equal_12(d, "Greater"); }
Status less_or_equal_12(Downgrade& d) { return or_equal_12(d, "Less"); }

Status cast_like_15(Downgrade& d) {
  std::optional<Dtype> to = d.dtype(1);
  if (!to) return d.unsupported("to an unknown type needs opset 15");
  d.finish("Cast", {d.in(0)}, {{"to", dtype_to_onnx(*to)}});
  return {};
}

}  // namespace

std::vector<DowngradeRow> whole_downgrades() {
  return {{"Swish", 24, swish_24},
          {"RMSNormalization", 23, rms_norm_23},
          {"Gelu", 20, gelu_20},
          {"Mish", 18, mish_18},
          {"LayerNormalization", 17, layer_norm_17},
          {"CastLike", 15, cast_like_15},
          {"HardSwish", 14, hard_swish_14},
          {"Celu", 12, celu_12},
          {"GreaterOrEqual", 12, greater_or_equal_12},
          {"LessOrEqual", 12, less_or_equal_12}};
}

}  // namespace oree
