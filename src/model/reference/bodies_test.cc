// SPDX-License-Identifier: Apache-2.0
// The interpreter with bodies: what they see, and what outlives them.
#include <algorithm>

#include "model/reference/interpreter.h"
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

// if (condition) y = -outer else y = x, where `outer` is made by a node around the If and used nowhere else.
struct Choice {
  Graph g;
  ValueId outer = kNoValue, inner = kNoValue, chosen = kNoValue;

  Choice() {
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2});
    ValueId condition = g.add_input("condition", Dtype::kBool, Dims{});
    outer = g.add("Abs", {x});
    Node node;
    node.op = "If";
    node.inputs = {condition};
    chosen = g.add_value("chosen");
    node.outputs = {chosen};
    NodeId choose = g.add_node(std::move(node));
    BlockId yes = g.add_block(choose, "then_branch"), no = g.add_block(choose, "else_branch");
    inner = g.add("Neg", {outer}, {}, yes);
    g.add_output(inner, yes);
    g.add_output(x, no);  // handed on without any node
  }

  NamedTensors inputs(bool condition) const {
    return {{"x", floats({2}, {-1, 2})}, {"condition", bools({}, {condition ? 1.0 : 0.0})}};
  }
};

// A Loop within a Loop, each for `trips` turns; a number is doubled in the inner one.
struct Turns {
  Graph g;

  explicit Turns(int64_t trips) {
    ValueId n = g.add_constant("n", Constant::scalar(trips));
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{});
    BlockId outer_body = kMainBlock;
    ValueId around = add_loop(n, x, kMainBlock, outer_body);
    BlockId inner_body = kMainBlock;
    ValueId within = add_loop(n, around, outer_body, inner_body);
    ValueId twice = g.add("Add", {inner_value, inner_value}, {}, inner_body);
    g.add_output(twice, inner_body);
    g.add_output(within, outer_body);
  }

 private:
  ValueId inner_value = kNoValue;

  // In `block`; for the main block's loop, what its body gets is returned, else what the loop makes.
  ValueId add_loop(ValueId n, ValueId x, BlockId block, BlockId& body) {
    Node node;
    node.op = "Loop";
    node.inputs = {n, kNoValue, x};
    ValueId y = g.add_value(g.unique_name("y"));
    node.outputs = {y};
    NodeId loop = g.add_node(std::move(node), block);
    body = g.add_block(loop, "body");
    g.add_input(g.unique_name("i"), Dtype::kInt64, Dims{}, body);
    ValueId go_on = g.add_input(g.unique_name("c"), Dtype::kBool, Dims{}, body);
    inner_value = g.add_input(g.unique_name("v"), Dtype::kFloat32, Dims{}, body);
    g.add_output(go_on, body);
    if (block == kMainBlock) g.add_output(y);
    return block == kMainBlock ? inner_value : y;
  }
};

}  // namespace

TEST_CASE("a body uses the values around it, and hands on those that it does not make") {
  Choice c;
  ValueId after = c.g.add("Neg", {c.chosen});
  c.g.add_output(after);
  Result<Interpreter> made = Interpreter::create(c.g);
  REQUIRE(made);
  for (bool condition : {true, false, true}) {
    Result<NamedTensors> out = made->run(c.inputs(condition));
    REQUIRE(out);
    check_equal((*out)[0].tensor, condition ? floats({2}, {1, 2}) : floats({2}, {1, -2}));
  }
}

TEST_CASE("an observer sees the values of the body that ran, in the order in which they are made") {
  Choice c;
  c.g.add_output(c.chosen);
  Result<Interpreter> made = Interpreter::create(c.g);
  REQUIRE(made);
  std::vector<ValueId> seen;
  made->observe([&](ValueId id, const Tensor&) { seen.push_back(id); });
  REQUIRE(made->run(c.inputs(true)));
  CHECK(std::vector<ValueId>(seen.begin() + 2, seen.end()) == std::vector<ValueId>{c.outer, c.inner, c.chosen});
  seen.clear();
  REQUIRE(made->run(c.inputs(false)));
  CHECK(std::ranges::find(seen, c.inner) == seen.end());
}

