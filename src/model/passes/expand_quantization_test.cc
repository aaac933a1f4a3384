// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "model/passes/passes.h"
#include "model/passes/test_passes.h"

namespace oree {
namespace {

constexpr int64_t kSteps = 1;  // TFLite rounds halves away from zero, ONNX to the even one

Constant bytes(const Shape& shape, uint32_t seed) {
  Tensor t(Dtype::kInt8, shape);
  for (int8_t& v : t.as<int8_t>()) v = static_cast<int8_t>((seed = seed * 1664525U + 1013904223U) >> 24);
  return Constant(std::move(t));
}

Quantization scale(float s, int64_t zero) { return {{s}, {zero}, -1}; }

// int8 x -> Conv (weights of two scales, a bias) -> Relu -> Transpose -> int8 y
Graph quantized_conv() {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt8, to_dims({1, 3, 5, 5}));
  g.set_quantization(x, scale(0.05F, 3));
  ValueId w = g.add_constant("w", bytes({2, 3, 3, 3}, 5));
  g.set_quantization(w, Quantization{{0.01F, 0.02F}, {0, 0}, 0});
  Tensor sums(Dtype::kInt32, {2});
  sums.as<int32_t>()[0] = 700;
  sums.as<int32_t>()[1] = -900;
  ValueId b = g.add_constant("b", Constant(std::move(sums)));
  g.set_quantization(b, Quantization{{0.05F * 0.01F, 0.05F * 0.02F}, {0, 0}, 0});
  auto add = [&](std::string_view op, std::vector<ValueId> inputs, Shape shape, Attributes attributes = {}) {
    ValueId v = g.add(op, std::move(inputs), std::move(attributes));
    g.set_type(v, Dtype::kInt8, to_dims(shape));
    g.set_quantization(v, scale(0.1F, -100));
    return v;
  };
  ValueId y = add("Conv", {x, w, b}, {1, 2, 3, 3}, {{"kernel_shape", std::vector<int64_t>{3, 3}}});
  y = add("Relu", {y}, {1, 2, 3, 3});
  y = add("Transpose", {y}, {1, 3, 3, 2}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  g.rename(y, "y");
  g.add_output(y);
  return g;
}

NamedTensors int8_inputs() { return {{"x", bytes({1, 3, 5, 5}, 9).to_tensor()}}; }

int64_t largest_step(const Graph& a, const Graph& b) {
  std::vector<double> p = run_graph(a, int8_inputs())[0].tensor.to_doubles();
  std::vector<double> q = run_graph(b, int8_inputs())[0].tensor.to_doubles();
  REQUIRE(p.size() == q.size());
  REQUIRE(*std::ranges::min_element(p) < *std::ranges::max_element(p));
  int64_t worst = 0;
  for (size_t i = 0; i < p.size(); ++i) worst = std::max(worst, static_cast<int64_t>(std::abs(p[i] - q[i])));
  return worst;
}

TEST_CASE("a quantized graph becomes a float one between QuantizeLinear and DequantizeLinear") {
  Graph before = quantized_conv(), g = before;
  REQUIRE(infer_types(g).ok());
  REQUIRE(expand_quantization(g).ok());
  CHECK(validate(g).ok());
  for (size_t i = 0; i < g.value_count(); ++i) CHECK_FALSE(g.value(static_cast<ValueId>(i)).quantization);
  CHECK(g.value(g.find("x")).dtype == Dtype::kInt8);
  CHECK(g.value(g.find("y")).dtype == Dtype::kInt8);
  CHECK(count_nodes(g, "DequantizeLinear") == 3);  // x, w, b
  CHECK(count_nodes(g, "QuantizeLinear") == 1);    // behind Relu: the pair before it says nothing more
  CHECK(largest_step(before, g) <= kSteps);
}

TEST_CASE("a bias counts in steps of the products, whatever scale the file gives it") {
  Graph before = quantized_conv();
  Quantization q = *before.value(before.find("b")).quantization;
  for (float& scale : q.scales) scale *= 7;
  before.set_quantization(before.find("b"), q);
  Graph g = before;
  REQUIRE(infer_types(g).ok());
  REQUIRE(expand_quantization(g).ok());
  CHECK(largest_step(before, g) <= kSteps);
}

TEST_CASE("what only moves integers stays among integers") {
  Graph g = quantized_conv();
  REQUIRE(infer_types(g).ok());
  REQUIRE(expand_quantization(g).ok());
  for (NodeId id : g.all_nodes()) {
    if (g.node(id).is("Transpose")) CHECK(g.value(g.node(id).inputs[0]).dtype == Dtype::kInt8);
  }
}

TEST_CASE("a graph without quantized values stays as it is") {
  Graph g;
  ValueId y = g.add("Relu", {g.add_input("x", Dtype::kFloat32, to_dims({2}))});
  g.add_output(y);
  REQUIRE(infer_types(g).ok());
  PassResult changed = expand_quantization(g);
  REQUIRE(changed.ok());
  CHECK(*changed == 0);
}

TEST_CASE("a bias of 64 bits is dequantized from 32, and refused when it does not fit") {
  for (int64_t wide : {int64_t{70000}, int64_t{1} << 40}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kInt16, to_dims({1, 2}));
    g.set_quantization(x, scale(0.01F, 0));
    ValueId w = g.add_constant("w", bytes({1, 2}, 3));
    g.set_quantization(w, scale(0.02F, 0));
    ValueId b = g.add_constant("bias", Constant::vector(std::vector<int64_t>{wide}));
    g.set_quantization(b, scale(0.0002F, 0));
    ValueId y = g.add("Gemm", {x, w, b}, {{"transB", int64_t{1}}});
    g.set_type(y, Dtype::kInt16, to_dims({1, 1}));
    g.set_quantization(y, scale(0.05F, 0));
    g.add_output(y);
    PassResult done = expand_quantization(g);
    CHECK(done.ok() == (wide < INT32_MAX));
    if (!done.ok()) CHECK(done.error().message().find("'bias'") != std::string::npos);
  }
}

TEST_CASE("integers that nothing quantizes to are refused by name") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt32, to_dims({2}));
  g.set_quantization(x, scale(0.5F, 0));
  ValueId y = g.add("Abs", {x}, {}, kMainBlock, "wide");
  g.set_type(y, Dtype::kInt32, to_dims({2}));
  g.set_quantization(y, scale(0.5F, 0));
  g.add_output(y);
  PassResult done = expand_quantization(g);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code() == Code::kUnsupported);
  CHECK(done.error().message().find("'wide'") != std::string::npos);
}

}  // namespace
}  // namespace oree
