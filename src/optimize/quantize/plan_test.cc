// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/plan.h"

#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

Range ends(const Graph& g, ValueId v) {
  Statistics s = look(g, {v});
  return {s.at(v).histogram.min(), s.at(v).histogram.max()};
}

// The range that was taken holds what was seen, and is not much larger.
void check_holds(Range taken, Range seen) {
  double width = seen.high - seen.low;
  CHECK(taken.low <= seen.low + 0.01 * width);
  CHECK(taken.high >= seen.high - 0.01 * width);
  CHECK(taken.high - taken.low <= 1.05 * std::max(width, std::max(seen.high, -seen.low)));
}

PlanOptions all_seen() { return {.ranges = {RangeMethod::kMinMax}}; }

}  // namespace

TEST_CASE("what leaves the integers takes all that was seen; what stays may be clipped") {
  Graph g;
  ValueId x = picture(g);
  std::vector<float> outlier = normal_values(4 * 4 * 9, 1, 0.01f);
  outlier[0] = 40;  // rare and large values behind it
  ValueId w = g.add_constant("w", Constant::of_floats(outlier, {4, 4, 3, 3}));
  ValueId y = build(g, "Conv", {x, w}), z = build(g, "Neg", {conv(g, y, 4, 2)});
  g.add_output(z);
  ValueId last = conv(g, y, 4, 3);
  g.add_output(last);
  Planned tflm(g, "tflm", {.ranges = {RangeMethod::kPercentile, 90}});
  check_holds(tflm.taken(last), ends(g, last));
  CHECK(tflm.taken(y).high < 0.9 * ends(g, y).high);
}

TEST_CASE("scales that an operator prescribes are taken as they are, per engine") {
  Graph g;
  ValueId y = conv(g, picture(g), 4, 1), s = build(g, "Sigmoid", {y});
  ValueId p = build(g, "Softmax", {conv(g, s, 4, 2)}, {{"axis", int64_t{1}}});
  ValueId t = build(g, "Tanh", {conv(g, p, 4, 3)});
  g.add_output(conv(g, t, 4, 4));
  Planned ort(g, "onnxruntime"), tflite(g, "tflite");
  // Softmax: 0..1 whatever was seen, and nobody looks at it.
  CHECK(ort.taken(p).low == 0);
  CHECK(ort.taken(p).high == doctest::Approx(1));
  CHECK(!ort.statistics.contains(p));
  CHECK(ort.statistics.contains(s));
  CHECK(tflite.affine(p) == Affine{1.0f / 256, -128});
  CHECK(tflite.affine(s) == Affine{1.0f / 256, -128});
  CHECK(tflite.affine(t) == Affine{1.0f / 128, 0});
  for (ValueId v : {s, p, t}) CHECK(!tflite.statistics.contains(v));
}

TEST_CASE("a Concat's range is that of its operands together, and nobody looks at it") {
  for (const char* engine : {"onnxruntime", "openvino", "tflite"}) {
    CAPTURE(engine);
    Graph g;
    ValueId x = conv(g, picture(g), 4, 1), a = conv(g, x, 4, 2), b = conv(g, a, 4, 3);
    ValueId both = build(g, "Concat", {a, b}, {{"axis", int64_t{1}}});
    g.add_output(conv(g, both, 4, 4));
    Planned planned(g, engine, all_seen());
    CHECK(!planned.statistics.contains(both));
    check_holds(planned.taken(both), ends(g, both));
  }
}

TEST_CASE("what is moved behind a Concat has the range of the Concat's operands") {
  for (const char* engine : {"onnxruntime", "openvino", "tflite"}) {
    CAPTURE(engine);
    Graph g;
    ValueId x = conv(g, picture(g), 4, 1), a = conv(g, x, 4, 2), b = conv(g, a, 4, 3);
    ValueId both = build(g, "Concat", {a, b}, {{"axis", int64_t{1}}});
    ValueId pooled = build(g, "MaxPool", {both}, {{"kernel_shape", Ints{1, 1}}});
    g.add_output(conv(g, pooled, 4, 4));
    Planned planned(g, engine, all_seen());
    check_holds(planned.taken(both), ends(g, both));
    CHECK(planned.affine(pooled) == planned.affine(both));
  }
}

TEST_CASE("a constant that is joined to others has its say in their scale") {
  for (const char* engine : {"onnxruntime", "openvino", "tflite"}) {
    CAPTURE(engine);
    Graph g;
    ValueId x = conv(g, picture(g), 4, 1);
    ValueId token = normal_constant(g, {1, 1, 8, 8}, 9, 50);
    ValueId both = build(g, "Concat", {token, x}, {{"axis", int64_t{1}}});
    g.add_output(conv(g, both, 4, 2));
    for (RangeMethod method : {RangeMethod::kMinMax, RangeMethod::kMovingAverage}) {
      Planned planned(g, engine, {.ranges = {method}});
      check_holds(planned.taken(both), ends(g, both));
    }
  }
}

