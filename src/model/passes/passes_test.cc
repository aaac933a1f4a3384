// SPDX-License-Identifier: Apache-2.0
#include "model/passes/passes.h"

#include "model/passes/test_passes.h"

namespace oree {
namespace {

ValueId floats(Graph& g, Shape shape, uint32_t seed) {
  return g.add_constant("c", random_constant(std::move(shape), seed));
}
ValueId number(Graph& g, float v) { return g.add_constant("n", Constant::scalar(v)); }
ValueId ints(Graph& g, std::vector<int64_t> values) { return g.add_constant("i", Constant::vector(values)); }
ValueId ones(Graph& g, int64_t n, float value) {
  return g.add_constant("p", Constant::of_floats(std::vector<float>(static_cast<size_t>(n), value), {n}));
}

}  // namespace

TEST_CASE("nodes that no output needs are dead, bodies with them") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  build(g, "Neg", {build(g, "Abs", {x})});
  g.add_output(build(g, "Relu", {x}));
  Graph before = g;
  CHECK(remove_dead(g).value() == 2);
  CHECK(g.all_nodes().size() == 1);
  check_same(before, g);
}

TEST_CASE("what depends on constants alone is computed, what would swell the file is not") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 3});
  ValueId c = build(g, "Add", {floats(g, {2, 3}, 1), floats(g, {2, 3}, 2)});
  ValueId large = build(g, "Expand", {number(g, 1), ints(g, {1000, 2, 3})});
  g.add_output(build(g, "Mul", {x, c}));
  g.add_output(build(g, "Add", {x, large}));
  Graph before = g;
  CHECK(fold_constants(g, 1000).value() == 1);
  CHECK(count_nodes(g, "Expand") == 1);
  check_same(before, g);
}

TEST_CASE("what would take minutes to compute stays a node") {
  Graph g;
  ValueId none = g.add_constant("none", Constant(Tensor(Dtype::kFloat32, {0, 1, 64, 64})));
  ValueId y = build(
      g, "AveragePool", {none},
      {{"kernel_shape", std::vector<int64_t>{1 << 29, 8}}, {"pads", std::vector<int64_t>{1 << 28, 4, 1 << 28, 4}}});
  g.add_output(y);
  CHECK(fold_constants(g, 1000).value() == 0);
}

TEST_CASE("a computed shape becomes a constant and its Reshape one that is known") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 3, 4});
  ValueId shape = build(g, "Shape", {x});
  ValueId first = build(g, "Gather", {shape, g.add_constant("zero", Constant::scalar(int64_t{0}))});
  ValueId target =
      build(g, "Concat", {build(g, "Unsqueeze", {first, ints(g, {0})}), ints(g, {-1})}, {{"axis", int64_t{0}}});
  g.add_output(build(g, "Reshape", {x, target}));
  Graph before = g;
  REQUIRE(clean(g).ok());
  CHECK(g.all_nodes().size() == 1);
  check_same(before, g);
}

TEST_CASE("equal nodes and equal constants are one") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  ValueId a = build(g, "Add", {x, floats(g, {4}, 3)}), b = build(g, "Add", {x, floats(g, {4}, 3)});
  g.add_output(build(g, "Mul", {a, b}));
  Graph before = g;
  CHECK(merge_common(g).value() == 2);
  CHECK(count_nodes(g, "Add") == 1);
  check_same(before, g);
}

TEST_CASE("two outputs that are the same both stay") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  g.add_output(build(g, "Abs", {x}));
  g.add_output(build(g, "Abs", {x}));
  Graph before = g;
  REQUIRE(clean(g).ok());
  check_same(before, g);
}

TEST_CASE("nodes that do nothing go, unless names on both sides are seen") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 3});
  ValueId a = build(g, "Mul", {build(g, "Add", {x, number(g, 0)}), number(g, 1)});
  ValueId b = build(g, "Reshape", {build(g, "Unsqueeze", {a, ints(g, {0})}), ints(g, {3, 2})});
  ValueId c = build(g, "Cast", {b}, {{"to", int64_t{1}}});
  g.add_output(build(g, "Identity", {c}));
  g.add_output(build(g, "Identity", {x}));
  Graph before = g;
  REQUIRE(clean(g).ok());
  CHECK(count_nodes(g, "Reshape") == 1);
  CHECK(count_nodes(g, "Identity") == 1);
  CHECK(g.all_nodes().size() == 2);
  check_same(before, g);
}

