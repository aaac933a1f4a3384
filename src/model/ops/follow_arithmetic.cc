// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "model/ops/follow.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

bool symbol(const SymInt& a) { return !a.value && !a.symbol.empty(); }
bool alike(const SymInt& a, const SymInt& b) { return (a.value || symbol(a)) && a == b; }
SymInt number(std::optional<int64_t> value) { return value ? SymInt(*value) : SymInt(); }

SymInt add(const SymInt& a, const SymInt& b) {
  if (a.value == 0) return b;
  if (b.value == 0) return a;
  return a.value && b.value ? number(sum(*a.value, *b.value)) : SymInt();
}

SymInt subtract(const SymInt& a, const SymInt& b) {
  if (b.value == 0) return a;
  if (alike(a, b)) return 0;
  int64_t out;
  if (!a.value || !b.value || __builtin_sub_overflow(*a.value, *b.value, &out)) return {};
  return out;
}

SymInt multiply(const SymInt& a, const SymInt& b) {
  if (a.value == 0 || b.value == 0) return 0;
  if (a.value == 1) return b;
  if (b.value == 1) return a;
  return a.value && b.value ? number(product(*a.value, *b.value)) : SymInt();
}

SymInt divide(const SymInt& a, const SymInt& b) {  // rounds towards 0, as ONNX's Div of integers does
  if (b.value == 1) return a;
  if (!a.value || !b.value || *b.value == 0 || *b.value == -1) return {};
  return *a.value / *b.value;
}

SymInt modulo(const SymInt& a, const SymInt& b) {  // of the divisor's sign, as in Python
  if (!a.value || !b.value || *b.value == 0 || *b.value == -1) return {};
  int64_t r = *a.value % *b.value;
  return r != 0 && (r < 0) != (*b.value < 0) ? r + *b.value : r;
}

SymInt smaller(const SymInt& a, const SymInt& b) {
  if (alike(a, b)) return a;
  return a.value && b.value ? SymInt(std::min(*a.value, *b.value)) : SymInt();
}

SymInt larger(const SymInt& a, const SymInt& b) {
  if (alike(a, b)) return a;
  // A dimension is never below 0.
  if (symbol(a) && b.value && *b.value <= 0) return a;
  if (symbol(b) && a.value && *a.value <= 0) return b;
  return a.value && b.value ? SymInt(std::max(*a.value, *b.value)) : SymInt();
}

SymInt equal(const SymInt& a, const SymInt& b) {
  if (alike(a, b)) return 1;
  if ((symbol(a) && b.value && *b.value < 0) || (symbol(b) && a.value && *a.value < 0)) return 0;
  return a.value && b.value ? SymInt(*a.value == *b.value) : SymInt();
}

template <typename Compare>
SymInt compare(const SymInt& a, const SymInt& b) {
  return a.value && b.value ? SymInt(Compare()(*a.value, *b.value)) : SymInt();
}

SymInt both(const SymInt& a, const SymInt& b) {
  if (a.value == 0 || b.value == 0) return 0;
  return a.value && b.value ? SymInt(1) : SymInt();
}

SymInt either(const SymInt& a, const SymInt& b) {
  if ((a.value && *a.value != 0) || (b.value && *b.value != 0)) return 1;
  return a.value && b.value ? SymInt(0) : SymInt();
}

using OnInts = SymInt (*)(const SymInt&, const SymInt&);
using OnReals = double (*)(double, double);
struct Binary {
  OnInts ints;
  OnReals reals;  // nullptr: not followed
};

const std::map<std::string_view, Binary>& binaries() {
  static const std::map<std::string_view, Binary> table = {
      {"Add", {add, [](double a, double b) { return a + b; }}},
      {"And", {both, nullptr}},
      {"Div", {divide, [](double a, double b) { return a / b; }}},
      {"Equal", {equal, nullptr}},
      {"Greater", {compare<std::greater<>>, nullptr}},
      {"GreaterOrEqual", {compare<std::greater_equal<>>, nullptr}},
      {"Less", {compare<std::less<>>, nullptr}},
      {"LessOrEqual", {compare<std::less_equal<>>, nullptr}},
      {"Max", {larger, [](double a, double b) { return std::max(a, b); }}},
      {"Min", {smaller, [](double a, double b) { return std::min(a, b); }}},
      {"Mod", {modulo, nullptr}},
      {"Mul", {multiply, [](double a, double b) { return a * b; }}},
      {"Or", {either, nullptr}},
      {"Sub", {subtract, [](double a, double b) { return a - b; }}},
      {"Sum", {add, [](double a, double b) { return a + b; }}},
  };
  return table;
}