TEST_CASE("plans that a planner remembers parts of equal those made afresh") {
  Graph g;
  ValueId x = conv(g, picture(g), 8, 1), y = build(g, "Relu", {conv(g, x, 8, 2)});
  ValueId sum = build(g, "Add", {x, y});
  g.add_output(conv(g, sum, 4, 3));
  for (const char* engine : {"onnxruntime", "tflm"}) {
    const Dialect d = dialect(engine);
    const PlanOptions options;
    Statistics statistics = look(g, values_to_see(g, d, place(g, d, {})));
    Planner remembering(g, d, statistics, options);
    // Without the last layer what it takes leaves, and has another range.
    const NodeId last = g.value(g.main().outputs[0]).producer, second = g.value(sum).producer;
    for (const std::set<NodeId>& kept : {std::set<NodeId>{}, {last}, {second}, {last, second}, {}}) {
      Plan a = remembering.plan(place(g, d, kept)).value();
      Plan b = Planner(g, d, statistics, options).plan(place(g, d, kept)).value();
      CHECK(a.groups == b.groups);
      REQUIRE(a.weights.size() == b.weights.size());
      for (const auto& [n, w] : a.weights) {
        CHECK(w.scales == b.weights.at(n).scales);
        CHECK(w.integers == b.weights.at(n).integers);
        CHECK(w.bias == b.weights.at(n).bias);
      }
    }
  }
}

TEST_CASE("a weighted layer has a scale a channel, a matrix of a microcontroller one for all") {
  Graph g;
  ValueId flat = build(g, "Flatten", {conv(g, picture(g), 6, 1)});
  ValueId y = build(g, "Gemm", {flat, normal_constant(g, {10, 384}, 2)}, {{"transB", int64_t{1}}});
  g.add_output(build(g, "MatMul", {y, normal_constant(g, {10, 7}, 3)}));
  for (const char* engine : {"onnxruntime", "tflm"}) {
    Planned planned(g, engine);
    bool whole = engine == std::string_view("tflm");
    for (const auto& [n, w] : planned.plan.weights) {
      size_t channels = g.node(n).is("Conv") ? 6 : g.node(n).is("Gemm") ? 10 : 7;
      CHECK(w.scales.size() == (whole && !g.node(n).is("Conv") ? 1 : channels));
      CHECK(w.bias.size() == (g.node(n).is("Conv") ? 6 : 0));
    }
    CHECK(planned.plan.weights.size() == 3);
  }
}

TEST_CASE("constants that hold NaN or infinity are refused by name, and so is a value that nobody saw") {
  enum { kWeights, kBias, kOperand, kUnseen };
  for (int wrong : {kWeights, kBias, kOperand, kUnseen}) {
    for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
      CAPTURE(wrong);
      Graph g;
      ValueId x = picture(g);
      std::vector<std::vector<float>> numbers = {normal_values(36 * 4, 1), normal_values(4, 2), normal_values(4, 3)};
      if (wrong != kUnseen) numbers[static_cast<size_t>(wrong)][2] = bad;
      ValueId w = g.add_constant("the_weights", Constant::of_floats(numbers[0], {4, 4, 3, 3}));
      ValueId b = g.add_constant("the_bias", Constant::of_floats(numbers[1], {4}));
      ValueId c = g.add_constant("the_operand", Constant::of_floats(numbers[2], {4, 1, 1}));
      ValueId y = build(g, "Add", {build(g, "Conv", {x, w, b}, {}, kMainBlock, "unseen"), c});
      g.add_output(conv(g, y, 4, 5));
      const Dialect d = dialect("onnxruntime");
      const PlanOptions options;
      Statistics statistics;
      for (ValueId v : values_to_see(g, d, place(g, d, {}))) statistics[v].histogram.add(normal_values(100, 1));
      if (wrong == kUnseen) statistics.erase(g.find("unseen"));
      Result<Plan> plan = Planner(g, d, statistics, options).plan(place(g, d, {}));
      REQUIRE(!plan.ok());
      CHECK(plan.error().code() == Code::kInvalid);
      const char* names[] = {"the_weights", "the_bias", "the_operand", "nothing was seen of 'unseen'"};
      CHECK_MESSAGE(plan.error().message().find(names[wrong]) != std::string::npos, plan.error().message());
    }
  }
}

TEST_CASE("what is to be seen for a placement is enough for every smaller one") {
  Graph g;
  ValueId x = conv(g, picture(g), 4, 1), a = conv(g, x, 4, 2);
  ValueId b = build(g, "MaxPool", {conv(g, x, 4, 3)}, {{"kernel_shape", Ints{1, 1}}});
  ValueId both = build(g, "Concat", {a, b}, {{"axis", int64_t{1}}});
  g.add_output(conv(g, build(g, "Add", {both, both}), 4, 4));
  for (const char* engine : {"onnxruntime", "openvino", "tensorrt", "tflite", "tflm"}) {
    const Dialect d = dialect(engine);
    const PlanOptions options;
    Statistics statistics = look(g, values_to_see(g, d, place(g, d, {})));
    Planner planner(g, d, statistics, options);
    for (NodeId one : g.order()) {
      for (NodeId other : g.order()) {
        Result<Plan> plan = planner.plan(place(g, d, {one, other}));
        CHECK_MESSAGE(plan.ok(), engine, ": ", (plan.ok() ? "" : plan.error().message()));
      }
    }
  }
}

}  // namespace oree
