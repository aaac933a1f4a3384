// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

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

TEST_CASE("an attribute of a kind that ONNX has not is refused") {
  Fill strange = [](ProtoWriter& w) {
    message(w, 5, [](ProtoWriter& a) { a.text(1, "axis"), a.number(3, 1), a.number(20, 255); });
  };
  Result<Model> model = read(file(12, {input("x", {"2", "3"}), output("y"), node("Softmax", {"x"}, {"y"}, {strange})}));
  REQUIRE_FALSE(model.ok());
  CHECK(model.error().message().find("attribute 'axis' is of kind 255") != std::string::npos);
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

TEST_CASE("every prefix of a model is refused or read") {
  for (const char* name : {"old", "control", "functions", "newest", "ancient", "scan8"}) {
    CAPTURE(name);
    std::ifstream in(std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/onnx_graph/" + name + ".onnx", std::ios::binary);
    Bytes whole{std::istreambuf_iterator<char>(in), {}};
    REQUIRE(read(Bytes(whole)).ok());
    for (size_t n = 0; n < whole.size(); ++n) {
      (void)read(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(n)));
    }
    CHECK_FALSE(read(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(whole.size() / 2))).ok());
  }
}

TEST_CASE("functions that multiply each other end at the limit of parts") {
  // Each level calls the one below 32 times: 32^9 nodes out of a few kilobytes.
  std::vector<Fill> functions = {opset("own", 1)};
  for (int level = 0; level < 9; ++level) {
    std::vector<Fill> calls;
    std::string below = level == 0 ? "Neg" : "F" + std::to_string(level - 1), at = "a";
    for (int i = 0; i < 32; ++i) {
      std::string next = i == 31 ? "b" : "t" + std::to_string(i);
      calls.push_back(node(below, {at}, {next}, {}, level == 0 ? "" : "own", 7));
      at = next;
    }
    functions.push_back(function("F" + std::to_string(level), {"a"}, {"b"}, calls));
  }
  Result<Model> model =
      read(file(17, {input("x", {"1"}), output("y"), node("F8", {"x"}, {"y"}, {}, "own")}, functions));
  CHECK(model.error().code() == Code::kInvalid);
  CHECK(model.error().message().find("more than") != std::string::npos);
}

TEST_CASE("a cycle is refused") {
  CHECK(read(file(17, {output("y"), node("Relu", {"z"}, {"y"}), node("Neg", {"y"}, {"z"})})).error().code() ==
        Code::kInvalid);
}

TEST_CASE("nodes may stand in any order") {
  Result<Model> model =
      read(file(17, {input("x", {"2"}), output("y"), node("Relu", {"z"}, {"y"}), node("Neg", {"x"}, {"z"})}));
  REQUIRE(model.ok());
  CHECK(ops(model->graph) == "Neg Relu");
  CHECK(model->graph.value(model->graph.find("y")).dims == Dims{2});
}

TEST_CASE("opsets that are not known and inputs that no graph holds are refused") {
  auto relu = [](int64_t version) {
    return read(file(version, {input("x", {"2"}), output("y"), node("Relu", {"x"}, {"y"})}));
  };
  CHECK(relu(28).ok());
  CHECK(relu(29).error().code() == Code::kUnsupported);
  CHECK(relu(0).error().code() == Code::kInvalid);
  CHECK(read(file(17, {input("x", {"2"}, 8), output("x", {"2"}, 8)})).error().code() == Code::kUnsupported);
  CHECK(read(file(17, {input("x", {"2"}, 14), output("x", {"2"}, 14)})).error().code() == Code::kUnsupported);
}

TEST_CASE("an initializer that is an input as well is a constant") {
  Result<Model> model = read(file(8, {input("x", {"3"}), input("w", {"3"}), floats("w", {3}, {1, 2, 3}), output("y"),
                                      node("Add", {"x", "w"}, {"y"})}));
  REQUIRE(model.ok());
  CHECK(model->graph.main().inputs.size() == 1);
  CHECK(model->graph.constant(model->graph.find("w")) != nullptr);
}

TEST_CASE("what follows from the inputs wins over shapes that a file declares wrongly") {
  Result<Model> model = read(file(17, {input("x", {"2", "3"}), output("y", {"7", "N"}), value(13, "m", 1, {"9"}),
                                       node("Relu", {"x"}, {"m"}), node("Neg", {"m"}, {"y"})}));
  REQUIRE(model.ok());
  CHECK(model->graph.value(model->graph.find("y")).dims == Dims{2, 3});
}

TEST_CASE("a scan over batches becomes one over the batch around one over the sequence") {
  Fill body_graph = together({input("s", {"2"}), input("e", {"2"}), output("so"), output("st"),
                              node("Add", {"s", "e"}, {"so"}), node("Identity", {"so"}, {"st"})});
  Result<Model> model = read(
      file(8, {input("s0", {"B", "2"}), input("x", {"B", "3", "2"}), output("t"), output("ts"),
               node("Scan", {"", "s0", "x"}, {"t", "ts"}, {integer("num_scan_inputs", 1), body("body", body_graph)})}));
  REQUIRE(model.ok());
  const Graph& g = model->graph;
  CHECK(ops(g) == "Scan");
  const Node& outer = g.node(g.order()[0]);
  CHECK(outer.integer("num_scan_inputs", 0) == 2);
  CHECK(ops(g, outer.blocks[0].second) == "Scan");
  CHECK(dims_text(*g.value(g.find("ts")).dims) == "B,3,2");
}

TEST_CASE("broadcasting from an axis becomes a shape that broadcasts by itself") {
  Result<Model> model = read(file(6, {input("x", {"2", "3", "4"}), input("b", {"3"}), output("y"),
                                      node("Add", {"x", "b"}, {"y"}, {integer("broadcast", 1), integer("axis", 1)})}));
  REQUIRE(model.ok());
  CHECK(ops(model->graph) == "Unsqueeze Add");
  CHECK(model->graph.value(model->graph.find("y")).dims == Dims{2, 3, 4});
}

TEST_CASE("attributes that a graph cannot hold are kept as they are") {
  Fill type = [](ProtoWriter& n) {
    message(n, 5, [](ProtoWriter& a) {
      a.text(1, "of");
      a.number(20, 13);
      message(a, 14, [](ProtoWriter& t) { message(t, 1, [](ProtoWriter& tensor) { tensor.number(1, 1); }); });
    });
  };
  Result<Model> model = read(
      file(17, {input("x", {"2"}), output("y", {"2"}), node("Foo", {"x"}, {"y"}, {type}, "own")}, {opset("own", 1)}));
  REQUIRE(model.ok());
  const Node& n = model->graph.node(model->graph.order()[0]);
  CHECK(n.attributes.empty());
  CHECK(as_text(n.unknown).find("of") != std::string_view::npos);
}

}  // namespace
}  // namespace oree
