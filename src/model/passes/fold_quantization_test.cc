// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "model/ops/infer_fixture.h"
#include "model/passes/passes.h"
#include "model/passes/test_passes.h"

namespace oree {
namespace {

using infer_fixture::graph_of;

// Folded, valid, and off by no more than that many steps of `step` beside what the float graph computes.
Graph folded(const Graph& before, double step, double steps_max) {
  Graph g = before;
  PassResult done = fold_quantization(g);
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  check_same(before, g, step * steps_max + 1e-6);
  return g;
}

size_t count_quantized(const Graph& g, Dtype dtype) {
  size_t n = 0;
  for (size_t i = 0; i < g.value_count(); ++i) {
    const Value& v = g.value(static_cast<ValueId>(i));
    n += v.quantization && v.dtype == dtype && !(v.users.empty() && !g.is_output(static_cast<ValueId>(i)));
  }
  return n;
}

TEST_CASE("uint8 activations and weights a channel become quantized int8 values") {
  Graph g = folded(graph_of(R"(main (float[1,2,3,3] x) => (y)
      <float s = {0.05}, uint8 z = {120}, float sw = {0.01}, int8 zw = {0}, float sy = {0.02}, uint8 zy = {10},
       int8[2,2,1,1] w = {90, -30, 20, 127}, float[2] b = {0.25, -0.5}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      dw = DequantizeLinear (w, sw, zw)
      c = Conv (d, dw, b)
      r = Relu (c)
      p = QuantizeLinear (r, sy, zy)
      y = DequantizeLinear (p, sy, zy)
  })"),
                   0.02, 1);
  CHECK(count_quantized(g, Dtype::kUint8) == 0);
  CHECK(count_quantized(g, Dtype::kInt8) == 4);   // the operand, the weights, before and behind Relu
  CHECK(count_quantized(g, Dtype::kInt32) == 1);  // the bias, in the scale of the products
  CHECK(count_nodes(g, "DequantizeLinear") == 1);
  CHECK(count_nodes(g, "QuantizeLinear") == 1);
}

TEST_CASE("operators that move elements do so among integers, whatever is between them and the quantizer") {
  Graph g = folded(graph_of(R"(main (float[1,2,4,4] x) => (y)
      <float s = {0.05}, int8 z = {3}, int64[2] shape = {1, 8}> {
      a = Add (x, x)
      m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)
      q = QuantizeLinear (m, s, z)
      d = DequantizeLinear (q, s, z)
      f = Reshape (d, shape)
      q2 = QuantizeLinear (f, s, z)
      y = DequantizeLinear (q2, s, z)
  })"),
                   0.05, 0);
  CHECK(count_nodes(g, "QuantizeLinear") == 1);
  for (NodeId id : g.all_nodes()) {
    const Node& n = g.node(id);
    if (n.is("MaxPool") || n.is("Reshape")) CHECK(g.value(n.inputs[0]).dtype == Dtype::kInt8);
  }
}

TEST_CASE("an operator whose scale TFLite prescribes is brought to the one that is wanted") {
  Graph g = folded(graph_of(R"(main (float[1,5] x) => (y)
      <float s = {0.05}, int8 z = {0}, float sy = {0.008}, int8 zy = {0}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      c = Softmax (d)
      p = QuantizeLinear (c, sy, zy)
      y = DequantizeLinear (p, sy, zy)
  })"),
                   0.008, 1);
  const Node* softmax = nullptr;
  for (NodeId id : g.all_nodes()) {
    if (g.node(id).is("Softmax")) softmax = &g.node(id);
  }
  REQUIRE(softmax != nullptr);
  CHECK(g.value(softmax->outputs[0]).quantization == Quantization{{1.0F / 256}, {-128}, -1});
  CHECK(g.node(g.value(softmax->outputs[0]).users[0]).is("QuantizeLinear"));
}

TEST_CASE("joined tensors are brought to the scale of the result") {
  Graph g = folded(graph_of(R"(main (float[1,5] x) => (y)
      <float s = {0.05}, int8 z = {0}, float s2 = {0.03}, int8 z2 = {9}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      q2 = QuantizeLinear (x, s2, z2)
      d2 = DequantizeLinear (q2, s2, z2)
      c = Concat <axis = 1> (d, d2)
      p = QuantizeLinear (c, s2, z2)
      y = DequantizeLinear (p, s2, z2)
  })"),
                   0.03, 1);
  CHECK(count_nodes(g, "QuantizeLinear") == 3);
}

