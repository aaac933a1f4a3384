// SPDX-License-Identifier: Apache-2.0
// Matrix products in the forms that TFLite has.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Result<bool> gemm(Lower& r) {
  OREE_TRY(r.want(2));
  float alpha = r.real("alpha", 1), beta = r.real("beta", 1);
  bool columns = r.integer("transA", 0) != 0;
  if (alpha == 1 && (beta == 1 || !r.has(2)) && !columns) return false;
  if (alpha != 1 || beta != 1) OREE_TRY(r.want_plain());
  auto scaled = [&](ValueId v, float factor) -> ValueId {
    if (factor == 1) return v;
    std::optional<Constant> c = r.constant_of(v);
    if (c && c->dtype() == Dtype::kFloat32) {
      Tensor t = c->to_tensor();
      for (float& x : t.as<float>()) x *= factor;
      return r.constant(Constant(std::move(t)), r.value(v).name);
    }
    return r.add("Mul", {v, r.number_like(v, static_cast<double>(factor))});
  };
  ValueId a = columns ? r.transposed_last_two(r.in(0)) : r.in(0);
  bool weights = r.constant_of(r.in(1)).has_value();
  ValueId b = weights ? scaled(r.in(1), alpha) : r.in(1);
  if (!weights) a = scaled(a, alpha);
  std::vector<ValueId> inputs{a, b};
  if (r.has(2) && beta != 0) inputs.push_back(scaled(r.in(2), beta));
  Attributes attributes = r.node().attributes;
  for (const char* done : {"alpha", "beta", "transA"}) attributes.erase(done);
  r.finish("Gemm", std::move(inputs), std::move(attributes));
  return true;
}

// A vector is a matrix of one row, or of one column.
Result<bool> matmul(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(size_t a_rank, r.known_rank(r.in(0)));
  OREE_TRY_ASSIGN(size_t b_rank, r.known_rank(r.in(1)));
  if (a_rank > 1 && b_rank > 1) return false;
  OREE_TRY(r.want_plain());
  ValueId a = r.in(0), b = r.in(1);
  Ints gone;
  if (a_rank == 1) {
    a = r.add("Unsqueeze", {a, r.ints_constant({0})});
    gone.push_back(-2);
  }
  if (b_rank == 1) {
    b = r.add("Unsqueeze", {b, r.ints_constant({1})});
    gone.push_back(-1);
  }
  r.finish("Squeeze", {r.add("MatMul", {a, b}), r.ints_constant(gone)});
  return true;
}

// --- Einsum of one or two operands without repeated letters within one of them
struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

Result<Equation> parse(const Lower& r) {
  Equation e;
  std::string text;
  for (char c : r.text("equation", "")) {
    if (c != ' ') text += c;
  }
  if (text.find('.') != std::string::npos) return r.unsupported("an ellipsis");
  size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  for (size_t at = 0; at <= left.size();) {
    size_t comma = std::min(left.find(',', at), left.size());
    e.inputs.push_back(left.substr(at, comma - at));
    at = comma + 1;
  }
  if (arrow != std::string::npos) {
    e.output = text.substr(arrow + 2);
  } else {
    std::string letters = left;
    std::ranges::sort(letters);
    for (char c : letters) {
      if (c != ',' && std::ranges::count(letters, c) == 1) e.output += c;
    }
  }
  for (const std::string& s : e.inputs) {
    for (char c : s) {
      if (std::ranges::count(s, c) > 1) return r.unsupported("a diagonal");
    }
  }
  return e;
}

Ints order_of(const std::string& from, const std::string& to) {
  Ints out;
  for (char c : to) out.push_back(static_cast<int64_t>(from.find(c)));
  return out;
}

// Letters of one operand that nothing else has are summed away.
ValueId summed(Lower& r, ValueId x, std::string& letters, const std::string& needed) {
  Ints axes;
  std::string left;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (needed.find(letters[i]) == std::string::npos) {
      axes.push_back(static_cast<int64_t>(i));
    } else {
      left += letters[i];
    }
  }
  letters = left;
  return axes.empty() ? x : r.add("ReduceSum", {x, r.ints_constant(axes)}, {{"keepdims", int64_t{0}}});
}

Result<bool> einsum(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(Equation e, parse(r));
  if (e.inputs.size() != r.node().inputs.size() || e.inputs.size() > 2) {
    return r.unsupported(fmt::format("{} operands", r.node().inputs.size()));
  }
  for (size_t i = 0; i < e.inputs.size(); ++i) {
    OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(i)));
    if (rank != e.inputs[i].size()) return r.invalid("its equation does not fit its operands");
  }
  if (e.inputs.size() == 1) {
    ValueId x = summed(r, r.in(0), e.inputs[0], e.output);
    r.finish("Transpose", {x}, {{"perm", order_of(e.inputs[0], e.output)}});
    return true;
  }
  ValueId a = summed(r, r.in(0), e.inputs[0], e.inputs[1] + e.output);
  ValueId b = summed(r, r.in(1), e.inputs[1], e.inputs[0] + e.output);
  std::string batch, rows, columns, both;
  for (char c : e.inputs[0]) {
    bool in_b = e.inputs[1].find(c) != std::string::npos, in_out = e.output.find(c) != std::string::npos;
    (in_b && in_out ? batch : in_b ? both : rows) += c;
  }
  for (char c : e.inputs[1]) {
    if (e.inputs[0].find(c) == std::string::npos) columns += c;
  }
  std::optional<Shape> a_shape = r.shape(a), b_shape = r.shape(b);
  if (!a_shape || !b_shape) return r.unsupported("operands of unknown shape");
  auto sizes = [&](const std::string& letters) {
    Ints out;
    for (char c : letters) {
      size_t at = e.inputs[0].find(c);
      out.push_back(at != std::string::npos ? (*a_shape)[at] : (*b_shape)[e.inputs[1].find(c)]);
    }
    return out;
  };
  auto product = [](const Ints& v) {
    int64_t p = 1;
    for (int64_t x : v) p *= x;
    return p;
  };
  // [batch…, rows, both] times [batch…, both, columns].
  Ints head = sizes(batch);
  auto folded = [&](ValueId x, const std::string& letters, const std::string& first, const std::string& second) {
    Ints shape = head;
    shape.push_back(product(sizes(first)));
    shape.push_back(product(sizes(second)));
    return r.reshape(r.permute(x, order_of(letters, batch + first + second)), shape);
  };
  ValueId y = r.add("MatMul", {folded(a, e.inputs[0], rows, both), folded(b, e.inputs[1], both, columns)});
  std::string made = batch + rows + columns;
  Ints order = order_of(made, e.output);
  r.finish("Transpose", {r.reshape(y, sizes(made))}, {{"perm", order}});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Einsum", einsum},
    {"Gemm", gemm},
    {"MatMul", matmul},
};

}  // namespace

std::span<const LowerEntry> compose_linear() { return kEntries; }

}  // namespace oree
