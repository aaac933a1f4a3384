// SPDX-License-Identifier: Apache-2.0
// Operators that compute each element by itself, and softmax.
#include <algorithm>
#include <cmath>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// TFLite's operator is ONNX's, quantized or not.
template <size_t kInputs>
Status same(Raise& r, const char* op) {
  OREE_TRY(r.want(kInputs));
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < kInputs; ++i) inputs.push_back(r.in(i));
  r.finish(op, std::move(inputs));
  return {};
}

Status add(Raise& r) { return same<2>(r, "Add"); }
Status sub(Raise& r) { return same<2>(r, "Sub"); }
Status mul(Raise& r) { return same<2>(r, "Mul"); }
Status div(Raise& r) { return same<2>(r, "Div"); }
Status maximum(Raise& r) { return same<2>(r, "Max"); }
Status minimum(Raise& r) { return same<2>(r, "Min"); }
Status pow(Raise& r) { return same<2>(r, "Pow"); }
Status equal(Raise& r) { return same<2>(r, "Equal"); }
Status less(Raise& r) { return same<2>(r, "Less"); }
Status less_equal(Raise& r) { return same<2>(r, "LessOrEqual"); }
Status greater(Raise& r) { return same<2>(r, "Greater"); }
Status greater_equal(Raise& r) { return same<2>(r, "GreaterOrEqual"); }
Status logical_and(Raise& r) { return same<2>(r, "And"); }
Status logical_or(Raise& r) { return same<2>(r, "Or"); }
Status logical_not(Raise& r) { return same<1>(r, "Not"); }
Status abs(Raise& r) { return same<1>(r, "Abs"); }
Status neg(Raise& r) { return same<1>(r, "Neg"); }
Status exp(Raise& r) { return same<1>(r, "Exp"); }
Status log(Raise& r) { return same<1>(r, "Log"); }
Status sqrt(Raise& r) { return same<1>(r, "Sqrt"); }
Status sin(Raise& r) { return same<1>(r, "Sin"); }
Status cos(Raise& r) { return same<1>(r, "Cos"); }
Status floor(Raise& r) { return same<1>(r, "Floor"); }
Status ceil(Raise& r) { return same<1>(r, "Ceil"); }
Status round(Raise& r) { return same<1>(r, "Round"); }
Status sign(Raise& r) { return same<1>(r, "Sign"); }
Status relu(Raise& r) { return same<1>(r, "Relu"); }
Status tanh(Raise& r) { return same<1>(r, "Tanh"); }
Status logistic(Raise& r) { return same<1>(r, "Sigmoid"); }
Status elu(Raise& r) { return same<1>(r, "Elu"); }
Status hard_swish(Raise& r) { return same<1>(r, "HardSwish"); }

// Slopes get the rank of the operand: then they follow its layout.
Status prelu(Raise& r) {
  OREE_TRY(r.want(2));
  std::optional<Shape> slopes = r.shape(r.in(1));
  std::optional<size_t> rank = r.rank(r.in(0));
  ValueId slope = r.in(1);
  if (slopes && rank && slopes->size() < *rank) {
    slopes->insert(slopes->begin(), *rank - slopes->size(), 1);
    slope = r.reshape(slope, *slopes);
  }
  r.finish("PRelu", {r.in(0), slope});
  return {};
}

Status add_n(Raise& r) {
  OREE_TRY(r.want(1));
  r.finish("Sum", r.node().inputs);
  return {};
}

Status not_equal(Raise& r) {
  OREE_TRY(r.want(2));
  r.finish("Not", {r.add("Equal", {r.in(0), r.in(1)})});
  return {};
}

Status squared_difference(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  ValueId d = r.add("Sub", {r.in(0), r.in(1)});
  r.finish("Mul", {d, d});
  return {};
}

Status square(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  r.finish("Mul", {r.in(0), r.in(0)});
  return {};
}

Status rsqrt(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  r.finish("Reciprocal", {r.add("Sqrt", {r.in(0)})});
  return {};
}

// The angle of (x, y), by quadrant.
Status atan2(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  constexpr double kPi = 3.14159265358979323846;
  ValueId y = r.in(0), x = r.in(1), zero = r.number_like(x, 0);
  ValueId half_turn = r.add("Where", {r.add("Less", {y, zero}), r.number_like(x, -kPi), r.number_like(x, kPi)});
  ValueId turn = r.add("Where", {r.add("Less", {x, zero}), half_turn, zero});
  ValueId sloped = r.add("Add", {r.add("Atan", {r.add("Div", {y, x})}), turn});
  ValueId upright = r.add("Mul", {r.add("Sign", {y}), r.number_like(x, kPi / 2)});
  r.finish("Where", {r.add("Equal", {x, zero}), upright, sloped});
  return {};
}

Status right_shift(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  std::optional<Dtype> dtype = r.dtype(r.in(0));
  if (!dtype || (*dtype != Dtype::kUint8 && *dtype != Dtype::kUint16 && *dtype != Dtype::kUint32)) {
    return r.unsupported("a shift of signed integers");
  }
  r.finish("BitShift", {r.in(0), r.in(1)}, {{"direction", std::string("RIGHT")}});
  return {};
}

