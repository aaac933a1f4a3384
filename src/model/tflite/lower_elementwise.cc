// SPDX-License-Identifier: Apache-2.0
// Operators that compute each element by itself, and softmax.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/passes/quantization_nodes.h"
#include "model/tflite/activation_bound.h"
#include "model/tflite/lower.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

// --- operators that TFLite has as they are
struct Plain {
  std::string_view onnx, tflite, types;
};
constexpr Plain kPlain[] = {
    {"Abs", "ABS", "fcsi"},
    {"And", "LOGICAL_AND", "b"},
    {"Ceil", "CEIL", "f"},
    {"Cos", "COS", "f"},
    {"Equal", "EQUAL", "filbcC"},
    {"Exp", "EXP", "fcs"},
    {"Floor", "FLOOR", "f"},
    {"Greater", "GREATER", "filcC"},
    {"GreaterOrEqual", "GREATER_EQUAL", "filcC"},
    {"HardSwish", "HARD_SWISH", "fcC"},
    {"Less", "LESS", "filcC"},
    {"LessOrEqual", "LESS_EQUAL", "filcC"},
    {"Log", "LOG", "fc"},
    {"Max", "MAXIMUM", "filcCs"},
    {"Min", "MINIMUM", "filcCs"},
    {"Neg", "NEG", "fil"},
    {"Not", "LOGICAL_NOT", "b"},
    {"Or", "LOGICAL_OR", "b"},
    {"PRelu", "PRELU", "fcC"},
    {"Pow", "POW", "fi"},
    {"Relu", "RELU", "fcCs"},
    {"Round", "ROUND", "f"},
    {"Sigmoid", "LOGISTIC", "fcCs"},
    {"Sign", "SIGN", "fi"},
    {"Sin", "SIN", "f"},
    {"Sqrt", "SQRT", "fc"},
    {"Tanh", "TANH", "fcCs"},
    {"Xor", "NOT_EQUAL", "b"},
};

Result<bool> plain(Lower& r) {
  auto entry = std::ranges::find(kPlain, r.node().op, &Plain::onnx);
  OREE_ASSERT(entry != std::end(kPlain));
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), entry->types));
  r.finish_emit(entry->tflite, r.node().inputs);
  return true;
}

// --- arithmetic, with an activation of its own
Result<bool> arithmetic(Lower& r, std::string_view op, std::string_view types) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), types));
  Attributes options;
  bool fusing = r.is_float(r.in(0)) || r.value(r.out()).quantization;
  int64_t activation = fusing ? r.absorb_activation() : kTfliteNoActivation;
  options.emplace("fused_activation_function", activation);
  // Sixteen bits with any scale, not only powers of two.
  if ((op == "ADD" || op == "SUB") && r.dtype(r.in(0)) == Dtype::kInt16) options.emplace("pot_scale_int16", int64_t{0});
  r.finish_emit(op, {r.in(0), r.in(1)}, std::move(options));
  return true;
}
Result<bool> add(Lower& r) { return arithmetic(r, "ADD", "filcCs"); }
Result<bool> sub(Lower& r) { return arithmetic(r, "SUB", "filcCs"); }
Result<bool> mul(Lower& r) { return arithmetic(r, "MUL", "filcCsI"); }
Result<bool> div(Lower& r) { return arithmetic(r, "DIV", "ficC"); }

// Of quantized values: others were added one by one before.
Result<bool> add_n(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "c"));
  r.finish_emit("ADD_N", r.node().inputs);
  return true;
}

