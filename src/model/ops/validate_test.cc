// SPDX-License-Identifier: Apache-2.0
#include "model/ops/validate.h"

#include <doctest/doctest.h>

#include <cmath>

namespace oree {
namespace {

// The message of the refusal; "" when there is none.
std::string refusal(const Graph& g) {
  Status s = validate(g);
  return s.ok() ? "" : s.error().message();
}

bool refuses(const Graph& g, std::string_view text) { return refusal(g).find(text) != std::string::npos; }

struct Pair {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4});
  ValueId y = g.add("Relu", {x}, {}, kMainBlock, "y");
};

TEST_CASE("a graph whose values are all made is valid") {
  Pair p;
  p.g.add_output(p.y);
  CHECK(refusal(p.g) == "");
}

TEST_CASE("a value that nothing makes is refused where it is used") {
  Pair p;
  ValueId orphan = p.g.add_value("orphan");
  p.g.add("Add", {p.y, orphan});
  CHECK(refuses(p.g, "uses 'orphan'"));
}

TEST_CASE("an output that nothing makes is refused") {
  Pair p;
  p.g.add_output(p.g.add_value("orphan"));
  CHECK(refuses(p.g, "output 'orphan'"));
}

TEST_CASE("a cycle is refused, also one through a body") {
  Pair p;
  ValueId a = p.g.add("Relu", {p.y});
  p.g.set_input(p.g.value(p.y).producer, 0, a);
  CHECK(refuses(p.g, "cycle"));

  Graph g;
  Node choose;
  choose.op = "If";
  choose.inputs = {g.add_input("c", Dtype::kBool, Dims{})};
  choose.outputs = {g.add_value("chosen")};
  NodeId n = g.add_node(choose);
  BlockId then_block = g.add_block(n, "then_branch"), else_block = g.add_block(n, "else_branch");
  g.add_output(g.node(n).outputs[0], then_block);
  g.add_output(g.add_constant("k", Constant::scalar(1.0f)), else_block);
  CHECK(refuses(g, "cycle"));
}

TEST_CASE("a node that uses what it makes is a cycle of one") {
  Pair p;
  p.g.set_input(p.g.value(p.y).producer, 0, p.y);
  CHECK(refuses(p.g, "cycle"));
}

TEST_CASE("what a body makes is not seen around it") {
  Graph g;
  Node choose;
  choose.op = "If";
  choose.inputs = {g.add_input("c", Dtype::kBool, Dims{})};
  choose.outputs = {g.add_value("chosen")};
  NodeId n = g.add_node(choose);
  BlockId then_block = g.add_block(n, "then_branch"), else_block = g.add_block(n, "else_branch");
  ValueId inner = g.add("Neg", {g.add_constant("k", Constant::scalar(1.0f))}, {}, then_block, "inner");
  g.add_output(inner, then_block);
  g.add_output(g.find("k"), else_block);
  CHECK(refusal(g) == "");
  g.add_output(g.add("Relu", {inner}));
  CHECK(refuses(g, "uses 'inner'"));
}

TEST_CASE("an operator has its inputs, its attributes and its bodies, and no others") {
  Pair p;
  SUBCASE("inputs") {
    p.g.add("Add", {p.y});
    CHECK(refuses(p.g, "has 1 inputs, not 2"));
  }
  SUBCASE("absent") {
    p.g.add("Add", {p.y, kNoValue});
    CHECK(refuses(p.g, "input 1 is absent"));
  }
  SUBCASE("unknown attribute") {
    p.g.add("Relu", {p.y}, {{"slope", 0.1f}});
    CHECK(refuses(p.g, "no attribute 'slope'"));
  }
  SUBCASE("attribute of another type") {
    p.g.add("Elu", {p.y}, {{"alpha", int64_t{1}}});
    CHECK(refuses(p.g, "must be a float, not an integer"));
  }
  SUBCASE("missing attribute") {
    p.g.add("Concat", {p.y});
    CHECK(refuses(p.g, "needs the attribute 'axis'"));
  }
  SUBCASE("missing body") {
    p.g.add("If", {p.y});
    CHECK(refuses(p.g, "bodies"));
  }
  SUBCASE("an operator that nobody knows may have anything") {
    p.g.add("Mystery", {p.y, kNoValue}, {{"slope", 0.1f}});
    CHECK(refusal(p.g) == "");
  }
}

TEST_CASE("quantization fits its tensor") {
  Pair p;
  ValueId q = p.g.add_input("q", Dtype::kInt8, Dims{2, 3});
  auto with = [&](Quantization quantization) {
    p.g.set_quantization(q, std::move(quantization));
    return refusal(p.g);
  };
  CHECK(with({{0.5f}, {-128}, -1}) == "");
  CHECK(with({{0.5f, 1, 2}, {0, 0, 0}, 1}) == "");
  CHECK(with({{0.5f}, {128}, -1}) != "");
  CHECK(with({{0.5f, 1}, {0, 0}, 1}) != "");
  CHECK(with({{0.5f, 1}, {0, 0}, -1}) != "");
  CHECK(with({{0.5f}, {0}, 2}) != "");
  CHECK(with({{NAN}, {0}, -1}) != "");
  CHECK(with({{}, {}, -1}) != "");
  CHECK(with({{0.5f}, {0, 1}, -1}) != "");
  p.g.set_quantization(q, {});
  p.g.set_quantization(p.x, Quantization{{0.5f}, {0}, -1});
  CHECK(refuses(p.g, "it is float32"));
}

TEST_CASE("a constant has the type that its value has") {
  Pair p;
  ValueId k = p.g.add_constant("k", Constant::scalar(1.0f));
  p.g.set_type(k, Dtype::kFloat16, Dims{});
  CHECK(refuses(p.g, "constant 'k'"));
}

TEST_CASE("a state is made somewhere and begins as what it is") {
  Pair p;
  ValueId memory = p.g.add_value("memory", Dtype::kFloat32, Dims{1, 4});
  ValueId next = p.g.add("Add", {p.y, memory});
  p.g.add_state({"memory", memory, next, Constant(Tensor(Dtype::kFloat32, {1, 4}))});
  CHECK(refusal(p.g) == "");
  p.g.clear_states();
  p.g.add_state({"memory", memory, next, Constant(Tensor(Dtype::kFloat32, {1, 5}))});
  CHECK(refuses(p.g, "begins as another type"));
}

TEST_CASE("a value is the input of one block only") {
  Pair p;
  p.g.add_state({"again", p.x, p.y, Constant(Tensor(Dtype::kFloat32, {1, 4}))});
  CHECK(refuses(p.g, "also made"));
}

}  // namespace
}  // namespace oree
