// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/place.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

Dialect dialect(const char* engine) { return dialect_for(engine, TargetCpu::kVnni).value(); }

ValueId picture(Graph& g, int64_t channels = 4) { return g.add_input("x", Dtype::kFloat32, Dims{1, channels, 8, 8}); }

ValueId conv(Graph& g, ValueId x, int64_t to, uint64_t seed) {
  int64_t from = to_shape(*g.value(x).dims)[1];
  return build(g, "Conv", {x, normal_constant(g, {to, from, 3, 3}, seed, 0.1f), normal_constant(g, {to}, seed + 100)},
               {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
}

NodeId maker(const Graph& g, ValueId v) { return g.value(v).producer; }

const LayerPlace& layer(const GraphPlacement& p, NodeId n) {
  REQUIRE(p.integer(n));
  return p.layers[static_cast<size_t>(p.layer_of[static_cast<size_t>(n)])];
}

int group(const GraphPlacement& p, ValueId v) { return p.group_of[static_cast<size_t>(v)]; }

// Groups and the values' indices of them say the same.
void check_groups(const GraphPlacement& p) {
  std::vector<int> found(p.group_of.size(), -1);
  for (size_t i = 0; i < p.groups.size(); ++i) {
    CHECK(!p.groups[i].empty());
    for (ValueId v : p.groups[i]) found[static_cast<size_t>(v)] = static_cast<int>(i);
  }
  CHECK(found == p.group_of);
}

struct Residual {
  Graph g;
  ValueId x, first, bounded, second, sum, last;
  Residual() {
    x = picture(g);
    first = conv(g, x, 4, 1);
    bounded = build(g, "Relu", {first});
    second = conv(g, bounded, 4, 2);
    sum = build(g, "Add", {second, bounded});
    last = conv(g, sum, 8, 3);
    g.add_output(last);
  }
};

}  // namespace

TEST_CASE("a Relu is fused behind its convolution, and each value of the integers has a scale of its own") {
  for (const char* engine : {"onnxruntime", "tflite", "tflm"}) {
    CAPTURE(engine);
    Residual net;
    GraphPlacement p = place(net.g, dialect(engine), {});
    check_groups(p);
    REQUIRE(p.layers.size() == 4);
    CHECK(layer(p, maker(net.g, net.first)).activation == maker(net.g, net.bounded));
    CHECK(layer(p, maker(net.g, net.first)).result == net.bounded);
    CHECK(layer(p, maker(net.g, net.second)).activation == kNoNode);
    CHECK(layer(p, maker(net.g, net.sum)).role == Role::kComputes);
    CHECK(!p.integer(maker(net.g, net.bounded)));
    CHECK(!p.quantized(net.first));  // what lies between is in 32 bits
    std::set<int> groups;
    for (ValueId v : {net.x, net.bounded, net.second, net.sum}) {
      CHECK(p.quantized(v));
      groups.insert(group(p, v));
    }
    CHECK(groups.size() == 4);
    CHECK(p.quantized(net.last) == (engine == std::string_view("tflm")));  // else it leaves
  }
}

TEST_CASE("engines that fuse have a scale only where integers are taken, none where they are made") {
  Residual net;
  net.g.add_output(build(net.g, "Neg", {net.second}));
  GraphPlacement p = place(net.g, dialect("openvino"), {});
  check_groups(p);
  for (ValueId v : {net.x, net.bounded, net.second, net.sum}) CHECK(p.quantized(v));
  CHECK(!p.quantized(net.last));
}

TEST_CASE("a Relu that is not the only user is not fused") {
  Graph g;
  ValueId x = picture(g), y = conv(g, x, 4, 1), z = build(g, "Relu", {y});
  g.add_output(conv(g, build(g, "Add", {y, z}), 8, 2));
  GraphPlacement p = place(g, dialect("onnxruntime"), {});
  CHECK(layer(p, maker(g, y)).activation == kNoNode);
  CHECK(layer(p, maker(g, y)).result == y);
}

TEST_CASE("a Clip is a bound when its ends are constants") {
  for (bool constant : {true, false}) {
    Graph g;
    ValueId y = conv(g, picture(g), 4, 1), low = g.add_constant("low", Constant::scalar(0.0f));
    ValueId high =
        constant ? g.add_constant("high", Constant::scalar(6.0f)) : g.add_input("high", Dtype::kFloat32, Dims{});
    g.add_output(conv(g, build(g, "Clip", {y, low, high}), 8, 2));
    GraphPlacement p = place(g, dialect("onnxruntime"), {});
    CHECK((layer(p, maker(g, y)).activation != kNoNode) == constant);
  }
}

TEST_CASE("what TFLite has no integers for is in float, and the rest in integers") {
  struct Case {
    std::vector<int64_t> pads;
    bool integer;
  };
  // Of 8 by 8, a window of 3 every 2: SAME adds one behind.
  for (const Case& c : {Case{{0, 0, 1, 1}, true}, Case{{1, 1, 1, 1}, false}, Case{{}, true}}) {
    CAPTURE(c.integer);
    Graph g;
    Attributes how{{"kernel_shape", std::vector<int64_t>{3, 3}}, {"strides", std::vector<int64_t>{2, 2}}};
    if (!c.pads.empty()) how.emplace("pads", c.pads);
    const ValueId pool = build(g, "AveragePool", {conv(g, picture(g), 4, 1)}, std::move(how));
    g.add_output(conv(g, pool, 8, 2));
    CHECK(place(g, dialect("tflite"), {}).integer(maker(g, pool)) == c.integer);
    CHECK(place(g, dialect("onnxruntime"), {}).integer(maker(g, pool)));
  }
  Graph deep;
  const ValueId x = deep.add_input("x", Dtype::kFloat32, Dims{1, 2, 4, 4, 4});
  const ValueId y = build(deep, "Conv", {x, normal_constant(deep, {4, 2, 3, 3, 3}, 1)});
  deep.add_output(y);
  CHECK(!place(deep, dialect("tflm"), {}).integer(maker(deep, y)));
  CHECK(place(deep, dialect("openvino"), {}).integer(maker(deep, y)));
}

TEST_CASE("a convolution that may be resized gives out no sums of reals in TFLite") {
  for (const Dim& batch : {Dim(1), Dim("N")}) {
    Graph g;
    const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{batch, 4, 8, 8});
    const ValueId y = conv(g, conv(g, x, 4, 1), 8, 2);
    g.add_output(y);
    CHECK(layer(place(g, dialect("tflite"), {}), maker(g, y)).leaves == batch.known());
    CHECK(layer(place(g, dialect("onnxruntime"), {}), maker(g, y)).leaves);
  }
}

