// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/joins.h"

#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

// Scores of 0..1 beside boxes `times` as wide, as a detection head ends.
Graph head(float times, bool convolved = false) {
  Graph g;
  ValueId x = picture(g);
  ValueId scores = build(g, "Sigmoid", {conv(g, x, 4, 1)}, {}, kMainBlock, "scores");
  ValueId boxes = build(g, "Mul",
                        {build(g, "Sigmoid", {conv(g, x, 4, 2)}),
                         g.add_constant("times", Constant::of_floats(std::vector<float>{times}, {1}))},
                        {}, kMainBlock, "boxes");
  ValueId both = build(g, "Concat", {boxes, scores}, {{"axis", int64_t{1}}}, kMainBlock, "both");
  g.add_output(convolved ? conv(g, both, 3, 3) : both);
  return g;
}

std::vector<Join> joins_of(const Graph& g, const char* engine) {
  Planned planned(g, engine);
  return unlike_joins(g, planned.d, planned.plan.placement, planned.statistics);
}

}  // namespace

TEST_CASE("a join of boxes and scores is found, with its ranges, and is the last") {
  std::vector<Join> joins = joins_of(head(100), "tflm");
  REQUIRE(joins.size() == 1);
  CHECK(joins[0].name == "both");
  CHECK(joins[0].op == "Concat");
  CHECK(joins[0].last);
  REQUIRE(joins[0].operands.size() == 2);
  CHECK(joins[0].operands[0].name == "boxes");
  CHECK(joins[0].operands[0].range.high > 80);
  CHECK(joins[0].operands[1].range.high <= 1);
  CHECK(joins[0].steps_least() < 3);
  CHECK(joins[0].steps_least() > 2);
}

TEST_CASE("a join of like ranges is none to speak of") { CHECK(joins_of(head(3), "tflm").empty()); }

TEST_CASE("a join that a layer follows is not the last") {
  std::vector<Join> joins = joins_of(head(100, true), "tflm");
  REQUIRE(joins.size() == 1);
  CHECK_FALSE(joins[0].last);
}

TEST_CASE("where joins have scales of their own, or the tail is in float, there is none") {
  CHECK(joins_of(head(100), "tflite").empty());
  CHECK(joins_of(head(100, true), "onnxruntime").empty());
}

TEST_CASE("a split output is its operands, and computes the same") {
  Graph g = head(100), split = g;
  Result<int> count = split_outputs(split);
  REQUIRE(count.ok());
  CHECK(*count == 1);
  REQUIRE(split.main().outputs.size() == 2);
  CHECK(validate(split).ok());
  NamedTensors inputs = normal_inputs(g), whole = run_graph(g, inputs), parts = run_graph(split, inputs);
  CHECK(parts[0].name == "both_0");
  CHECK(parts[1].name == "both_1");
  std::vector<double> joined = parts[0].tensor.to_doubles(), more = parts[1].tensor.to_doubles();
  joined.insert(joined.end(), more.begin(), more.end());
  CHECK(joined == whole[0].tensor.to_doubles());
}

TEST_CASE("outputs that nothing joins, or whose parts have names already, are not split") {
  Graph g = head(100, true);
  CHECK(split_outputs(g).value() == 0);
  CHECK(g.main().outputs.size() == 1);
  Graph named = head(100);
  named.add_output(named.find("scores"));
  CHECK(split_outputs(named).value() == 0);
  CHECK(named.main().outputs.size() == 2);
}

}  // namespace oree
