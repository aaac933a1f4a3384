// SPDX-License-Identifier: Apache-2.0
#include "model/graph/graph.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace oree {
namespace {

size_t place(const std::vector<NodeId>& order, NodeId node) {
  return static_cast<size_t>(std::ranges::find(order, node) - order.begin());
}

}  // namespace

TEST_CASE("uses follow every change of a graph") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4});
  ValueId a = g.add("Relu", {x});
  ValueId b = g.add("Add", {a, a});
  g.add_output(b);
  CHECK(g.value(a).users.size() == 2);
  CHECK(g.only_user(a) == kNoNode);
  g.replace(a, x);
  CHECK(g.unused(a));
  CHECK(g.value(x).users.size() == 3);
  g.remove_node(g.value(a).producer);
  g.sweep();
  CHECK(g.main().nodes.size() == 1);
  CHECK(g.value(x).users.size() == 2);
  CHECK(g.value(a).producer == kNoNode);
}

TEST_CASE("nodes may be added in any order and come out sorted, bodies' uses included") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  ValueId condition = g.add_input("c", Dtype::kBool, Dims{});
  ValueId late = g.add_value("late");
  Node choose;
  choose.op = "If";
  choose.inputs = {condition};
  choose.outputs = {g.add_value("chosen")};
  NodeId branch = g.add_node(choose);
  BlockId then_block = g.add_block(branch, "then_branch"), else_block = g.add_block(branch, "else_branch");
  g.add_output(g.add("Neg", {late}, {}, then_block), then_block);
  g.add_output(x, else_block);
  Node relu;
  relu.op = "Relu";
  relu.inputs = {x};
  relu.outputs = {late};
  NodeId needed = g.add_node(relu);
  g.add_output(g.value(g.node(branch).outputs[0]).producer == branch ? g.node(branch).outputs[0] : kNoValue);
  std::vector<NodeId> order = g.order();
  CHECK(order.size() == 2);
  CHECK(place(order, needed) < place(order, branch));
  CHECK(g.all_nodes().size() == 3);
  g.remove_node(branch);
  CHECK(g.all_nodes().size() == 1);
  CHECK(g.value(late).users.empty());
}

TEST_CASE("a body that hands on an outer value without a node waits for it too") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  ValueId condition = g.add_input("c", Dtype::kBool, Dims{});
  ValueId late = g.add_value("late");
  Node choose;
  choose.op = "If";
  choose.inputs = {condition};
  choose.outputs = {g.add_value("chosen")};
  NodeId branch = g.add_node(choose);
  g.add_output(late, g.add_block(branch, "then_branch"));
  g.add_output(x, g.add_block(branch, "else_branch"));
  Node relu;
  relu.op = "Relu";
  relu.inputs = {x};
  relu.outputs = {late};
  NodeId needed = g.add_node(relu);
  std::vector<NodeId> order = g.order();
  CHECK(place(order, needed) < place(order, branch));
}

TEST_CASE("a replaced output keeps the name that the user knows") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  ValueId a = g.add("Relu", {x}, {}, kMainBlock, "inner");
  ValueId y = g.add("Identity", {a}, {}, kMainBlock, "scores");
  g.add_output(y);
  g.replace_keeping_name(y, a);
  CHECK(g.main().outputs == std::vector<ValueId>{a});
  CHECK(g.value(a).name == "scores");
  CHECK(g.find("scores") == a);
}

TEST_CASE("an input that becomes an output keeps its own name") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  ValueId y = g.add("Identity", {x}, {}, kMainBlock, "y");
  g.add_output(y);
  g.replace_keeping_name(y, x);
  CHECK(g.value(x).name == "x");
}

TEST_CASE("names are made unique, quickly also the thousandth") {
  Graph g;
  for (int i = 0; i < 5000; ++i) g.add_value("Conv");
  CHECK(g.find("Conv_4999") != kNoValue);
  CHECK(g.unique_name("Conv") == "Conv_5000");
}

TEST_CASE("a copy of a graph shares its weights and nothing else") {
  Graph g;
  ValueId w = g.add_constant("w", Constant(Tensor(Dtype::kFloat32, {1000})));
  g.add_output(g.add("Relu", {w}));
  Graph copy = g;
  CHECK(copy.value(w).constant->bytes().data() == g.value(w).constant->bytes().data());
  copy.remove_node(copy.value(copy.main().outputs[0]).producer);
  CHECK(g.all_nodes().size() == 1);
}

TEST_CASE("constants compare by bits and read back as numbers") {
  std::vector<int64_t> values{1, -1, INT64_MAX};
  Constant c = Constant::vector(values);
  CHECK(c.to_ints() == values);
  CHECK(c == Constant::vector(values));
  CHECK_FALSE(c == Constant::vector(std::vector<int64_t>{1, -1, 0}));
  CHECK_FALSE(c == c.reshaped({3, 1}));
  auto bytes = std::make_shared<const Bytes>(Bytes{0, 0, 0x80, 0x3f});
  CHECK(Constant::view(Dtype::kFloat32, {1}, *bytes, bytes).value().to_doubles()[0] == 1.0);
  CHECK_FALSE(Constant::view(Dtype::kFloat32, {2}, *bytes, bytes).ok());
}

}  // namespace oree
