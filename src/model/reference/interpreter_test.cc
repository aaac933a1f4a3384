// SPDX-License-Identifier: Apache-2.0
#include "model/reference/interpreter.h"

#include <algorithm>

#include "model/reference/kernel.h"
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Result<std::vector<Tensor>> run_graph(const Graph& g, const NamedTensors& inputs) {
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
  OREE_TRY_ASSIGN(NamedTensors out, interpreter.run(inputs));
  std::vector<Tensor> tensors;
  for (NamedTensor& t : out) tensors.push_back(std::move(t.tensor));
  return tensors;
}

}  // namespace

TEST_CASE("a graph runs in the order of its uses, with constants, and gives its outputs by name") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kBool, Dims{Dim("n")});
  ValueId c = g.add_constant("c", Constant(bools({1}, {1})));
  ValueId both = g.add("And", {x, c});
  g.rename(both, "both");
  ValueId neither = g.add("Not", {both});
  g.rename(neither, "neither");
  g.add_output(neither);
  g.add_output(both);
  g.add_output(both);  // an output may come twice
  g.add_output(c);     // or be a constant
  g.add_output(x);     // or an input
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(made);
  for (int run = 0; run < 2; ++run) {
    Result<NamedTensors> out = made->run({{"x", bools({2}, {0, 1})}});
    REQUIRE(out);
    REQUIRE(out->size() == 5);
    CHECK((*out)[0].name == "neither");
    check_equal((*out)[0].tensor, bools({2}, {1, 0}));
    check_equal((*out)[1].tensor, bools({2}, {0, 1}));
    check_equal((*out)[2].tensor, bools({2}, {0, 1}));
    check_equal((*out)[3].tensor, bools({1}, {1}));
    check_equal((*out)[4].tensor, bools({2}, {0, 1}));
  }
}

TEST_CASE("inputs must be there once each, of the type and shape that the graph says") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kBool, Dims{2, Dim("n")});
  g.add_output(g.add("Not", {x}));
  Tensor good = bools({2, 1}, {0, 1});
  CHECK(run_graph(g, {{"x", good}}));
  for (const NamedTensors& bad :
       {NamedTensors{}, NamedTensors{{"y", good}}, NamedTensors{{"x", good}, {"x", good}},
        NamedTensors{{"x", good}, {"y", good}}, NamedTensors{{"x", bools({2}, {0, 1})}},
        NamedTensors{{"x", bools({1, 1}, {0})}}, NamedTensors{{"x", floats({2, 1}, {0, 1})}}}) {
    Result<std::vector<Tensor>> out = run_graph(g, bad);
    REQUIRE(!out.ok());
    CHECK(out.error().code() == Code::kInvalid);
  }
}

TEST_CASE("an operator without a kernel is refused by name before anything runs") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kBool, Dims{});
  g.add_output(g.add("NoSuchOperator", {x}));
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(!made.ok());
  CHECK(made.error().code() == Code::kUnsupported);
  CHECK(made.error().message().find("NoSuchOperator") != std::string::npos);
}

TEST_CASE("states carry over, survive a failing run and can be reset") {
  Graph g;
  ValueId flip = g.add_input("flip", Dtype::kBool, Dims{Dim("n")});
  ValueId old = g.add_value("old", Dtype::kBool, Dims{2});
  ValueId now = g.add("Xor", {old, flip});
  g.add_output(now);
  g.add_state({"memory", old, now, Constant(bools({2}, {0, 0}))});
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(made);
  auto step = [&](Tensor t) { return made->run({{"flip", std::move(t)}}); };
  check_equal((*step(bools({2}, {1, 0})))[0].tensor, bools({2}, {1, 0}));
  check_equal((*step(bools({2}, {1, 1})))[0].tensor, bools({2}, {0, 1}));
  CHECK(!step(bools({3}, {1, 1, 1})).ok());
  check_equal((*step(bools({2}, {0, 0})))[0].tensor, bools({2}, {0, 1}));
  made->reset_states();
  check_equal((*step(bools({2}, {0, 0})))[0].tensor, bools({2}, {0, 0}));
}

TEST_CASE("an observer sees inputs and every value that a node makes") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kBool, Dims{1});
  ValueId a = g.add("Not", {x});
  ValueId b = g.add("Not", {a});
  g.add_output(b);
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(made);
  std::vector<std::pair<ValueId, double>> seen;
  made->observe([&](ValueId id, const Tensor& t) { seen.emplace_back(id, t.to_doubles()[0]); });
  REQUIRE(made->run({{"x", bools({1}, {1})}}));
  CHECK(seen == std::vector<std::pair<ValueId, double>>{{x, 1.0}, {a, 0.0}, {b, 1.0}});
}

TEST_CASE("one node is evaluated from tensors") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kBool, Dims{1});
  ValueId y = g.add("Not", {x});
  Tensor in = bools({1}, {0});
  const Tensor* inputs[] = {&in};
  ReferenceLimits left;
  Result<std::vector<Tensor>> out = evaluate_node(g, g.value(y).producer, inputs, left);
  REQUIRE(out);
  check_equal((*out)[0], bools({1}, {1}));
  const Tensor* none[] = {nullptr};
  CHECK(!evaluate_node(g, g.value(y).producer, none, left).ok());
  CHECK(!evaluate_node(g, g.value(y).producer, {}, left).ok());
}

TEST_CASE("quantized values go to no plain kernel that computes") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt8, Dims{1});
  g.set_quantization(x, Quantization{{0.5f}, {0}});
  g.add_output(g.add("BitwiseNot", {x}));
  CHECK(!Interpreter::create(g).ok());
  g.set_quantization(x, std::nullopt);
  CHECK(Interpreter::create(g).ok());
}

TEST_CASE("values that are alive are bounded together, those that are done with do not count") {
  auto chain = [](bool keep) {
    Graph g;
    ValueId v = g.add_input("x", Dtype::kFloat32, Dims{64});  // 256 bytes each
    for (int i = 0; i < 8; ++i) {
      v = g.add("Neg", {v});
      if (keep) g.add_output(v);
    }
    g.add_output(v);
    return g;
  };
  Tensor x(Dtype::kFloat32, {64});
  ReferenceLimits limits;
  limits.live_bytes = 1024;
  for (bool keep : {false, true}) {
    Graph g = chain(keep);
    Result<Interpreter> made = Interpreter::create(g, limits);
    REQUIRE(made);
    Result<NamedTensors> out = made->run({{"x", x}});
    CHECK(out.ok() == !keep);
    if (!out.ok()) CHECK(out.error().code() == Code::kExhausted);
  }
}

TEST_CASE("a value above its limit is not made") {
  Graph g;
  ValueId shape = g.add_input("shape", Dtype::kInt64, Dims{1});
  g.add_output(g.add("ConstantOfShape", {shape}));
  ReferenceLimits limits;
  limits.value_bytes = 1024;
  Result<Interpreter> made = Interpreter::create(g, limits);
  REQUIRE(made);
  CHECK(made->run({{"shape", list({256})}}).ok());
  Result<NamedTensors> out = made->run({{"shape", list({257})}});
  REQUIRE(!out.ok());
  CHECK(out.error().code() == Code::kExhausted);
}

}  // namespace oree