// Towards minus infinity; ONNX's Div of integers goes towards zero.
Status floor_div(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  if (r.is_float(r.in(0))) {
    r.finish("Floor", {r.add("Div", {r.in(0), r.in(1)})});
    return {};
  }
  ValueId rest = r.add("Mod", {r.in(0), r.in(1)});
  r.finish("Div", {r.add("Sub", {r.in(0), rest}), r.in(1)});
  return {};
}

// With the sign of the divisor, as ONNX's Mod of integers; its Mod of floats has that of the dividend.
Status floor_mod(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(r.want_plain());
  if (!r.is_float(r.in(0))) return same<2>(r, "Mod");
  ValueId zero = r.number_like(r.in(0), 0);
  ValueId rest = r.add("Mod", {r.in(0), r.in(1)}, {{"fmod", int64_t{1}}});
  ValueId apart = r.add("Xor", {r.add("Less", {rest, zero}), r.add("Less", {r.in(1), zero})});
  ValueId wrong = r.add("And", {r.add("Not", {r.add("Equal", {rest, zero})}), apart});
  r.finish("Where", {wrong, r.add("Add", {rest, r.in(1)}), rest});
  return {};
}

// Between two reals; the bounds of a quantized value are quantized as it is.
Status clip(Raise& r, double low, double high) {
  OREE_TRY(r.want(1));
  r.finish("Clip", {r.in(0), r.bound(r.out(), low), r.bound(r.out(), high)});
  return {};
}
Status relu6(Raise& r) { return clip(r, 0, 6); }
Status relu_n1_to_1(Raise& r) { return clip(r, -1, 1); }
Status relu_0_to_1(Raise& r) { return clip(r, 0, 1); }

Status leaky_relu(Raise& r) {
  OREE_TRY(r.want(1));
  r.finish("LeakyRelu", {r.in(0)}, {{"alpha", r.real_option("alpha")}});
  return {};
}

Status gelu(Raise& r) {
  OREE_TRY(r.want(1));
  Attributes attributes;
  if (r.flag("approximate")) attributes.emplace("approximate", std::string("tanh"));
  r.finish("Gelu", {r.in(0)}, std::move(attributes));
  return {};
}

Status softmax(Raise& r) {
  OREE_TRY(r.want(1));
  float beta = r.real_option("beta");
  ValueId x = r.in(0);
  if (beta != 1) {
    OREE_TRY(r.want_plain());
    x = r.add("Mul", {x, r.number_like(x, static_cast<double>(beta))});
  }
  r.finish("Softmax", {x});
  return {};
}

Status log_softmax(Raise& r) { return same<1>(r, "LogSoftmax"); }

// SELECT takes a condition of rank 1 for whole slices of the first axis; SELECT_V2 broadcasts.
Status select(Raise& r) {
  OREE_TRY(r.want(3));
  ValueId condition = r.in(0);
  OREE_TRY_ASSIGN(size_t condition_rank, r.known_rank(condition));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(1)));
  if (r.node().op == "SELECT" && condition_rank == 1 && rank > 1) {
    Ints shape(rank, 1);
    shape[0] = -1;
    condition = r.reshape(condition, shape);
  }
  r.finish("Where", {condition, r.in(1), r.in(2)});
  return {};
}

Status cast(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  std::optional<Dtype> to = r.dtype(r.out());
  if (!to) return r.unsupported("the type of its output is not known");
  r.finish("Cast", {r.in(0)}, NodeRewrite::cast_to(*to));
  return {};
}

Tensor zero_points(const Quantization& q, Dtype dtype) {
  bool many = q.per_axis();
  Tensor bytes(dtype_bits(dtype) == 4 ? (dtype == Dtype::kInt4 ? Dtype::kInt8 : Dtype::kUint8) : dtype,
               many ? Shape{static_cast<int64_t>(q.zero_points.size())} : Shape{});
  for (size_t i = 0; i < q.zero_points.size(); ++i) {
    // Little-endian: the low bytes of the number are the number.
    std::copy_n(reinterpret_cast<const uint8_t*>(&q.zero_points[i]), dtype_size(bytes.dtype()),
                bytes.data() + i * dtype_size(bytes.dtype()));
  }
  return bytes;
}

// The scale and zero point of a quantized value, as inputs of (De)quantizeLinear.
Status add_parameters(Raise& r, ValueId quantized, std::vector<ValueId>& inputs, Attributes& attributes) {
  const Value& v = r.value(quantized);
  if (!v.quantization || !v.dtype) return r.unsupported("its integers have no scale");
  if (dtype_bits(*v.dtype) == 4) return r.unsupported("4-bit integers to reals");
  Quantization q = *v.quantization;
  Shape shape = q.per_axis() ? Shape{static_cast<int64_t>(q.scales.size())} : Shape{};
  Dtype dtype = *v.dtype;
  inputs.push_back(r.constant(Constant::of_floats(q.scales, shape), "scale"));
  inputs.push_back(r.constant(Constant(zero_points(q, dtype)), "zero_point"));
  if (q.per_axis()) attributes.emplace("axis", int64_t{q.axis});
  return {};
}