void follow_binary(Inference& in, const Binary& op) {
  std::optional<Shape> shape = small_output(in, 0);
  if (!shape) return;
  std::optional<SymInts> ints;
  std::optional<std::vector<double>> reals;
  for (size_t i = 0; i < in.inputs(); ++i) {
    std::optional<SmallTensor> x = small_input(in, i);
    if (!x || (i > 0 && x->ints.has_value() != ints.has_value())) return;
    std::vector<size_t> places = broadcast_places(x->shape, *shape);
    if (i == 0) {
      if (x->ints) ints.emplace(places.size());
      if (x->reals) reals.emplace(places.size());
    }
    if (places.size() != (ints ? ints->size() : reals->size())) return;
    for (size_t k = 0; k < places.size(); ++k) {
      if (ints) (*ints)[k] = i == 0 ? (*x->ints)[places[k]] : op.ints((*ints)[k], (*x->ints)[places[k]]);
      if (!reals || (i > 0 && op.reals == nullptr)) continue;
      (*reals)[k] = i == 0 ? (*x->reals)[places[k]] : op.reals((*reals)[k], (*x->reals)[places[k]]);
    }
  }
  if (ints) give(in, 0, *std::move(ints));
  if (reals && op.reals != nullptr) give(in, 0, *std::move(reals));
}

struct Unary {
  SymInt (*ints)(const SymInt&);
  double (*reals)(double);
};

const std::map<std::string_view, Unary>& unaries() {
  static const std::map<std::string_view, Unary> table = {
      {"Abs", {[](const SymInt& a) { return larger(a, subtract(0, a)); }, [](double a) { return std::abs(a); }}},
      {"Ceil", {nullptr, [](double a) { return std::ceil(a); }}},
      {"Floor", {nullptr, [](double a) { return std::floor(a); }}},
      {"Neg", {[](const SymInt& a) { return subtract(0, a); }, [](double a) { return -a; }}},
      {"Not", {[](const SymInt& a) { return a.value ? SymInt(*a.value == 0) : SymInt(); }, nullptr}},
      {"Reciprocal", {nullptr, [](double a) { return 1 / a; }}},
      {"Round", {nullptr, [](double a) { return std::nearbyint(a); }}},
      {"Sqrt", {nullptr, [](double a) { return std::sqrt(a); }}},
  };
  return table;
}

void follow_unary(Inference& in, const Unary& op) {
  std::optional<SmallTensor> x = small_input(in, 0);
  if (!x) return;
  if (x->ints && op.ints != nullptr) {
    std::ranges::transform(*x->ints, x->ints->begin(), op.ints);
    give(in, 0, *std::move(x->ints));
  } else if (x->reals && op.reals != nullptr) {
    std::ranges::transform(*x->reals, x->reals->begin(), op.reals);
    give(in, 0, *std::move(x->reals));
  }
}

void follow_where(Inference& in) {
  std::optional<SmallTensor> condition = small_input(in, 0), a = small_input(in, 1), b = small_input(in, 2);
  std::optional<Shape> shape = small_output(in, 0);
  if (!condition || !condition->ints || !a || !b || !a->ints || !b->ints || !shape) return;
  std::vector<size_t> at = broadcast_places(condition->shape, *shape);
  std::vector<size_t> at_a = broadcast_places(a->shape, *shape), at_b = broadcast_places(b->shape, *shape);
  if (at_a.size() != at.size() || at_b.size() != at.size()) return;
  SymInts out;
  for (size_t i = 0; i < at.size(); ++i) {
    const SymInt& c = (*condition->ints)[at[i]];
    const SymInt &x = (*a->ints)[at_a[i]], &y = (*b->ints)[at_b[i]];
    out.push_back(c.value ? (*c.value != 0 ? x : y) : alike(x, y) ? x : SymInt());
  }
  give(in, 0, std::move(out));
}

// Of all elements; exporters reduce nothing else on the way to a shape.
void follow_reduction(Inference& in, OnInts op, int64_t start) {
  std::optional<SmallTensor> x = small_input(in, 0);
  std::optional<Shape> shape = small_output(in, 0);
  if (!x || !x->ints || !shape || shape_elements(*shape).value() != 1 || (x->ints->empty() && start < 0)) return;
  if (in.node().integer("noop_with_empty_axes", 0) != 0 && x->ints->size() != 1) return;
  SymInt out = x->ints->empty() ? SymInt(start) : (*x->ints)[0];
  for (size_t i = 1; i < x->ints->size(); ++i) out = op(out, (*x->ints)[i]);
  give(in, 0, SymInts{out});
}

}  // namespace

bool follow_arithmetic(Inference& in) {
  const std::string& op = in.node().op;
  if (auto it = binaries().find(op); it != binaries().end()) {
    follow_binary(in, it->second);
  } else if (auto unary = unaries().find(op); unary != unaries().end()) {
    follow_unary(in, unary->second);
  } else if (op == "Where") {
    follow_where(in);
  } else if (op == "ReduceProd") {
    follow_reduction(in, multiply, 1);
  } else if (op == "ReduceSum") {
    follow_reduction(in, add, 0);
  } else if (op == "ReduceMax") {
    follow_reduction(in, larger, -1);
  } else if (op == "ReduceMin") {
    follow_reduction(in, smaller, -1);
  } else {
    return false;
  }
  return true;
}

}  // namespace oree
