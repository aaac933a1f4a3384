// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/prepare.h"

#include "model/ops/analyze.h"
#include "model/ops/element_types.h"
#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

Graph prepared(const Graph& graph, bool tflite) {
  Model model;
  model.graph = graph;
  Status done = prepare_for_quantization(model, {}, tflite);
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  return std::move(model.graph);
}

std::vector<int64_t> softmax_axes(const Graph& g) {
  std::vector<int64_t> axes;
  for (NodeId n : g.order()) {
    const Node& node = g.node(n);
    const auto rank = static_cast<int64_t>(g.value(node.outputs[0]).dims->size());
    const int64_t axis = node.integer("axis", -1);
    if (node.is("Softmax") || node.is("LogSoftmax")) axes.push_back(axis < 0 ? axis : axis - rank);
  }
  return axes;
}

}  // namespace

TEST_CASE("for TFLite a Softmax goes along the last axis, and gives the same") {
  for (int64_t axis : {-3, -1, 0, 1, 2, 3}) {
    for (const char* op : {"Softmax", "LogSoftmax"}) {
      CAPTURE(axis);
      Graph g;
      ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 4, 5, 3});
      g.add_output(build(g, op, {build(g, "Neg", {x})}, {{"axis", axis}}, kMainBlock, "shares"));
      Graph turned = prepared(g, true);
      check_same(g, turned, 1e-6);
      CHECK(softmax_axes(turned) == std::vector<int64_t>{-1});
      CHECK(softmax_axes(prepared(g, false)) == std::vector<int64_t>{axis < 0 ? axis : axis - 4});
    }
  }
}

TEST_CASE("layers are counted with free dimensions of some size") {
  Graph g;
  const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{Dim("N"), 3, Dim("H"), 8});
  const ValueId y = build(g, "Conv", {x, normal_constant(g, {4, 3, 1, 1}, 1)});
  g.add_output(y);
  const NodeId n = g.value(y).producer;
  CHECK(macs_of(g, g.node(n)) == -1);
  const Graph sized = sized_for_counting(g);
  CHECK(macs_of(sized, sized.node(n)) == 4 * 3 * 64 * 8);
}

TEST_CASE("a network of 16 bits inside is prepared in float32") {
  Graph g;
  const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4});
  const Constant weights = Constant::of_floats(normal_values(8, 1), {4, 2});
  Tensor half(Dtype::kFloat16, {4, 2});
  for (size_t i = 0; i < 8; ++i) half.as<uint16_t>()[i] = float_to_half(weights.to_tensor().as<float>()[i]);
  const ValueId narrow = build(g, "Cast", {x}, {{"to", dtype_to_onnx(Dtype::kFloat16)}});
  const ValueId y = build(g, "MatMul", {narrow, g.add_constant("w", Constant(std::move(half)))});
  g.add_output(build(g, "Cast", {y}, {{"to", dtype_to_onnx(Dtype::kFloat32)}}));
  const Graph wide = prepared(g, false);
  for (NodeId n : wide.order()) CHECK(wide.value(wide.node(n).outputs[0]).dtype == Dtype::kFloat32);
  CHECK(count(wide, "MatMul") + count(wide, "Gemm") == 1);
  CHECK(count(wide, "Cast") == 0);
}

TEST_CASE("a bias of a matrix product is one number a channel, or a sum of its own") {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}, Shape{5}, Shape{1, 5}, Shape{3, 1}, Shape{3, 5}}) {
    CAPTURE(shape_text(shape));
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{3, 4});
    g.add_output(
        build(g, "Gemm", {x, normal_constant(g, {4, 5}, 1), normal_constant(g, shape, 2)}, {}, kMainBlock, "y"));
    Graph apart = prepared(g, false);
    check_same(g, apart, 1e-6);
    const bool row = shape.size() < 2 || shape[0] == 1;
    int sums = 0;
    for (NodeId n : apart.order()) {
      const Node& node = apart.node(n);
      sums += node.is("Add");
      if (!node.is("Gemm")) continue;
      REQUIRE((node.input(2) != kNoValue) == row);
      if (row) CHECK(apart.constant(node.inputs[2])->shape() == Shape{5});
    }
    CHECK(sums == (row ? 0 : 1));
  }
}

TEST_CASE("a swish is a product with a sigmoid") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 4});
  g.add_output(build(g, "Swish", {x}, {}, kMainBlock, "y"));
  Graph written = prepared(g, false);
  check_same(g, written, 1e-6);
  CHECK(std::ranges::none_of(written.order(), [&](NodeId n) { return written.node(n).is("Swish"); }));
}

}  // namespace oree