TEST_CASE("an If with a known condition is its branch") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  Tensor yes(Dtype::kBool, {});
  yes.data()[0] = 1;
  Node choose;
  choose.op = "If";
  choose.inputs = {g.add_constant("yes", Constant(yes))};
  choose.outputs = {g.add_value("chosen")};
  NodeId id = g.add_node(choose);
  BlockId then_block = g.add_block(id, "then_branch"), else_block = g.add_block(id, "else_branch");
  g.add_output(build(g, "Neg", {x}, {}, then_block), then_block);
  g.add_output(build(g, "Abs", {x}, {}, else_block), else_block);
  g.add_output(g.node(id).outputs[0]);
  REQUIRE(infer_types(g).ok());
  REQUIRE(clean(g).ok());
  CHECK(count_nodes(g, "If") == 0);
  CHECK(count_nodes(g, "Neg") == 1);
  CHECK(g.all_nodes().size() == 1);
  CHECK(g.value(g.main().outputs[0]).name == "chosen");
}

TEST_CASE("batch normalization and what follows it become the convolution's own weights") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 2, 5, 5});
  ValueId padded = build(g, "Pad", {x, ints(g, {0, 0, 1, 0, 0, 0, 1, 2})});
  ValueId y = build(g, "Conv", {padded, floats(g, {4, 1, 3, 3}, 1)}, {{"group", int64_t{2}}});
  y = build(g, "BatchNormalization", {y, floats(g, {4}, 2), floats(g, {4}, 3), floats(g, {4}, 4), ones(g, 4, 0.5f)});
  y = build(g, "Mul", {y, floats(g, {4, 1, 1}, 6)});
  y = build(g, "Add", {floats(g, {1, 4, 1, 1}, 7), y});
  y = build(g, "ConvTranspose", {y, floats(g, {4, 3, 2, 2}, 8), floats(g, {6}, 9)}, {{"group", int64_t{2}}});
  y = build(g, "BatchNormalization", {y, floats(g, {6}, 2), floats(g, {6}, 3), floats(g, {6}, 4), ones(g, 6, 2)});
  g.add_output(y);
  Graph before = g;
  REQUIRE(fold_batch_norm(g).ok());
  CHECK(g.all_nodes().size() == 2);
  check_same(before, g, 2e-2);
}

TEST_CASE("a convolution whose result is used elsewhere keeps its batch normalization") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 2, 5, 5});
  ValueId y = build(g, "Conv", {x, floats(g, {4, 2, 3, 3}, 1)});
  g.add_output(y);
  g.add_output(
      build(g, "BatchNormalization", {y, floats(g, {4}, 2), floats(g, {4}, 3), floats(g, {4}, 4), ones(g, 4, 1)}));
  CHECK(fold_batch_norm(g).value() == 0);
}

TEST_CASE("activations are recognised however their products are written") {
  struct Case {
    const char* op;
    ValueId (*write)(Graph&, ValueId);
  };
  const Case cases[] = {
      {"Swish",
       [](Graph& g, ValueId x) {
         return build(g, "Mul", {build(g, "Sigmoid", {x}), x});
       }},
      {"HardSwish",
       [](Graph& g, ValueId x) {
         ValueId c = build(g, "Clip", {build(g, "Add", {x, number(g, 3)}), number(g, 0), number(g, 6)});
         return build(g, "Div", {build(g, "Mul", {x, c}), number(g, 6)});
       }},
      {"HardSwish",
       [](Graph& g, ValueId x) {
         return build(g, "Mul", {x, build(g, "HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}})});
       }},
      {"HardSigmoid",
       [](Graph& g, ValueId x) {
         ValueId c = build(g, "Clip", {build(g, "Add", {number(g, 3), x}), number(g, 0), number(g, 6)});
         return build(g, "Mul", {c, number(g, 1.0f / 6)});
       }},
      {"Mish",
       [](Graph& g, ValueId x) {
         return build(g, "Mul", {x, build(g, "Tanh", {build(g, "Softplus", {x})})});
       }},
      {"Gelu",
       [](Graph& g, ValueId x) {
         ValueId e = build(g, "Erf", {build(g, "Div", {x, number(g, 1.41421354f)})});
         return build(g, "Mul", {build(g, "Mul", {x, build(g, "Add", {e, number(g, 1)})}), number(g, 0.5f)});
       }},
      {"Gelu",
       [](Graph& g, ValueId x) {
         ValueId cube = build(g, "Pow", {x, number(g, 3)});
         ValueId sum = build(g, "Add", {x, build(g, "Mul", {number(g, 0.044715f), cube})});
         ValueId t = build(g, "Tanh", {build(g, "Mul", {sum, number(g, 0.797884583f)})});
         return build(g, "Mul", {build(g, "Mul", {number(g, 0.5f), x}), build(g, "Add", {number(g, 1), t})});
       }},
      {"Clip",
       [](Graph& g, ValueId x) {
         return build(g, "Min", {build(g, "Max", {x, number(g, 0)}), number(g, 6)});
       }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.op);
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 8});
    g.add_output(c.write(g, x));
    Graph before = g;
    CHECK(recognise_activations(g).value() > 0);
    CHECK(count_nodes(g, c.op) == 1);
    CHECK(g.all_nodes().size() == 1);
    check_same(before, g, 2e-6);
  }
}

TEST_CASE("a gate of another value is no activation") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 8}), y = g.add_input("y", Dtype::kFloat32, Dims{2, 8});
  g.add_output(build(g, "Mul", {x, build(g, "Sigmoid", {y})}));
  CHECK(recognise_activations(g).value() == 0);
}

