// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/float_between.h"

#include "model/convert/convert.h"
#include "model/passes/quantization_nodes.h"
#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

constexpr float kStep = 0.02f;
constexpr Dtype kBytes = Dtype::kUint8;

ValueId behind(Graph& g, Node node, Dtype dtype) {
  const ValueId made = g.add_value(g.unique_name("pair"), dtype, g.value(node.inputs[0]).dims);
  node.outputs = {made};
  g.add_node(std::move(node));
  return made;
}

ValueId rounded(Graph& g, ValueId reals, float scale) {
  const Quantization q{{scale}, {128}, -1};
  return behind(g, dequantize_node(g, behind(g, quantize_node(g, reals, q, kBytes), kBytes), q, kBytes),
                Dtype::kFloat32);
}

struct Move {
  const char* op;  // nullptr: none
  Shape input;     // that it makes 1 x 4 x 6 x 6 of
  Attributes attributes;
  std::vector<Ints> constants;
};

// Integers, what moves them, a convolution in float one of whose channels is far larger than the others, integers.
Graph between(const Move& move) {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, to_dims(move.input));
  x = rounded(g, x, kStep);
  if (move.op != nullptr) {
    std::vector<ValueId> inputs{x};
    for (const Ints& values : move.constants) {
      inputs.push_back(g.add_constant(g.unique_name("how"), Constant::of_ints(values, {std::ssize(values)})));
    }
    x = build(g, move.op, inputs, move.attributes);
  }
  std::vector<float> weights = normal_values(5 * 4 * 9, 3);
  for (size_t i = 0; i < 4 * 9; ++i) weights[i] *= 500;
  x = build(g, "Conv", {x, g.add_constant("w", Constant::of_floats(weights, {5, 4, 3, 3}))}, {});
  g.add_output(rounded(g, x, 0.1f));
  REQUIRE(infer_types(g).ok());
  return g;
}

const std::vector<Move> kWays = {
    {nullptr, {1, 4, 6, 6}, {}, {}},
    {"Transpose", {1, 6, 6, 4}, {{"perm", Ints{0, 3, 1, 2}}}, {}},
    {"Reshape", {1, 144}, {}, {{1, 4, 6, 6}}},
    {"Squeeze", {1, 1, 4, 6, 6}, {}, {{0}}},
    {"Unsqueeze", {4, 6, 6}, {}, {{0}}},
    {"Slice", {1, 4, 9, 6}, {}, {{2}, {8}, {2}}},
    {"MaxPool", {1, 4, 7, 7}, {{"kernel_shape", Ints{2, 2}}}, {}},
    {"Pad", {1, 4, 4, 4}, {}, {{0, 0, 1, 1, 0, 0, 1, 1}}},
};

// The most steps that ONNX Runtime, with all its optimizers, is away from the reference.
double steps_away(const Graph& g, const NamedTensors& inputs) {
  PosixFiles files;
  TestFolder folder;
  Model model;
  model.graph = g;
  const std::string path = folder.path + "/between.onnx";
  REQUIRE(write_model(files, model, path, {}).ok());
  Result<std::unique_ptr<Session>> session = backend("onnxruntime").open(path, {});
  REQUIRE(session.ok());
  const NamedTensors found = (*session)->run(inputs).value(), wanted = run_graph(g, inputs);
  const std::vector<double> a = found[0].tensor.to_doubles(), b = wanted[0].tensor.to_doubles();
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most / 0.1;
}

}  // namespace

TEST_CASE("a scale once a channel changes nothing that a layer in float computes") {
  for (const Move& move : kWays) {
    CAPTURE(move.op);
    const Graph g = between(move);
    Graph kept = g;
    keep_float_between_integers(kept);
    check_same(g, kept);
    for (NodeId n : kept.order()) {
      if (!kept.node(n).is("Conv")) continue;
      const Node& maker = kept.node(kept.value(kept.node(n).inputs[0]).producer);
      REQUIRE(maker.is("DequantizeLinear"));
      CHECK(parameters_of(kept, maker)->scales.size() == 4);
    }
  }
}

TEST_CASE("a layer left in float between integers is in float in ONNX Runtime") {
  if (!engine_is_here("onnxruntime")) return;
  for (const Move& move : kWays) {
    CAPTURE(move.op);
    Graph g = between(move);
    const NamedTensors inputs = normal_inputs(g);
    CHECK(steps_away(g, inputs) > 2);  // else a later version has mended it, and this can go
    keep_float_between_integers(g);
    CHECK(steps_away(g, inputs) < 1.01);
  }
}

TEST_CASE("layers that no scale reaches stay as they are") {
  Graph padded = between({"Pad", {1, 4, 4, 4}, {}, {{0, 0, 1, 1, 0, 0, 1, 1}}});
  for (NodeId n : padded.order()) {
    if (!padded.node(n).is("Pad")) continue;
    const std::vector<float> far{-100};  // no such integer
    padded.set_input(n, 2, padded.add_constant("far", Constant::of_floats(far, {})));
  }
  Graph plain = between({"Relu", {1, 4, 6, 6}, {}, {}});
  for (Graph* g : {&padded, &plain}) {
    const size_t nodes = g->order().size();
    keep_float_between_integers(*g);
    CHECK(g->order().size() == nodes);
  }
}

}  // namespace oree
