// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "model/onnx/onnx_fixture.h"

namespace oree {
namespace {

using namespace onnx_fixture;

std::vector<int64_t> ints_of(const Graph& g, ValueId id) {
  const Constant* c = g.constant(id);
  REQUIRE(c != nullptr);
  return c->to_ints();
}

TEST_CASE("an old opset's attributes arrive as inputs") {
  Result<Model> model =
      read(file(11, {input("x", {"2", "1", "3"}), output("y"), node("Squeeze", {"x"}, {"s"}, {integers("axes", {1})}),
                     node("ReduceMean", {"s"}, {"y"}, {integers("axes", {-1})})}));
  REQUIRE(model.ok());
  const Graph& g = model->graph;
  CHECK(ops(g) == "Squeeze ReduceMean");
  for (NodeId n : g.order()) {
    CHECK(g.node(n).attributes.empty());
    CHECK(ints_of(g, g.node(n).input(1)).size() == 1);
  }
}

TEST_CASE("softmax over several dimensions is flattened, over the last one it stays") {
  auto softmax = [](const std::string& rank4, int64_t axis) {
    std::vector<std::string> dims =
        rank4.empty() ? std::vector<std::string>{"2", "3"} : std::vector<std::string>{"2", "3", "4", "5"};
    Result<Model> model =
        read(file(12, {input("x", dims), output("y"), node("Softmax", {"x"}, {"y"}, {integer("axis", axis)})}));
    REQUIRE(model.ok());
    return ops(model->graph);
  };
  CHECK(softmax("", 1) == "Softmax");
  CHECK(softmax("4", 3) == "Softmax");
  CHECK(softmax("4", -1) == "Softmax");
  CHECK(softmax("4", 1) == "Shape Flatten Softmax Reshape");
}

TEST_CASE("constant nodes become constants whatever their form") {
  Result<Model> model = read(file(
      13, {output("a"), output("b"), output("c"), output("d"), node("Constant", {}, {"a"}, {real("value_float", 2)}),
           node("Constant", {}, {"b"}, {integers("value_ints", {3, 4})}),
           node("Constant", {}, {"c"}, {integer("value_int", 5)}),
           node("Constant", {}, {"d"}, {reals("value_floats", {6, 7})})}));
  REQUIRE(model.ok());
  const Graph& g = model->graph;
  CHECK(g.all_nodes().empty());
  CHECK(g.constant(g.find("a"))->to_doubles() == std::vector<double>{2});
  CHECK(ints_of(g, g.find("b")) == std::vector<int64_t>{3, 4});
  CHECK(g.value(g.find("c")).dims->empty());
  CHECK(g.value(g.find("d")).dtype == Dtype::kFloat32);
}

TEST_CASE("functions are inlined, with the attributes of each call") {
  Fill inner = function("Scale", {"v"}, {"w"},
                        {node("Constant", {}, {"k"}, {reference("value_float", "by", 1)}, "", 7),
                         node("Mul", {"v", "k"}, {"w"}, {}, "", 7), [](ProtoWriter& f) { f.text(6, "by"); }});
  Fill outer = function("Twice", {"a"}, {"b"},
                        {node("Scale", {"a"}, {"t"}, {real("by", 3)}, "own", 7),
                         node("Scale", {"t"}, {"b"}, {real("by", 5)}, "own", 7), opset("own", 1, 9)});
  Result<Model> model = read(file(17, {input("x", {"4"}), output("y"), node("Twice", {"x"}, {"y"}, {}, "own")},
                                  {opset("own", 1), inner, outer}));
  REQUIRE(model.ok());
  const Graph& g = model->graph;
  CHECK(ops(g) == "Mul Mul");
  std::vector<double> factors;
  for (NodeId n : g.order()) factors.push_back(g.constant(g.node(n).input(1))->to_doubles()[0]);
  CHECK(factors == std::vector<double>{3, 5});
}

TEST_CASE("a function that calls itself is refused") {
  Fill loop = function("Again", {"a"}, {"b"}, {node("Again", {"a"}, {"b"}, {}, "own", 7)});
  Result<Model> model =
      read(file(17, {input("x", {"4"}), output("y"), node("Again", {"x"}, {"y"}, {}, "own")}, {loop}));
  CHECK(model.error().code() == Code::kInvalid);
}

TEST_CASE("a body sees the values around it, and its own names first") {
  Fill then_graph = together({output_untyped("r"), node("Add", {"x", "x"}, {"r"})});
  Fill else_graph = together({output_untyped("r"), floats("h", {1}, {1}), node("Mul", {"x", "h"}, {"r"})});
  Result<Model> model =
      read(file(16, {input("x", {"1"}), input("h", {"1"}), input("c", {}, 9), output("y"),
                     node("If", {"c"}, {"y"}, {body("then_branch", then_graph), body("else_branch", else_graph)})}));
  REQUIRE(model.ok());
  const Graph& g = model->graph;
  const Node& choose = g.node(g.order()[0]);
  REQUIRE(choose.blocks.size() == 2);
  CHECK(ops(g, choose.blocks[0].second) == "Add");
  const Node& mul = g.node(g.order(choose.blocks[1].second)[0]);
  CHECK(mul.input(0) == g.find("x"));
  CHECK(g.constant(mul.input(1)) != nullptr);
}

TEST_CASE("names that are defined twice or nowhere are refused") {
  CHECK(read(file(17, {input("x", {"1"}), output("y"), node("Relu", {"x"}, {"y"}), node("Neg", {"x"}, {"y"})}))
            .error()
            .code() == Code::kInvalid);
  CHECK(read(file(17, {input("x", {"1"}), output("y"), node("Relu", {"z"}, {"y"})})).error().code() == Code::kInvalid);
  CHECK(read(file(17, {input("x", {"1"}), output("q"), node("Relu", {"x"}, {"y"})})).error().code() == Code::kInvalid);
}

}  // namespace
}  // namespace oree