// --- bounds
Result<bool> clip(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "filcCs"));
  if (std::optional<int64_t> known = tflite_activation(r.graph(), r.node())) {
    r.finish_emit(*known == kTfliteRelu ? "RELU" : *known == kTfliteRelu6 ? "RELU6" : "RELU_N1_TO_1", {r.in(0)});
    return true;
  }
  if (r.value(r.in(0)).quantization != r.value(r.out()).quantization) {
    return r.unsupported("bounds between two scales");
  }
  // Bounds of a quantized value: integers of its scale, whether they came as reals or so.
  auto bound = [&](size_t input) -> Result<ValueId> {
    std::optional<Quantization> q = r.value(r.in(0)).quantization;
    if (!q || r.value(r.in(input)).quantization == q) return r.in(input);
    std::optional<double> real = r.number_of(r.in(input));
    if (!real) return r.unsupported("a bound that is no constant");
    ValueId v = r.number_like(r.in(0), activation_bound(*q, *r.dtype(r.in(0)), *real));
    r.graph().set_quantization(v, q);
    return v;
  };
  ValueId x = r.in(0);
  if (!r.has(1) && !r.has(2)) {
    r.finish("Identity", {x});
    return true;
  }
  if (r.has(1)) {
    OREE_TRY_ASSIGN(ValueId low, bound(1));
    if (!r.has(2)) {
      r.finish_emit("MAXIMUM", {x, low});
      return true;
    }
    x = r.emit_like(x, "MAXIMUM", {x, low});
  }
  OREE_TRY_ASSIGN(ValueId high, bound(2));
  r.finish_emit("MINIMUM", {x, high});
  return true;
}

// --- the rest
Result<bool> leaky_relu(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  r.finish_emit("LEAKY_RELU", {r.in(0)}, {{"alpha", r.real("alpha", 0.01F)}});
  return true;
}

Result<bool> elu(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fc"));
  r.finish_emit("ELU", {r.in(0)});  // other alphas were composed
  return true;
}

Result<bool> gelu(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fcC"));
  Attributes options;
  if (r.text("approximate", "none") == "tanh") options.emplace("approximate", int64_t{1});
  r.finish_emit("GELU", {r.in(0)}, std::move(options));
  return true;
}

// Composed to be along the last axis.
Result<bool> softmax(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  r.finish_emit("SOFTMAX", {r.in(0)}, {{"beta", 1.0F}});
  return true;
}
Result<bool> log_softmax(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "fcC"));
  r.finish_emit("LOG_SOFTMAX", {r.in(0)});
  return true;
}

Result<bool> mod(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "fil"));
  r.finish_emit("FLOOR_MOD", {r.in(0), r.in(1)});
  return true;
}

Result<bool> where(Lower& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_type(r.in(1), "filbcCsI"));
  r.finish_emit("SELECT_V2", {r.in(0), r.in(1), r.in(2)});
  return true;
}

Result<bool> cast(Lower& r) {
  OREE_TRY(r.want(1));
  ValueId x = r.in(0);
  if (r.constant_of(x).has_value() && r.dtype(x) == Dtype::kFloat16 && r.dtype(r.out()) == Dtype::kFloat32) {
    r.finish_emit("DEQUANTIZE", {x});  // as engines know weights of 16 bits
    return true;
  }
  OREE_TRY(r.want_type(x, "filbcCshISd"));
  OREE_TRY(r.want_type(r.out(), "filbcCshISd"));
  OREE_TRY(r.want_plain());
  r.finish_emit("CAST", {x},
                {{"in_data_type", int64_t{tflite_type_code(*r.dtype(x))}},
                 {"out_data_type", int64_t{tflite_type_code(*r.dtype(r.out()))}}});
  return true;
}

// The integers with the scale and zero point that a node gives as operands: those are theirs, or become theirs.
// Constants that stand for other reals elsewhere are copied.
Result<ValueId> agreed(Lower& r, ValueId integers) {
  std::optional<Quantization> q = parameters_of(r.graph(), r.node());
  if (!q) return r.unsupported("a scale that is no constant, or that of a block");
  std::optional<Quantization> held = r.value(integers).quantization;
  if (held && (held->scales != q->scales || held->zero_points != q->zero_points)) {
    std::optional<Constant> constant = r.constant_of(integers);
    if (!constant) return r.unsupported("integers that stand for other reals elsewhere");
    integers = r.constant(*constant, r.value(integers).name);
    held.reset();
  }
  if (!held) r.graph().set_quantization(integers, std::move(q));
  return integers;
}