TEST_CASE("what only brings the graph's inputs to a layer in float is in float, unless integers take it, too") {
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite"}) {
    for (bool taken : {false, true}) {
      CAPTURE(engine);
      CAPTURE(taken);
      Graph g;
      ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 8, 8, 4});
      ValueId flat = build(g, "Reshape", {x, g.add_constant("to", Constant::of_ints(Shape{8, 8, 4, 1}, {4}))});
      ValueId turned = build(g, "Transpose", {flat}, {{"perm", Shape{3, 2, 0, 1}}});
      ValueId first = conv(g, turned, 4, 1), back = build(g, "Transpose", {first}, {{"perm", Shape{0, 1, 3, 2}}});
      g.add_output(conv(g, conv(g, back, 4, 2), 8, 3));
      if (taken) g.add_output(conv(g, conv(g, turned, 4, 4), 8, 5));
      GraphPlacement p = place(g, dialect(engine), {maker(g, first)});
      check_groups(p);
      for (ValueId v : {x, flat, turned}) CHECK(p.quantized(v) == taken);
      for (ValueId v : {flat, turned}) CHECK(p.integer(maker(g, v)) == taken);
      CHECK(p.quantized(back));
    }
  }
}

TEST_CASE("what no layer with weights follows is in float, but where the engine has integers alone") {
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite", "edgetpu", "tflm"}) {
    CAPTURE(engine);
    Graph g;
    ValueId y = conv(g, picture(g), 16, 1);
    ValueId flat = build(g, "Flatten", {y}, {{"axis", int64_t{1}}});
    ValueId scores = build(g, "Gemm", {flat, normal_constant(g, {1024, 10}, 2), normal_constant(g, {10}, 3)});
    ValueId shares = build(g, "Softmax", {scores}, {{"axis", int64_t{-1}}});
    g.add_output(shares);
    Dialect d = dialect(engine);
    GraphPlacement p = place(g, d, {});
    check_groups(p);
    CHECK(layer(p, maker(g, scores)).leaves == (d.leaving != Leaving::kRounded));
    CHECK(!layer(p, maker(g, y)).leaves);
    CHECK(p.integer(maker(g, shares)) == d.tail);
    CHECK(p.quantized(shares) == d.tail);
    CHECK(p.quantized(scores) == (d.tail || d.leaving == Leaving::kRounded ? d.results : false));
    if (!d.tail) CHECK(!p.float_because[static_cast<size_t>(maker(g, shares))].empty());
    CHECK(group(p, flat) == group(p, y));  // it only moves
  }
}