TEST_CASE("what TFLite has in float alone stays between the two") {
  Graph before = graph_of(R"(main (float[1,5] x) => (y) <float s = {0.05}, uint8 z = {128}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      c = Sin (d)
      p = QuantizeLinear (c, s, z)
      y = DequantizeLinear (p, s, z)
  })");
  Graph g = folded(before, 0.05, 0);
  CHECK(count_nodes(g, "DequantizeLinear") == 2);
  for (NodeId id : g.all_nodes()) {
    if (g.node(id).is("Sin")) CHECK_FALSE(g.value(g.node(id).outputs[0]).quantization);
  }
}

TEST_CASE("weights that are off centre stay in float: TFLite's convolutions have no such") {
  Graph g = folded(graph_of(R"(main (float[1,1,2,2] x) => (y)
      <float s = {0.05}, int8 z = {3}, float sw = {0.01}, uint8 zw = {100}, uint8[1,1,1,1] w = {90}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      dw = DequantizeLinear (w, sw, zw)
      c = Conv (d, dw)
      p = QuantizeLinear (c, s, z)
      y = DequantizeLinear (p, s, z)
  })"),
                   0.05, 0);
  for (NodeId id : g.all_nodes()) {
    if (g.node(id).is("Conv")) CHECK(g.value(g.node(id).inputs[0]).dtype == Dtype::kFloat32);
  }
}

TEST_CASE("inputs and outputs of uint8 keep their type") {
  Graph g = graph_of(R"(main (uint8[1,5] x) => (y) <float s = {0.05}, uint8 z = {128}> {
      d = DequantizeLinear (x, s, z)
      c = Relu (d)
      y = QuantizeLinear (c, s, z)
  })");
  REQUIRE(fold_quantization(g).ok());
  CHECK(validate(g).ok());
  CHECK(g.value(g.main().inputs[0]).dtype == Dtype::kUint8);
  CHECK(g.value(g.main().outputs[0]).dtype == Dtype::kUint8);
}

TEST_CASE("integers that are moved before they are dequantized get their scale, states too") {
  Graph g = graph_of(R"(main (int8[1,3,4] x) => (y) <float s = {0.05}, int8 z = {7}> {
      t = Transpose <perm = [0, 2, 1]> (x)
      d = DequantizeLinear (t, s, z)
      r = Relu (d)
      y = QuantizeLinear (r, s, z)
  })");
  REQUIRE(fold_quantization(g).ok());
  CHECK(g.value(g.main().inputs[0]).quantization == Quantization{{0.05F}, {7}, -1});
  CHECK(count_nodes(g, "DequantizeLinear") == 0);
}

TEST_CASE("integers that anything computes with as such have no scale") {
  Graph g = graph_of(R"(main (float[4] x) => (y, n) <float s = {0.05}, int8 z = {7}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      r = LeakyRelu (d)
      y = QuantizeLinear (r, s, z)
      n = Cast <to = 6> (q)
      m = Cast <to = 6> (y)
  })");
  REQUIRE(fold_quantization(g).ok());
  CHECK(count_quantized(g, Dtype::kInt8) == 0);
}

TEST_CASE("integers of 32 bits that are off centre stay where they are") {
  Graph g = graph_of(R"(main (int32[1,4] x) => (y) <float s = {0.05}, int32 z = {7}, int64[1] shape = {4}> {
      d = DequantizeLinear (x, s, z)
      y = Reshape (d, shape)
  })");
  REQUIRE(fold_quantization(g).ok());
  CHECK(validate(g).ok());
  CHECK(g.value(g.main().outputs[0]).dtype == Dtype::kFloat32);
}

TEST_CASE("a graph of quantized values is none to fold") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt8, to_dims({4}));
  g.set_quantization(x, Quantization{{0.5F}, {0}, -1});
  ValueId scale = g.add_constant("s", Constant::scalar(0.5F));
  ValueId y = build(g, "DequantizeLinear", {x, scale});
  g.add_output(build(g, "Relu", {y}));
  PassResult done = fold_quantization(g);
  REQUIRE(done.ok());
  CHECK(*done == 0);
}

}  // namespace
}  // namespace oree
