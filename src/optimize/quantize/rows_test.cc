// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/rows.h"

#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

ValueId one_tap(Graph& g, ValueId x, int64_t to, uint64_t seed) {
  const int64_t from = to_shape(*g.value(x).dims)[1];
  return build(g, "Conv", {x, normal_constant(g, {to, from, 1, 1}, seed, 0.2f), normal_constant(g, {to}, seed + 1)});
}

ValueId reshaped(Graph& g, ValueId x, const Ints& shape) {
  return build(g, "Reshape", {x, g.add_constant("shape", Constant::vector(shape))});
}

// As detectors decode boxes: of each of 4 sides, what is expected over 8 bins.
Graph boxes_over_bins(bool biased) {
  Graph g;
  std::vector<ValueId> scales;
  for (int64_t size : {6, 3}) {
    const std::string name = "x" + std::to_string(size);
    const ValueId x = g.add_input(name, Dtype::kFloat32, Dims{1, 20, size, size});
    scales.push_back(reshaped(g, one_tap(g, x, 32, static_cast<uint64_t>(size)), {1, 32, size * size}));
  }
  const ValueId all = build(g, "Concat", scales, {{"axis", int64_t{2}}});
  const ValueId bins = build(g, "Transpose", {reshaped(g, all, {1, 4, 8, 45})}, {{"perm", Ints{0, 2, 1, 3}}});
  const ValueId shares = build(g, "Softmax", {bins}, {{"axis", int64_t{1}}});
  const std::vector<float> expected{0, 1, 2, 3, 4, 5, 6, 7}, more{0.5f};
  std::vector<ValueId> operands{shares, g.add_constant("bins", Constant::of_floats(expected, {1, 8, 1, 1}))};
  if (biased) operands.push_back(g.add_constant("bias", Constant::of_floats(more, {1})));
  g.add_output(reshaped(g, build(g, "Conv", operands), {1, 4, 45}));
  return g;
}

}  // namespace

TEST_CASE("who takes a leaving layer's channels last gets them without a transposition") {
  for (const Ints& perm : {Ints{0, 2, 3, 1}, Ints{0, 3, 2, 1}}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 20, 3, 4});
    ValueId scores = build(g, "Conv", {x, normal_constant(g, {8, 20, 1, 1}, 1), normal_constant(g, {8}, 2)});
    ValueId rows = build(g, "Transpose", {scores}, {{"perm", perm}});
    ValueId shape = g.add_constant("s", Constant::vector(Ints{1, -1, 4}));
    g.add_output(build(g, "Reshape", {rows, shape}, {}, kMainBlock, "boxes"));
    Planned planned(g, "onnxruntime");
    REQUIRE(planned.plan.placement.layers.size() == 1);
    Graph q = emitted(g, planned.plan);
    CHECK(count(q, "MatMulInteger") == 1);
    CHECK(count(q, "Transpose") == 3);
    REQUIRE(turn_tail(q, planned.plan, {}).ok());
    CHECK(validate(q).ok());
    CHECK(count(q, "Transpose") == (perm[1] == 2 ? 1 : 2));  // of the integers; and on
    check_same(emitted(g, planned.plan), q);
  }
}

TEST_CASE("an expectation over bins behind such layers is a product of rows; their results can be seen again") {
  for (bool biased : {false, true}) {
    CAPTURE(biased);
    const Graph g = boxes_over_bins(biased);
    Planned planned(g, "onnxruntime");
    REQUIRE(planned.plan.placement.layers.size() == 2);
    const Graph before = emitted(g, planned.plan);
    CHECK(count(before, "Conv") == 1);
    Graph q = before;
    Result<TurnedResults> turned = turn_tail(q, planned.plan, {});
    REQUIRE(turned.ok());
    CHECK(count(q, "Conv") == 0);
    CHECK(count(q, "MatMul") == 1);
    CHECK(count(q, "Transpose") <= 4);  // of the integers, and of what is small
    check_same(before, q, 1e-6);
    CHECK(turned->size() == 2);
    turn_back(q, *turned);
    for (const LayerPlace& layer : planned.plan.placement.layers) {
      Graph one = before, other = q;
      one.add_output(layer.result);
      other.add_output(layer.result);
      check_same(one, other, 1e-6);
    }
  }
}

TEST_CASE("nothing is turned when a value that is needed would go, or nothing leaves") {
  const Graph g = boxes_over_bins(false);
  Planned planned(g, "onnxruntime");
  const Graph before = emitted(g, planned.plan);
  Graph q = before;
  const ValueId needed = planned.plan.placement.layers[0].result;
  Result<TurnedResults> turned = turn_tail(q, planned.plan, {needed});
  REQUIRE(turned.ok());
  CHECK(turned->empty());
  CHECK(count(q, "Transpose") == count(before, "Transpose"));
  Planned other(g, "openvino");
  q = emitted(g, other.plan);
  REQUIRE(turn_tail(q, other.plan, {}).ok());
  CHECK(count(q, "Conv") == 3);
}

}  // namespace oree