TEST_CASE("a loop's body keeps what lies around it over all its iterations") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{});
  ValueId step = g.add("Abs", {x});  // used by the body only
  ValueId trips = g.add_constant("trips", Constant::scalar(int64_t{3}));
  Node node;
  node.op = "Loop";
  node.inputs = {trips, kNoValue, x};
  ValueId last = g.add_value("last"), all = g.add_value("all");
  node.outputs = {last, all};
  NodeId loop = g.add_node(std::move(node));
  BlockId body = g.add_block(loop, "body");
  g.add_input("i", Dtype::kInt64, Dims{}, body);
  ValueId go_on = g.add_input("go_on", Dtype::kBool, Dims{}, body);
  ValueId sum = g.add_input("sum", Dtype::kFloat32, Dims{}, body);
  ValueId next = g.add("Add", {sum, step}, {}, body);
  for (ValueId out : {go_on, next, next}) g.add_output(out, body);
  g.add_output(last);
  g.add_output(all);
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(made);
  Result<NamedTensors> out = made->run({{"x", floats({}, {-2})}});
  REQUIRE(out);
  check_equal((*out)[0].tensor, floats({}, {4}));
  check_equal((*out)[1].tensor, floats({3}, {0, 2, 4}));
}

TEST_CASE("an operator without a kernel is refused in a body, too, and a node with bodies is not evaluated alone") {
  Choice c;
  NodeId choose = c.g.value(c.chosen).producer;
  Tensor condition = bools({}, {1});
  const Tensor* inputs[] = {&condition};
  ReferenceLimits left;
  Result<std::vector<Tensor>> out = evaluate_node(c.g, choose, inputs, left);
  REQUIRE(!out.ok());
  CHECK(out.error().code() == Code::kUnsupported);
  c.g.set_op(c.g.value(c.inner).producer, "NoSuchOperator");
  c.g.add_output(c.chosen);
  Result<Interpreter> made = Interpreter::create(c.g);
  REQUIRE(!made.ok());
  CHECK(made.error().message().find("NoSuchOperator") != std::string::npos);
}

TEST_CASE("the turns of all loops together are bounded, and the limits are those of each run") {
  Turns few(3), many(1 << 19);
  ReferenceLimits limits;
  limits.run_steps = 1000;
  Result<Interpreter> made = Interpreter::create(few.g, limits);
  REQUIRE(made);
  for (int run = 0; run < 20; ++run) {
    Result<NamedTensors> out = made->run({{"x", floats({}, {1})}});
    REQUIRE(out);
    check_equal((*out)[0].tensor, floats({}, {512}));
  }
  Result<Interpreter> endless = Interpreter::create(many.g, limits);
  REQUIRE(endless);
  Result<NamedTensors> out = endless->run({{"x", floats({}, {1})}});
  REQUIRE(!out.ok());
  CHECK(out.error().code() == Code::kExhausted);
}

TEST_CASE("a loop's body says whether it takes its turn as a scalar or as a vector") {
  Graph g;
  ValueId n = g.add_constant("n", Constant::scalar(int64_t{2}));
  Node node;
  node.op = "Loop";
  node.inputs = {n, kNoValue};
  node.outputs = {g.add_value("turns")};
  g.add_output(node.outputs[0]);
  BlockId body = g.add_block(g.add_node(std::move(node)), "body");
  ValueId turn = g.add_input("i", Dtype::kInt64, Dims{1}, body);
  g.add_output(g.add_input("c", Dtype::kBool, Dims{}, body), body);
  g.add_output(turn, body);
  Result<Interpreter> made = Interpreter::create(g);
  REQUIRE(made);
  Result<NamedTensors> out = made->run({});
  REQUIRE(out);
  check_equal((*out)[0].tensor, ints({2, 1}, {0, 1}));
}

}  // namespace oree