Status dequantize(Raise& r) {
  OREE_TRY(r.want(1));
  if (r.is_float(r.in(0))) {
    r.finish("Cast", {r.in(0)}, NodeRewrite::cast_to(Dtype::kFloat32));
    return {};
  }
  std::vector<ValueId> inputs{r.in(0)};
  Attributes attributes;
  OREE_TRY(add_parameters(r, r.in(0), inputs, attributes));
  r.finish("DequantizeLinear", std::move(inputs), std::move(attributes));
  return {};
}

// Also from integers to integers of another scale: QuantizeLinear of a quantized value takes the reals that it stands
// for.
Status quantize(Raise& r) {
  OREE_TRY(r.want(1));
  std::vector<ValueId> inputs{r.in(0)};
  Attributes attributes;
  OREE_TRY(add_parameters(r, r.out(), inputs, attributes));
  r.finish("QuantizeLinear", std::move(inputs), std::move(attributes));
  return {};
}

// What training leaves behind: reals rounded to the steps of a quantization that is shifted until zero is a step.
Status fake_quant(Raise& r) {
  OREE_TRY(r.want(1));
  auto min = static_cast<double>(r.real_option("min")), max = static_cast<double>(r.real_option("max"));
  int64_t bits = r.option("num_bits");
  if (bits < 2 || bits > 16 || !(min <= 0) || !(max >= 0) || !(max > min))
    return r.invalid("a range or width that is none");
  float steps = static_cast<float>(std::exp2(bits) - 1), low = r.flag("narrow_range") ? 1.0F : 0.0F;
  float scale = (static_cast<float>(max) - static_cast<float>(min)) / (steps - low);
  float zero = std::clamp(std::round(low - static_cast<float>(min) / scale), low, steps);
  float bottom = (low - zero) * scale, top = (steps - zero) * scale;
  auto number = [&](float v) { return r.number_like(r.in(0), static_cast<double>(v)); };
  ValueId shifted = r.add("Sub", {r.add("Clip", {r.in(0), number(bottom), number(top)}), number(bottom)});
  ValueId nearest = r.add("Floor", {r.add("Add", {r.add("Mul", {shifted, number(1.0F / scale)}), number(0.5F)})});
  r.finish("Add", {r.add("Mul", {nearest, number(scale)}), number(bottom)});
  return {};
}

Status bitwise_xor(Raise& r) { return same<2>(r, r.dtype(r.in(0)) == Dtype::kBool ? "Xor" : "BitwiseXor"); }

constexpr RaiseEntry kEntries[] = {
    {"ADD", add},
    {"SUB", sub},
    {"MUL", mul},
    {"DIV", div},
    {"MAXIMUM", maximum},
    {"MINIMUM", minimum},
    {"POW", pow},
    {"ADD_N", add_n},
    {"EQUAL", equal},
    {"NOT_EQUAL", not_equal},
    {"LESS", less},
    {"LESS_EQUAL", less_equal},
    {"GREATER", greater},
    {"GREATER_EQUAL", greater_equal},
    {"LOGICAL_AND", logical_and},
    {"LOGICAL_OR", logical_or},
    {"LOGICAL_NOT", logical_not},
    {"BITWISE_XOR", bitwise_xor},
    {"SQUARED_DIFFERENCE", squared_difference},
    {"SQUARE", square},
    {"ATAN2", atan2},
    {"RIGHT_SHIFT", right_shift},
    {"RSQRT", rsqrt},
    {"FLOOR_DIV", floor_div},
    {"FLOOR_MOD", floor_mod},
    {"ABS", abs},
    {"NEG", neg},
    {"EXP", exp},
    {"LOG", log},
    {"SQRT", sqrt},
    {"SIN", sin},
    {"COS", cos},
    {"FLOOR", floor},
    {"CEIL", ceil},
    {"ROUND", round},
    {"SIGN", sign},
    {"RELU", relu},
    {"RELU6", relu6},
    {"RELU_N1_TO_1", relu_n1_to_1},
    {"RELU_0_TO_1", relu_0_to_1},
    {"LEAKY_RELU", leaky_relu},
    {"PRELU", prelu},
    {"ELU", elu},
    {"HARD_SWISH", hard_swish},
    {"GELU", gelu},
    {"TANH", tanh},
    {"LOGISTIC", logistic},
    {"SOFTMAX", softmax},
    {"LOG_SOFTMAX", log_softmax},
    {"SELECT", select},
    {"SELECT_V2", select},
    {"CAST", cast},
    {"DEQUANTIZE", dequantize},
    {"QUANTIZE", quantize},
    {"FAKE_QUANT", fake_quant},
};

}  // namespace

std::span<const RaiseEntry> raise_elementwise() { return kEntries; }

}  // namespace oree
