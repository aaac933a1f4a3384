// SPDX-License-Identifier: Apache-2.0
// For tests of kernels: tensors from a few numbers, and one node run through the interpreter.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "model/reference/access.h"
#include "model/reference/interpreter.h"

namespace oree {

inline Tensor tensor_of(Dtype dtype, Shape shape, const std::vector<double>& values) {
  Tensor t(dtype, std::move(shape));
  narrow<double>(values, t);
  return t;
}
inline Tensor floats(Shape shape, const std::vector<double>& values) {
  return tensor_of(Dtype::kFloat32, std::move(shape), values);
}
inline Tensor ints(Shape shape, const std::vector<int64_t>& values) {
  Tensor t(Dtype::kInt64, std::move(shape));
  narrow<int64_t>(values, t);
  return t;
}
inline Tensor list(const std::vector<int64_t>& values) { return ints({static_cast<int64_t>(values.size())}, values); }
inline Tensor bools(Shape shape, const std::vector<double>& values) {
  return tensor_of(Dtype::kBool, std::move(shape), values);
}

// Runs one node; nothing stands for an absent input.
struct OneNode {
  std::string op;
  std::vector<std::optional<Tensor>> inputs;
  Attributes attributes;
  size_t outputs = 1;

  Result<std::vector<Tensor>> run() const {
    Graph g;
    Node node;
    node.op = op;
    node.name = "n";
    node.attributes = attributes;
    NamedTensors given;
    for (const std::optional<Tensor>& t : inputs) {
      if (!t) {
        node.inputs.push_back(kNoValue);
        continue;
      }
      ValueId id = g.add_input("x" + std::to_string(given.size()), t->dtype(), to_dims(t->shape()));
      given.push_back({g.value(id).name, *t});
      node.inputs.push_back(id);
    }
    for (size_t i = 0; i < outputs; ++i) {
      node.outputs.push_back(g.add_value("y" + std::to_string(i)));
    }
    std::vector<ValueId> made = node.outputs;
    g.add_node(std::move(node));
    for (ValueId id : made) g.add_output(id);
    OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
    OREE_TRY_ASSIGN(NamedTensors out, interpreter.run(given));
    std::vector<Tensor> tensors;
    for (NamedTensor& t : out) tensors.push_back(std::move(t.tensor));
    return tensors;
  }
};

// The single output of a node that must run.
inline Tensor run_op(std::string op, std::vector<std::optional<Tensor>> inputs, Attributes attributes = {}) {
  Result<std::vector<Tensor>> out = OneNode{std::move(op), std::move(inputs), std::move(attributes)}.run();
  if (!out) FAIL(out.error().message());
  return (*out)[0];
}

// An operand with its scale and zero point; without a scale it is a plain list of integers.
struct Scaled {
  Tensor tensor;
  float scale = 0;
  int64_t zero = 0;
};

// One node of quantized values; `out` has the result's type, shape and scale.
inline Result<Tensor> run_scaled(std::string op, std::string domain, const std::vector<Scaled>& inputs,
                                 const Scaled& out, Attributes attributes = {}) {
  Graph g;
  Node node;
  node.op = std::move(op);
  node.domain = std::move(domain);
  node.attributes = std::move(attributes);
  NamedTensors given;
  for (const Scaled& in : inputs) {
    ValueId v = g.add_input("x" + std::to_string(given.size()), in.tensor.dtype(), to_dims(in.tensor.shape()));
    if (in.scale != 0) g.set_quantization(v, Quantization{{in.scale}, {in.zero}, -1});
    given.push_back({g.value(v).name, in.tensor});
    node.inputs.push_back(v);
  }
  ValueId y = g.add_value("y", out.tensor.dtype(), to_dims(out.tensor.shape()));
  g.set_quantization(y, Quantization{{out.scale}, {out.zero}, -1});
  node.outputs = {y};
  g.add_node(std::move(node));
  g.add_output(y);
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
  OREE_TRY_ASSIGN(NamedTensors got, interpreter.run(given));
  return got.at(0).tensor;
}

// The error of a node that must not run.
inline Code code_of(std::string op, std::vector<std::optional<Tensor>> inputs, Attributes attributes = {}) {
  Result<std::vector<Tensor>> out = OneNode{std::move(op), std::move(inputs), std::move(attributes)}.run();
  REQUIRE_MESSAGE(!out.ok(), "it ran");
  return out.error().code();
}

// Type and shape equal, and each element within `tolerance` of the number (NaN is near NaN).
inline void check_near(const Tensor& got, const Tensor& expected, double tolerance = 1e-6) {
  REQUIRE(std::string(dtype_name(got.dtype())) == dtype_name(expected.dtype()));
  REQUIRE(shape_text(got.shape()) == shape_text(expected.shape()));
  std::vector<double> a = got.to_doubles(), b = expected.to_doubles();
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(b[i]) || std::isinf(b[i])) {
      CHECK(std::isnan(a[i]) == std::isnan(b[i]));
      if (std::isinf(b[i])) CHECK(a[i] == b[i]);
    } else {
      CHECK(std::abs(a[i] - b[i]) <= tolerance);
    }
  }
}
// The same, exactly.
inline void check_equal(const Tensor& got, const Tensor& expected) { check_near(got, expected, 0); }

}  // namespace oree
