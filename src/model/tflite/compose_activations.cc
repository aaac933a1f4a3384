// SPDX-License-Identifier: Apache-2.0
// Elementwise operators that TFLite lacks, from those that it has.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/tflite/lower.h"

namespace oree {
namespace {

// A float operator of one operand as an expression of it.
class Expression {
 public:
  explicit Expression(Lower& r) : r_(r), x_(r.in(0)) {}
  ValueId x() const { return x_; }
  ValueId number(double v) { return r_.number_like(x_, v); }
  ValueId op(std::string_view name, std::vector<ValueId> inputs) { return r_.add(name, std::move(inputs)); }
  ValueId add(ValueId a, ValueId b) { return op("Add", {a, b}); }
  ValueId sub(ValueId a, ValueId b) { return op("Sub", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
  ValueId div(ValueId a, ValueId b) { return op("Div", {a, b}); }
  // With a number; not overloads of the above, to which a plain 1 is a value's id.
  ValueId plus(ValueId a, double b) { return add(a, number(b)); }
  ValueId minus(ValueId a, double b) { return sub(a, number(b)); }
  ValueId times(ValueId a, double b) { return mul(a, number(b)); }
  ValueId unary(std::string_view name, ValueId a) { return op(name, {a}); }
  ValueId square(ValueId a) { return mul(a, a); }
  ValueId positive() { return op("Greater", {x_, number(0)}); }
  ValueId where(ValueId condition, ValueId a, ValueId b) { return op("Where", {condition, a, b}); }
  // exp(a) - 1 where a is negative, without losing what is small.
  ValueId elu(ValueId a) { return r_.add("Elu", {a}); }

 private:
  Lower& r_;
  ValueId x_;
};

using Formula = ValueId (*)(Expression&, const Lower&);

double real(const Lower& r, std::string_view name, float otherwise) {
  return static_cast<double>(r.real(name, otherwise));
}

ValueId celu(Expression& e, const Lower& r) {
  double alpha = real(r, "alpha", 1);
  return e.where(e.positive(), e.x(), e.times(e.elu(e.times(e.x(), 1 / alpha)), alpha));
}
ValueId selu(Expression& e, const Lower& r) {
  double alpha = real(r, "alpha", 1.67326319217681884765625F), gamma = real(r, "gamma", 1.05070102214813232421875F);
  return e.times(e.where(e.positive(), e.x(), e.times(e.elu(e.x()), alpha)), gamma);
}
ValueId thresholded_relu(Expression& e, const Lower& r) {
  return e.where(e.op("Greater", {e.x(), e.number(real(r, "alpha", 1))}), e.x(), e.number(0));
}
ValueId softsign(Expression& e, const Lower&) { return e.div(e.x(), e.plus(e.unary("Abs", e.x()), 1)); }
// log(1 + exp(x)) such that nothing overflows.
ValueId softplus(Expression& e, const Lower&) {
  ValueId tail = e.unary("Log", e.plus(e.unary("Exp", e.unary("Neg", e.unary("Abs", e.x()))), 1));
  return e.add(e.unary("Relu", e.x()), tail);
}
ValueId mish(Expression& e, const Lower& r) { return e.mul(e.x(), e.unary("Tanh", softplus(e, r))); }
ValueId hard_sigmoid(Expression& e, const Lower& r) {
  ValueId line = e.plus(e.times(e.x(), real(r, "alpha", 0.2F)), real(r, "beta", 0.5F));
  return e.op("Clip", {line, e.number(0), e.number(1)});
}
ValueId shrink(Expression& e, const Lower& r) {
  double lambd = real(r, "lambd", 0.5F), bias = real(r, "bias", 0);
  ValueId above = e.where(e.op("Greater", {e.x(), e.number(lambd)}), e.minus(e.x(), bias), e.number(0));
  return e.where(e.op("Less", {e.x(), e.number(-lambd)}), e.plus(e.x(), bias), above);
}
ValueId swish(Expression& e, const Lower& r) {
  return e.mul(e.x(), e.unary("Sigmoid", e.times(e.x(), real(r, "alpha", 1))));
}
ValueId reciprocal(Expression& e, const Lower&) { return e.div(e.number(1), e.x()); }
ValueId tan(Expression& e, const Lower&) { return e.div(e.unary("Sin", e.x()), e.unary("Cos", e.x())); }
ValueId sinh(Expression& e, const Lower&) {
  return e.times(e.sub(e.unary("Exp", e.x()), e.unary("Exp", e.unary("Neg", e.x()))), 0.5);
}
ValueId cosh(Expression& e, const Lower&) {
  return e.times(e.add(e.unary("Exp", e.x()), e.unary("Exp", e.unary("Neg", e.x()))), 0.5);
}
ValueId asinh(Expression& e, const Lower&) {
  ValueId a = e.unary("Abs", e.x());
  return e.mul(e.unary("Sign", e.x()), e.unary("Log", e.add(a, e.unary("Sqrt", e.plus(e.square(a), 1)))));
}
ValueId acosh(Expression& e, const Lower&) {
  return e.unary("Log", e.add(e.x(), e.unary("Sqrt", e.minus(e.square(e.x()), 1))));
}
ValueId atanh(Expression& e, const Lower&) {
  return e.times(e.unary("Log", e.div(e.plus(e.x(), 1), e.sub(e.number(1), e.x()))), 0.5);
}
// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: within 1.5e-7.
ValueId erf(Expression& e, const Lower&) {
  ValueId a = e.unary("Abs", e.x());
  ValueId t = e.div(e.number(1), e.plus(e.times(a, 0.3275911), 1));
  ValueId sum = e.number(1.061405429);
  for (double c : {-1.453152027, 1.421413741, -0.284496736, 0.254829592}) sum = e.plus(e.mul(sum, t), c);
  ValueId tail = e.mul(e.mul(sum, t), e.unary("Exp", e.unary("Neg", e.square(a))));
  return e.mul(e.unary("Sign", e.x()), e.sub(e.number(1), tail));
}
ValueId is_nan(Expression& e, const Lower&) { return e.unary("Not", e.op("Equal", {e.x(), e.x()})); }
ValueId is_inf(Expression& e, const Lower& r) {
  double inf = std::numeric_limits<double>::infinity();
  bool up = r.integer("detect_positive", 1) != 0, down = r.integer("detect_negative", 1) != 0;
  ValueId found = e.op("Equal", {up && down ? e.unary("Abs", e.x()) : e.x(), e.number(down && !up ? -inf : inf)});
  return up || down ? found : e.op("And", {found, e.unary("Not", found)});
}

struct Named {
  std::string_view op;
  Formula formula;
};
constexpr Named kFormulas[] = {
    {"Acosh", acosh},
    {"Asinh", asinh},
    {"Atanh", atanh},
    {"Celu", celu},
    {"Cosh", cosh},
    {"Erf", erf},
    {"HardSigmoid", hard_sigmoid},
    {"IsInf", is_inf},
    {"IsNaN", is_nan},
    {"Mish", mish},
    {"Reciprocal", reciprocal},
    {"Selu", selu},
    {"Shrink", shrink},
    {"Sinh", sinh},
    {"Softplus", softplus},
    {"Softsign", softsign},
    {"Swish", swish},
    {"Tan", tan},
    {"ThresholdedRelu", thresholded_relu},
};

Result<bool> formula(Lower& r) {
  OREE_TRY(r.want(1));
  if (!r.is_float(r.in(0))) return r.unsupported(fmt::format("of {}", dtype_name(*r.dtype(r.in(0)))));
  OREE_TRY(r.want_plain());
  auto named = std::ranges::find(kFormulas, r.node().op, &Named::op);
  Expression e(r);
  r.finish("Identity", {named->formula(e, r)});
  return true;
}

// TFLite's ELU has no factor.
Result<bool> elu(Lower& r) {
  OREE_TRY(r.want(1));
  double alpha = real(r, "alpha", 1);
  if (alpha == 1) return false;
  OREE_TRY(r.want_plain());
  Expression e(r);
  r.finish("Where", {e.positive(), e.x(), e.times(e.elu(e.x()), alpha)});
  return true;
}

// The angle whose tangent is y / x: TFLite has that of two operands.
Result<bool> arc(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "f"));
  Expression e(r);
  ValueId one = e.number(1);
  ValueId other = r.node().op == "Atan" ? one : e.unary("Sqrt", e.sub(one, e.square(e.x())));
  // ATAN2 does not broadcast.
  if (r.node().op == "Atan") other = r.add("Expand", {one, r.add("Shape", {e.x()})});
  bool cosine = r.node().op == "Acos";
  r.finish_emit("ATAN2", {cosine ? other : e.x(), cosine ? e.x() : other});
  return true;
}

// --- any number of operands: two at a time
Result<bool> chain(Lower& r, std::string_view op) {
  const std::vector<ValueId>& inputs = r.node().inputs;
  if (inputs.empty()) return r.invalid("no inputs");
  if (inputs.size() == 2) return false;
  ValueId sum = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (i + 1 == inputs.size()) {
      r.finish(op, {sum, inputs[i]});
    } else {
      sum = r.add_like(r.out(), op, {sum, inputs[i]});
    }
  }
  if (inputs.size() == 1) r.finish("Identity", {sum});
  return true;
}

Result<bool> sum(Lower& r) {
  OREE_TRY(r.want(1));
  if (r.quantized()) return false;  // ADD_N has its own rounding
  if (r.node().inputs.size() != 2) return chain(r, "Add");
  r.finish("Add", r.node().inputs);
  return true;
}

Result<bool> mean(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  size_t n = r.node().inputs.size();
  ValueId all = r.add("Sum", r.node().inputs);
  r.finish("Div", {all, r.number_like(all, static_cast<double>(n))});
  return true;
}

// --- integers of fewer than 32 bits that are no quantized reals: wide ones, cut again
bool is_small(const Lower& r, ValueId v) {
  std::optional<Dtype> t = r.dtype(v);
  bool small = t == Dtype::kInt8 || t == Dtype::kUint8 || t == Dtype::kInt16 || t == Dtype::kUint16;
  return small && !r.value(v).quantization;
}

Result<bool> widen(Lower& r) {
  OREE_TRY(r.want(1));
  if (std::ranges::none_of(r.node().inputs, [&](ValueId v) { return v != kNoValue && is_small(r, v); })) return false;
  std::vector<ValueId> wide;
  for (ValueId v : r.node().inputs) {
    wide.push_back(v != kNoValue && is_small(r, v) ? r.cast(v, Dtype::kInt32) : v);
  }
  std::optional<Dtype> to = r.dtype(r.out());
  ValueId result = r.add(r.node().op, std::move(wide), r.node().attributes);
  if (r.dtype(result) == to) {
    r.finish("Identity", {result});
  } else {
    r.finish("Cast", {result}, NodeRewrite::cast_to(*to));
  }
  return true;
}

Result<bool> extreme(Lower& r) {
  if (r.node().inputs.size() != 2) return chain(r, r.node().op);
  return widen(r);
}

// The sign is the divisor's in TFLite and with fmod = 0, the dividend's with fmod = 1.
Result<bool> mod(Lower& r) {
  OREE_TRY(r.want(2));
  if (r.integer("fmod", 0) == 0) return widen(r);
  if (is_small(r, r.in(0))) return widen(r);
  OREE_TRY(r.want_type(r.in(0), "fil"));
  // Of magnitudes both are the same.
  ValueId rest =
      r.emit("FLOOR_MOD", {r.add("Abs", {r.in(0)}), r.add("Abs", {r.in(1)})}, {}, *r.dtype(r.out()), *r.dims(r.out()));
  ValueId negative = r.add("Less", {r.in(0), r.number_like(r.in(0), 0)});
  r.finish("Where", {negative, r.add("Neg", {rest}), rest});
  return true;
}

// The exponent may be of another type than the base.
Result<bool> pow(Lower& r) {
  OREE_TRY(r.want(2));
  if (r.dtype(r.in(0)) == r.dtype(r.in(1)) && (r.is_float(r.in(0)) || r.dtype(r.in(0)) == Dtype::kInt32)) {
    if (r.number_of(r.in(1)) == 2.0 && !r.quantized()) {
      r.finish("Mul", {r.in(0), r.in(0)});
      return true;
    }
    return false;
  }
  OREE_TRY(r.want_plain());
  std::optional<Dtype> to = r.dtype(r.in(0));
  ValueId power = r.add("Pow", {r.cast(r.in(0), Dtype::kFloat32), r.cast(r.in(1), Dtype::kFloat32)});
  if (to == Dtype::kFloat32) {
    r.finish("Identity", {power});
  } else if (to == Dtype::kInt32 && r.is_float(r.in(1))) {
    r.finish("Cast", {power}, NodeRewrite::cast_to(*to));
  } else {
    return r.unsupported(fmt::format("of {} and {}", dtype_name(*to), dtype_name(*r.dtype(r.in(1)))));
  }
  return true;
}

Result<bool> div(Lower& r) {
  OREE_TRY(r.want(2));
  return widen(r);
}

Result<bool> cast_like(Lower& r) {
  OREE_TRY(r.want(2));
  r.finish("Cast", {r.in(0)}, NodeRewrite::cast_to(*r.dtype(r.in(1))));
  return true;
}

Result<bool> dropout(Lower& r) {
  OREE_TRY(r.want(1));
  if (r.has(2) && r.number_of(r.in(2)) != 0.0) return r.unsupported("training");
  r.finish("Identity", {r.in(0)});
  if (r.out(1) != kNoValue) {
    Tensor yes(Dtype::kBool, {});
    yes.data()[0] = 1;
    r.finish("Expand", {r.constant(Constant(yes)), r.add("Shape", {r.in(0)})}, {}, 1);
  }
  return true;
}

// TFLite's are along the last axis.
Result<bool> softmax(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank == 0) return r.unsupported("of a scalar");
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), rank));
  if (axis + 1 == rank) return false;
  std::vector<int64_t> order, back(rank);
  for (size_t d = 0; d < rank; ++d) {
    if (d != axis) order.push_back(static_cast<int64_t>(d));
  }
  order.push_back(static_cast<int64_t>(axis));
  for (size_t d = 0; d < rank; ++d) back[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  ValueId y = r.add_like(r.out(), r.node().op, {r.permute(r.in(0), order)}, {{"axis", int64_t{-1}}});
  r.finish("Transpose", {y}, {{"perm", back}});
  return true;
}