TEST_CASE("layer normalization is recognised from its parts") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 3, 8});
  ValueId d = build(g, "Sub", {x, build(g, "ReduceMean", {x, ints(g, {-1})})});
  ValueId var = build(g, "ReduceMean", {build(g, "Pow", {d, number(g, 2)}), ints(g, {-1})});
  ValueId y = build(g, "Div", {d, build(g, "Sqrt", {build(g, "Add", {var, number(g, 1e-5f)})})});
  y = build(g, "Add", {build(g, "Mul", {y, floats(g, {8}, 1)}), floats(g, {8}, 2)});
  g.add_output(y);
  Graph before = g;
  CHECK(recognise_layer_norm(g).value() > 0);
  CHECK(g.all_nodes().size() == 1);
  check_same(before, g, 1e-5);
}

TEST_CASE("symbols and inputs are frozen, and wrong names are refused with the right ones") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{Dim(std::string("batch")), 3, Dim(std::string("size"))});
  ValueId y = build(g, "Relu", {x});
  g.add_output(y);
  Graph other = g;
  REQUIRE(freeze_shapes(g, {{"batch", 2}, {"size", 5}}).ok());
  CHECK(*g.value(y).dims == Dims{2, 3, 5});
  REQUIRE(freeze_shapes(other, {}, {{"x", {4, 3, 7}}}).ok());
  CHECK(*other.value(y).dims == Dims{4, 3, 7});
  Status wrong = freeze_shapes(other, {{"bach", 1}});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message().find("bach") != std::string::npos);
  CHECK_FALSE(freeze_shapes(g, {}, {{"x", {1, 4, 5}}}).ok());
}

TEST_CASE("int64 arithmetic becomes int32, inputs and outputs keep their type") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt64, Dims{3});
  ValueId table = floats(g, {10, 2}, 1);
  ValueId sum = build(g, "Add", {x, ints(g, {1, 2, 3})});
  g.add_output(build(g, "Gather", {table, sum}));
  g.add_output(build(g, "Mul", {sum, x}));
  g.add_output(build(g, "Reshape",
                     {table, build(g, "Concat", {build(g, "Slice", {x, ints(g, {0}), ints(g, {0})}), ints(g, {-1})},
                                   {{"axis", int64_t{0}}})}));
  Graph before = g;
  CHECK(narrow_int64(g).value() > 0);
  CHECK(*g.value(g.find("x")).dtype == Dtype::kInt64);
  check_same(before, g);
}

TEST_CASE("an int64 constant that does not fit int32 is refused by name") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt64, Dims{1});
  g.add_output(build(g, "Add", {x, ints(g, {int64_t{1} << 40})}));
  PassResult r = narrow_int64(g);
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().code() == Code::kUnsupported);
  CHECK(r.error().message().find("1099511627776") != std::string::npos);
}

TEST_CASE("weights are halved, what float16 cannot hold is not") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 64});
  ValueId w = floats(g, {64, 4}, 1);
  Tensor wide = test_tensor(Dtype::kFloat32, {1, 64}, 3);
  wide.as<float>()[5] = 1e30f;
  g.add_output(build(g, "MatMul", {build(g, "Add", {x, g.add_constant("wide", Constant(wide))}), w}));
  CHECK(to_float16_weights(g).value() == 1);
  CHECK(g.constant(g.find("wide"))->dtype() == Dtype::kFloat32);
  CHECK(validate(g).ok());
}

}  // namespace oree