TEST_CASE("a Concat of two heads at the end stays in float for ONNX engines") {
  for (const char* engine : {"onnxruntime", "openvino", "tflm"}) {
    CAPTURE(engine);
    Graph g;
    ValueId x = conv(g, picture(g), 8, 1), boxes = conv(g, x, 4, 2), scores = conv(g, x, 6, 3);
    ValueId both = build(g, "Concat", {boxes, scores}, {{"axis", int64_t{1}}});
    g.add_output(both);
    Dialect d = dialect(engine);
    GraphPlacement p = place(g, d, {});
    check_groups(p);
    CHECK(p.integer(maker(g, both)) == d.tail);
    if (d.tail) CHECK(group(p, boxes) == group(p, scores));
    if (!d.tail) CHECK(!p.quantized(both));
  }
}

TEST_CASE("a Concat before a layer has one scale with its operands, or one of its own, as the engine wants it") {
  for (const char* engine : {"onnxruntime", "openvino", "tflite"}) {
    CAPTURE(engine);
    Graph g;
    ValueId x = conv(g, picture(g), 8, 1), a = conv(g, x, 8, 2), b = conv(g, x, 8, 3);
    ValueId both = build(g, "Concat", {a, b}, {{"axis", int64_t{1}}});
    g.add_output(conv(g, both, 8, 4));
    GraphPlacement p = place(g, dialect(engine), {});
    check_groups(p);
    bool joined = engine != std::string_view("onnxruntime");
    CHECK((group(p, a) == group(p, both)) == joined);
    CHECK((group(p, b) == group(p, both)) == joined);
  }
}

TEST_CASE("nodes that shall stay in float do, and what only moves or adds behind them does, too") {
  Residual net;
  GraphPlacement p = place(net.g, dialect("onnxruntime"), {maker(net.g, net.second)});
  CHECK(!p.integer(maker(net.g, net.second)));
  CHECK(p.float_because[static_cast<size_t>(maker(net.g, net.second))].find("accuracy") != std::string::npos);
  CHECK(!p.integer(maker(net.g, net.sum)));
  CHECK(p.integer(maker(net.g, net.first)));
  CHECK(p.integer(maker(net.g, net.last)));
  CHECK(p.quantized(net.sum));  // the last layer takes it
  CHECK(!p.quantized(net.second));
}

TEST_CASE("a few weights at the end, an expectation over bins, are no layer that was learnt") {
  for (int64_t channels : {15, 16}) {
    Graph g;
    ValueId y = conv(g, picture(g), channels, 1), s = build(g, "Softmax", {y}, {{"axis", int64_t{1}}});
    ValueId last = build(g, "Conv", {s, normal_constant(g, {4, channels, 1, 1}, 2)});
    g.add_output(last);
    GraphPlacement p = place(g, dialect("onnxruntime"), {});
    CHECK(p.integer(maker(g, y)));
    CHECK(p.integer(maker(g, last)) == (channels == 16));  // 64 weights
    CHECK(p.integer(maker(g, s)) == (channels == 16));
  }
}

TEST_CASE("the last layer leaves; one before a layer in float is rounded like any other") {
  Residual net;
  NodeId second = maker(net.g, net.second);
  CHECK(!layer(place(net.g, dialect("onnxruntime"), {}), second).leaves);
  GraphPlacement p = place(net.g, dialect("onnxruntime"), {maker(net.g, net.sum)});
  CHECK(!layer(p, second).leaves);
  CHECK(p.quantized(net.second));
  CHECK(layer(p, maker(net.g, net.last)).leaves);
  CHECK(!p.quantized(net.last));
}

TEST_CASE("a layer without constant weights, or one that the dialect cannot have, says why it is in float") {
  Graph g;
  ValueId x = picture(g), w = g.add_input("w", Dtype::kFloat32, Dims{4, 4, 3, 3});
  ValueId y = build(g, "Conv", {x, w});
  g.add_output(conv(g, y, 8, 2));
  std::string why;
  CHECK(role_of(g, g.node(maker(g, y)), dialect("onnxruntime"), why) == Role::kFloat);
  CHECK(why == "its weights are not constant");
  GraphPlacement p = place(g, dialect("onnxruntime"), {});
  CHECK(!p.integer(maker(g, y)));
  CHECK(p.float_because[static_cast<size_t>(maker(g, y))] == why);
}

}  // namespace oree