Result<bool> hardmax(Lower& r) {
  OREE_TRY(r.want(1));
  std::optional<Shape> shape = r.shape(r.in(0));
  if (!shape || shape->empty()) return r.unsupported("of an unknown shape");
  OREE_TRY_ASSIGN(size_t axis, r.axis(r.integer("axis", -1), shape->size()));
  auto at = static_cast<int64_t>(axis);
  ValueId place = r.add("ArgMax", {r.in(0)}, {{"axis", at}, {"keepdims", int64_t{0}}});
  std::vector<float> pair{0, 1};
  r.finish("OneHot", {place, r.int_constant((*shape)[axis]), r.constant(Constant::of_floats(pair, {2}))},
           {{"axis", at}});
  return true;
}

Result<bool> bitwise_not(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_type(r.in(0), "ilcs"));
  r.finish("Sub", {r.number_like(r.in(0), -1), r.in(0)});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Abs", widen},
    {"Acos", arc},
    {"Acosh", formula},
    {"Add", widen},
    {"Asin", arc},
    {"Asinh", formula},
    {"Atan", arc},
    {"Atanh", formula},
    {"BitwiseNot", bitwise_not},
    {"CastLike", cast_like},
    {"Celu", formula},
    {"Clip", widen},
    {"Cosh", formula},
    {"Div", div},
    {"Dropout", dropout},
    {"Elu", elu},
    {"Equal", widen},
    {"Erf", formula},
    {"Greater", widen},
    {"GreaterOrEqual", widen},
    {"HardSigmoid", formula},
    {"Hardmax", hardmax},
    {"IsInf", formula},
    {"IsNaN", formula},
    {"Less", widen},
    {"LessOrEqual", widen},
    {"LogSoftmax", softmax},
    {"Max", extreme},
    {"Mean", mean},
    {"Min", extreme},
    {"Mish", formula},
    {"Mod", mod},
    {"Mul", widen},
    {"Neg", widen},
    {"Pow", pow},
    {"Reciprocal", formula},
    {"Relu", widen},
    {"Selu", formula},
    {"Shrink", formula},
    {"Sign", widen},
    {"Sinh", formula},
    {"Softmax", softmax},
    {"Softplus", formula},
    {"Softsign", formula},
    {"Sub", widen},
    {"Sum", sum},
    {"Swish", formula},
    {"Tan", formula},
    {"ThresholdedRelu", formula},
};

}  // namespace

std::span<const LowerEntry> compose_activations() { return kEntries; }

}  // namespace oree