Result<bool> quantize(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "fcCsi"));
  OREE_TRY(r.want_type(r.out(), "cCsi"));
  OREE_TRY(agreed(r, r.out()));
  if (!r.is_float(r.in(0)) && !r.value(r.in(0)).quantization) return r.unsupported("integers without a scale");
  r.finish_emit("QUANTIZE", {r.in(0)});
  return true;
}

Result<bool> dequantize(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "cCsn"));
  OREE_TRY(r.want_type(r.out(), "f"));
  OREE_TRY_ASSIGN(ValueId integers, agreed(r, r.in(0)));
  r.finish_emit("DEQUANTIZE", {integers});
  return true;
}

Result<bool> identity(Lower& r) {
  OREE_TRY(r.want(1));
  // Nothing to compute, but an output that is also an input or a constant needs a tensor of its own.
  if (r.value(r.in(0)).quantization != r.value(r.out()).quantization) {
    r.finish_emit("QUANTIZE", {r.in(0)});
    return true;
  }
  const Dims dims = *r.dims(r.out());
  std::vector<int64_t> shape;
  for (const Dim& d : dims) shape.push_back(d.known() ? d.size : -1);
  if (std::ranges::count(shape, -1) > 1) {
    r.finish_emit("RESHAPE", {r.in(0), r.as_int32(r.add("Shape", {r.in(0)}))});
    return true;
  }
  if (shape.empty()) {
    r.finish_emit("RESHAPE", {r.in(0)}, {{"new_shape", shape}});
  } else {
    r.finish_emit("RESHAPE", {r.in(0), r.int32s(shape)}, {{"new_shape", shape}});
  }
  return true;
}

Result<bool> bitwise_xor(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "icCsIS"));
  r.finish_emit("BITWISE_XOR", {r.in(0), r.in(1)});
  return true;
}

Result<bool> bit_shift(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_type(r.in(0), "icCsIS"));
  if (r.text("direction", "") != "RIGHT") return r.unsupported("a shift to the left");
  r.finish_emit("RIGHT_SHIFT", {r.in(0), r.in(1)});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Abs", plain},
    {"Add", add},
    {"And", plain},
    {"BitShift", bit_shift},
    {"BitwiseXor", bitwise_xor},
    {"Cast", cast},
    {"Ceil", plain},
    {"Clip", clip},
    {"Cos", plain},
    {"DequantizeLinear", dequantize},
    {"Div", div},
    {"Elu", elu},
    {"Equal", plain},
    {"Exp", plain},
    {"Floor", plain},
    {"Gelu", gelu},
    {"Greater", plain},
    {"GreaterOrEqual", plain},
    {"HardSwish", plain},
    {"Identity", identity},
    {"LeakyRelu", leaky_relu},
    {"Less", plain},
    {"LessOrEqual", plain},
    {"Log", plain},
    {"LogSoftmax", log_softmax},
    {"Max", plain},
    {"Min", plain},
    {"Mod", mod},
    {"Mul", mul},
    {"Neg", plain},
    {"Not", plain},
    {"Or", plain},
    {"PRelu", plain},
    {"Pow", plain},
    {"QuantizeLinear", quantize},
    {"Relu", plain},
    {"Round", plain},
    {"Sigmoid", plain},
    {"Sign", plain},
    {"Sin", plain},
    {"Softmax", softmax},
    {"Sqrt", plain},
    {"Sum", add_n},
    {"Sub", sub},
    {"Tanh", plain},
    {"Where", where},
    {"Xor", plain},
};

}  // namespace

std::span<const LowerEntry> lower_elementwise() { return kEntries; }

}  // namespace oree
