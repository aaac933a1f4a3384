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
  Result<std::vector<Tensor>> out = evaluate_node(c.g, choose, inputs);
  REQUIRE(!out.ok());
  CHECK(out.error().code() == Code::kUnsupported);
  c.g.set_op(c.g.value(c.inner).producer, "NoSuchOperator");
  c.g.add_output(c.chosen);
  Result<Interpreter> made = Interpreter::create(c.g);
  REQUIRE(!made.ok());
  CHECK(made.error().message().find("NoSuchOperator") != std::string::npos);
}

}  // namespace oree
