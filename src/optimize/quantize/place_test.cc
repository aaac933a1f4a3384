// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/place.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

Dialect dialect(const char* engine) { return dialect_for(engine, TargetCpu::kVnni).value(); }

// Conv, Relu, Conv, Add of both, a last Conv to two heads, of which one ends in a Softmax.
struct Net {
  Graph g;
  ValueId a = kNoValue, relu = kNoValue, b = kNoValue, sum = kNoValue, boxes = kNoValue, scores = kNoValue,
          all = kNoValue;
  NodeId maker(ValueId v) const { return g.value(v).producer; }
};

Attributes padded() { return {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}; }

Net net() {
  Net n;
  ValueId x = n.g.add_input("x", Dtype::kFloat32, to_dims({1, 3, 8, 8}));
  n.a = n.g.add("Conv", {x, normal_constant(n.g, {8, 3, 3, 3}, 1), normal_constant(n.g, {8}, 2)}, padded());
  n.relu = n.g.add("Relu", {n.a});
  n.b = n.g.add("Conv", {n.relu, normal_constant(n.g, {8, 8, 3, 3}, 3)}, padded());
  n.sum = n.g.add("Add", {n.relu, n.b});
  n.boxes = n.g.add("Conv", {n.sum, normal_constant(n.g, {8, 8, 1, 1}, 4)});
  ValueId logits = n.g.add("Conv", {n.sum, normal_constant(n.g, {8, 8, 1, 1}, 5)});
  n.scores = n.g.add("Softmax", {logits}, {{"axis", int64_t{1}}});
  n.all = n.g.add("Concat", {n.boxes, n.scores}, {{"axis", int64_t{1}}});
  n.g.add_output(n.all);
  REQUIRE(infer_types(n.g).ok());
  return n;
}

const LayerPlace& layer(const GraphPlacement& p, NodeId n) {
  REQUIRE(p.integer(n));
  return p.layers[static_cast<size_t>(p.layer_of[static_cast<size_t>(n)])];
}

TEST_CASE("a Relu behind a convolution is part of it") {
  Net n = net();
  GraphPlacement p = place(n.g, dialect("onnxruntime"), {});
  CHECK(layer(p, n.maker(n.a)).result == n.relu);
  CHECK_FALSE(p.quantized(n.a));
  CHECK(p.quantized(n.relu));
}

TEST_CASE("what follows the last weights is in float, so that boxes and scores share no scale") {
  Net n = net();
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite"}) {
    CAPTURE(engine);
    GraphPlacement p = place(n.g, dialect(engine), {});
    CHECK_FALSE(p.integer(n.maker(n.scores)));
    CHECK_FALSE(p.integer(n.maker(n.all)));
    CHECK(p.integer(n.maker(n.boxes)));
    CHECK_FALSE(p.quantized(n.all));
  }
}

TEST_CASE("an engine of integers alone gets the tail in integers, too, and a Concat one scale") {
  Net n = net();
  GraphPlacement p = place(n.g, dialect("tflm"), {});
  CHECK(p.integer(n.maker(n.scores)));
  REQUIRE(p.integer(n.maker(n.all)));
  CHECK(p.group_of[static_cast<size_t>(n.all)] == p.group_of[static_cast<size_t>(n.boxes)]);
}

TEST_CASE("the last layers give out reals where the engine can") {
  Net n = net();
  GraphPlacement p = place(n.g, dialect("onnxruntime"), {});
  CHECK(layer(p, n.maker(n.boxes)).leaves);
  CHECK_FALSE(layer(p, n.maker(n.b)).leaves);
  CHECK_FALSE(p.quantized(n.boxes));
  CHECK_FALSE(layer(place(n.g, dialect("tflm"), {}), n.maker(n.boxes)).leaves);
  // Before a layer that stays in float a result is rounded like any other.
  std::set<NodeId> kept;
  for (NodeId user : n.g.value(n.sum).users) kept.insert(user);
  kept.insert(n.maker(n.sum));
  CHECK_FALSE(layer(place(n.g, dialect("onnxruntime"), kept), n.maker(n.b)).leaves);
}

TEST_CASE("a node that is kept is in float, and what it alone fed is not quantized for its own sake") {
  Net n = net();
  GraphPlacement p = place(n.g, dialect("onnxruntime"), {n.maker(n.b)});
  CHECK_FALSE(p.integer(n.maker(n.b)));
  CHECK(p.float_because[static_cast<size_t>(n.maker(n.b))] == "left in float for its accuracy");
  CHECK_FALSE(p.integer(n.maker(n.sum)));  // one of its operands is in float
  CHECK(p.integer(n.maker(n.boxes)));
  CHECK(p.quantized(n.sum));  // for the layers that take it
}

TEST_CASE("a convolution of a few weights at the end is no layer that was learnt") {
  Net n = net();
  ValueId mean =
      n.g.add("Conv", {n.all, n.g.add_constant("bins", Constant::of_floats(std::vector<float>(16, 1), {1, 16, 1, 1}))});
  n.g.set_output(kMainBlock, 0, mean);
  REQUIRE(infer_types(n.g).ok());
  GraphPlacement p = place(n.g, dialect("onnxruntime"), {});
  CHECK_FALSE(p.integer(n.maker(mean)));
  CHECK_FALSE(p.integer(n.maker(n.scores)));
}

TEST_CASE("what only moves shares the scale of what it moves") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, to_dims({1, 4, 4, 4}));
  ValueId pooled =
      g.add("MaxPool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  ValueId y = g.add("Conv", {pooled, normal_constant(g, {64, 4, 1, 1}, 1)});
  g.add_output(y);
  REQUIRE(infer_types(g).ok());
  GraphPlacement p = place(g, dialect("onnxruntime"), {});
  CHECK(p.group_of[static_cast<size_t>(x)] == p.group_of[static_cast<size_t>(pooled)]);
}

TEST_CASE("an engine that is not known is refused") {
  CHECK(dialect_for("abacus").error().code() == Code::kUsage);
  for (const std::string& engine : dialect_engines()) CHECK(dialect_for(engine).ok());
}

}  // namespace
}  // namespace oree
