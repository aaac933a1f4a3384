// SPDX-License-Identifier: Apache-2.0
#include "model/ops/analyze.h"

#include <doctest/doctest.h>

#include "model/ops/costs.h"
#include "model/ops/infer_fixture.h"

namespace oree {
namespace {

using infer_fixture::graph_of;

std::vector<int64_t> live(const Cost& cost) {
  std::vector<int64_t> out;
  for (const NodeCost& n : cost.nodes) out.push_back(n.live_bytes);
  return out;
}

TEST_CASE("a chain needs what a node takes and makes") {
  Cost c = analyze(graph_of("main (float[10] x) => (y) { a = Relu (x) b = Neg (a) y = Concat <axis = 0> (b, b) }"));
  CHECK(live(c) == std::vector<int64_t>{80, 80, 120});
  CHECK(c.live_bytes_peak == 120);
  CHECK(c.peak_node == c.nodes[2].node);
  CHECK(c.values_unknown == 0);
}

TEST_CASE("a value that is used late lives until then, an output to the end, an input from the start") {
  // x, z and the output o are there all along; r is until the last node.
  Cost c =
      analyze(graph_of("main (float[1] x, float[100] z) => (o, y) { o = Relu (x) r = Neg (x) a = Abs (r) b = Abs (a)"
                       " y = Sum (b, r, z) }"));
  CHECK(live(c) == std::vector<int64_t>{4 * 102, 4 * 103, 4 * 103, 4 * 104, 4 * 203});
}

TEST_CASE("the order decides what is there at once") {
  Graph g = graph_of(
      "main (float[1] x) => (y) <int64[1] n = {100}> { a = Expand (x, n) b = Expand (x, n) s = ReduceMax (a)"
      " t = ReduceMax (b) y = Add (s, t) }");
  CHECK(analyze(g).live_bytes_peak == 4 * (100 + 100 + 1));
  std::vector<NodeId> o = g.order();
  std::swap(o[1], o[2]);
  CHECK(analyze(g, o).live_bytes_peak == 4 * (1 + 100 + 1));
}

TEST_CASE("what follows from constants alone is computed at load and takes no part") {
  Graph g = graph_of(
      "main (float[4] x) => (y) <int32[4] w = {1, 2, 3, 4}> {"
      " f = Cast <to = 1> (w) h = Neg (f) y = Add (x, h) }");
  CHECK(live(analyze(g)) == std::vector<int64_t>{16, 16, 32});
  CHECK(fixed_values(g)[static_cast<size_t>(g.find("h"))]);
  CHECK_FALSE(fixed_values(g)[static_cast<size_t>(g.find("y"))]);
}

TEST_CASE("a view is its input and is not counted twice") {
  Graph g = graph_of(
      "main (float[4,5] x) => (y) <int64[1] flat = {-1}, int64[1] zero = {0}, float[1] w = {1.0}> {"
      " a = Relu (x) b = Reshape (a, flat) c = Unsqueeze (b, zero) y = Neg (c) z = Squeeze (w) }");
  CHECK(live(analyze(g)) == std::vector<int64_t>{160, 80, 80, 160, 80});
  CHECK(storage_of(g, g.find("c")) == g.find("a"));
  CHECK(storage_of(g, g.find("z")) == g.find("w"));
}

TEST_CASE("bodies add what they need, and keep what they use of the block around them") {
  Cost c = analyze(
      graph_of("main (bool c, float[10] x) => (y) { k = Relu (x) m = Neg (x) y = If <then_branch = a () => (t) {"
               " t1 = Abs (k) t = Abs (t1) }, else_branch = b () => (e) { e = Identity (k) }> (c) }"));
  // At the If: c, k, y, and t1 and t within it; x and m are gone.
  CHECK(live(c) == std::vector<int64_t>{1 + 80, 1 + 120, 1 + 80 + 80});
}

TEST_CASE("a state is there all along") {
  Cost c =
      analyze(graph_of("main (float[10] x) => (y) { n = Add (x, h) y = Neg (n) z = Abs (y)\n #: state s h -> n = "
                       "float[10] zeros\n }"));
  CHECK(live(c) == std::vector<int64_t>{120, 120, 160});
}

TEST_CASE("a value of unknown size is counted as such") {
  Cost c = analyze(graph_of("main (float[N] x) => (y) { y = NonZero (x) }"));
  CHECK(c.values_unknown == 2);
  CHECK(c.live_bytes_peak == 0);
}

TEST_CASE("multiply-accumulates are those of convolutions, products and recurrent layers") {
  Graph g = graph_of(
      "main (float[1,3,8,8] x, float[3,3,3,3] w, float[3,2,2,2] v, float[5,1,4] s, float[1,16,4] p,"
      " float[1,16,4] r, float[2,6] m, float[6,5] n) => (a, b, d, e, f, h, i) {"
      " a = Conv <pads = [1, 1, 1, 1]> (x, w) b = ConvTranspose <strides = [2, 2]> (x, v)"
      " c = Relu (x) d = MatMul (m, n) e = Gemm (m, n) f, g = LSTM (s, p, r)"
      " h = Einsum <equation = \"ij,jk->ik\"> (m, n) i = MatMul (q, n) q = Identity (m) }");
  g.set_type(g.find("q"), Dtype::kFloat32, Dims{Dim(), Dim()});
  g.set_type(g.find("i"), Dtype::kFloat32, Dims{Dim(), 5});
  Cost c = analyze(g);
  CHECK(c.macs_by_op.at("Conv") == 3 * 8 * 8 * 3 * 3 * 3);
  CHECK(c.macs_by_op.at("ConvTranspose") == 3 * 8 * 8 * 2 * 2 * 2);
  CHECK(c.macs_by_op.at("MatMul") == 2 * 5 * 6);
  CHECK(c.macs_by_op.at("Gemm") == 2 * 5 * 6);
  CHECK(c.macs_by_op.at("Einsum") == 2 * 5 * 6);
  CHECK(c.macs_by_op.at("LSTM") == 5 * 1 * (16 * 4 + 16 * 4));
  CHECK(c.macs_unknown == std::map<std::string, int64_t>{{"MatMul", 1}});
  CHECK(c.macs == 5184 + 1536 + 3 * 60 + 640);
}

TEST_CASE("what lies in a body is not in the sum") {
  Cost c =
      analyze(graph_of("main (bool c, float[2,3] x, float[3,4] w) => (y) { y = If <then_branch = a () => (t) {"
                       " t = MatMul (x, w) }, else_branch = b () => (e) { e = MatMul (x, w) }> (c) }"));
  CHECK(c.macs == 0);
  CHECK(c.macs_unknown.at("MatMul") == 2);
}

TEST_CASE("sums that would overflow become unknown") {
  CHECK(cost_product(int64_t{1} << 40, int64_t{1} << 40) == -1);
  CHECK(cost_product(-1, 5) == -1);
  CHECK(cost_product(0, int64_t{1} << 62) == 0);
  CHECK(volume(Shape{2, -1, 3}) == -1);
  CHECK(volume(Shape{}) == 1);
}

TEST_CASE("parameters are weights, shared bytes counted once") {
  Graph g = graph_of(
      "main (float[4] x) => (a, b) <float[4] w = {1.0, 2.0, 3.0, 4.0}, int64[1] shape = {-1}> {"
      " a = Add (x, w) b = Reshape (x, shape) }");
  g.add_output(g.add_constant("again", *g.constant(g.find("w"))));
  ValueId bias = g.add_constant("bias", Constant(Tensor(Dtype::kInt32, {3})));
  g.set_quantization(bias, Quantization{{0.5f}, {0}, -1});
  g.add_output(bias);
  Cost c = analyze(g);
  CHECK(c.parameters == 4 + 3);
  CHECK(c.constant_bytes == std::map<std::string, int64_t>{{"float32", 16}, {"int32", 12}, {"int64", 8}});
}

TEST_CASE("a graph without nodes needs its inputs") {
  Cost c = analyze(graph_of("main (float[10] x) => (x) {}"));
  CHECK(c.live_bytes_peak == 40);
  CHECK(c.peak_node == kNoNode);
}

}  // namespace
}  // namespace oree
