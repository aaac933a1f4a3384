// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "model/graph/print.h"
#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_fixture.h"

namespace oree {
namespace {

using namespace onnx_fixture;

Result<Model> rewritten(const Model& model, int opset) {
  OnnxWriteOptions options;
  options.opset = opset;
  Result<OnnxFiles> files = write_onnx_model(model, options);
  if (!files.ok()) return files.error();
  return read(std::move(files->model));
}

// The operators as they are in the file of that opset, in its own form.
std::string written_ops(const Model& model, int opset) {
  OnnxWriteOptions options;
  options.opset = opset;
  Result<OnnxFiles> files = write_onnx_model(model, options);
  if (!files.ok()) return "refused: " + files.error().message();
  Result<OnnxFile> raw = read_onnx(files->model);
  REQUIRE(raw.ok());
  std::string out;
  for (const OnnxNode& n : raw->graph.nodes) out += (out.empty() ? "" : " ") + std::string(n.op);
  return out;
}

Model one_node(const std::string& op, const std::vector<std::string>& dims, const std::vector<Fill>& attributes = {},
               int64_t version = 22) {
  Result<Model> model = read(file(version, {input("x", dims), output("y", dims), node(op, {"x"}, {"y"}, attributes)}));
  REQUIRE(model.ok());
  return *std::move(model);
}

TEST_CASE("what is read and written is the same model, with all that the file said") {
  Fill hint = [](ProtoWriter& n) { n.text(6, "a doc string"); };
  Result<Model> model =
      read(file(17,
                {input("x", {"N", "3"}), output("y", {"N", "3"}), floats("w", {3}, {1, 2, 3}),
                 node("Mul", {"x", "w"}, {"y"}, {hint}), [](ProtoWriter& g) { g.text(10, "of the graph"); }},
                {[](ProtoWriter& m) {
                  m.text(2, "maker"), m.text(3, "1.5"), m.text(4, "org.example"), m.number(5, 7), m.text(6, "a model");
                  message(m, 14, [](ProtoWriter& p) { p.text(1, "labels"), p.text(2, "cat,dog"); });
                  m.text(1000, "of the future");
                }}));
  REQUIRE(model.ok());
  Result<Model> again = rewritten(*model, 17);
  REQUIRE(again.ok());
  CHECK(again->producer == "maker");
  CHECK(again->producer_version == "1.5");
  CHECK(again->domain == "org.example");
  CHECK(again->model_version == 7);
  CHECK(again->doc == "a model");
  CHECK(again->metadata == std::map<std::string, std::string>{{"labels", "cat,dog"}});
  CHECK(again->unknown == model->unknown);
  CHECK(!again->unknown.empty());
  CHECK(again->graph_unknown == model->graph_unknown);
  const Graph &a = model->graph, &b = again->graph;
  CHECK(ops(a) == ops(b));
  const Node &before = a.node(a.order()[0]), &after = b.node(b.order()[0]);
  CHECK(after.unknown == before.unknown);
  CHECK(!after.unknown.empty());
  CHECK(after.name == before.name);
  CHECK(*b.constant(b.find("w")) == *a.constant(a.find("w")));
  CHECK(b.value(b.find("x")).dims == a.value(a.find("x")).dims);
  CHECK(b.value(b.find("x")).dims->at(0).symbol == "N");
}

TEST_CASE("an opset gets its own form of an operator, or what it had instead") {
  CHECK(written_ops(one_node("HardSwish", {"2", "3"}), 22) == "HardSwish");
  CHECK(written_ops(one_node("HardSwish", {"2", "3"}), 13) == "HardSigmoid Mul");
  CHECK(written_ops(one_node("Gelu", {"2", "3"}), 20) == "Gelu");
  CHECK(written_ops(one_node("Gelu", {"2", "3"}), 17) == "Mul Erf Mul Add Mul");
  CHECK(written_ops(one_node("Softmax", {"2", "3", "4"}, {integer("axis", 1)}), 13) == "Softmax");
  CHECK(written_ops(one_node("Softmax", {"2", "3", "4"}, {integer("axis", 1)}), 12) == "Transpose Softmax Transpose");
  CHECK(written_ops(one_node("Softmax", {"2", "3", "4"}, {integer("axis", -1)}), 12) == "Softmax");
}

TEST_CASE("axes go back into attributes and come out as inputs again") {
  Result<Model> model =
      read(file(18, {input("x", {"2", "1", "3"}), output("y"), ints("axes", {1}), node("Squeeze", {"x", "axes"}, {"s"}),
                     node("ReduceMean", {"s", "axes"}, {"y"})}));
  REQUIRE(model.ok());
  for (int opset : {7, 11, 13, 17, 18, 22}) {
    CAPTURE(opset);
    OnnxWriteOptions options;
    options.opset = opset;
    Result<OnnxFiles> files = write_onnx_model(*model, options);
    REQUIRE(files.ok());
    Result<OnnxFile> raw = read_onnx(files->model);
    REQUIRE(raw.ok());
    CHECK((raw->graph.nodes[0].find("axes") != nullptr) == (opset < 13));
    CHECK((raw->graph.nodes[1].find("axes") != nullptr) == (opset < 18));
    Result<Model> again = rewritten(*model, opset);
    REQUIRE(again.ok());
    const Graph& g = again->graph;
    CHECK(ops(g) == "Squeeze ReduceMean");
    for (NodeId n : g.order()) CHECK(g.constant(g.node(n).input(1))->to_ints() == std::vector<int64_t>{1});
  }
}

// The constant that an input of the only node has in the file of that opset.
std::vector<double> written_input(const std::string& text, int opset, size_t input) {
  Result<Model> model = parse_graph_text(text);
  REQUIRE_MESSAGE(model.ok(), model.error().message());
  Result<Model> again = rewritten(*model, opset);
  REQUIRE_MESSAGE(again.ok(), again.error().message());
  const Node& n = again->graph.node(again->graph.order().back());
  CHECK(n.op == "Resize");
  CHECK(n.find("axes") == nullptr);
  const Constant* c = again->graph.constant(n.input(input));
  return c ? c->to_doubles() : std::vector<double>();
}

TEST_CASE("a resize of some axes is one of all where an opset has no axes") {
  CHECK(written_input("main (float[1,3,4,5] x) => (float[1,3,8,10] y) <int64[2] s = {10, 8}> "
                      "{ y = Resize <axes = [3, -2]> (x, \"\", \"\", s) }",
                      17, 3) == std::vector<double>{1, 3, 8, 10});
  // A free batch is as the operand has it: computed.
  CHECK(written_input("main (float[N,3,4,5] x) => (float[N,3,8,10] y) <int64[2] s = {8, 10}> "
                      "{ y = Resize <axes = [2, 3]> (x, \"\", \"\", s) }",
                      17, 3)
            .empty());
  CHECK(written_input("main (float[1,3,4,5] x) => (float[1,3,6,5] y) <float[1] s = {1.5}> "
                      "{ y = Resize <axes = [2]> (x, \"\", s) }",
                      13, 2) == std::vector<double>{1, 1, 1.5, 1});
}

TEST_CASE("without an opset it is 17, or the lowest above that has the operators") {
  auto opset_for = [](const std::string& op, int64_t version) {
    Result<Model> model =
        read(file(version, {input("x", {"3"}, 6), output("y", {"3"}, 6), node(op, {"x", "x"}, {"y"})}));
    REQUIRE(model.ok());
    Result<OnnxFiles> files = write_onnx_model(*model, {});
    REQUIRE(files.ok());
    return read_onnx(files->model)->opsets[""];
  };
  CHECK(opset_for("Add", 22) == 17);
  CHECK(opset_for("BitwiseAnd", 22) == 18);
}

TEST_CASE("what an opset cannot say is refused with the node, the reason and an opset that can") {
  Result<Model> model = read(file(17, {input("x", {"3", "3"}), output("y"), node("Trilu", {"x"}, {"y"})}));
  REQUIRE(model.ok());
  std::string message = written_ops(*model, 11);
  CHECK(message.find("Trilu 'make_y'") != std::string::npos);
  CHECK(message.find("opset 14 would do") != std::string::npos);
  CHECK(written_ops(*model, 0) == "Trilu");
  Result<Model> bytes = read(file(17, {input("x", {"3"}, 3), output("y", {"3"}, 3), node("Relu", {"x"}, {"y"})}));
  REQUIRE(bytes.ok());
  message = written_ops(*bytes, 13);
  CHECK(message.find("int8") != std::string::npos);
  CHECK(message.find("opset 14 would do") != std::string::npos);
  OnnxWriteOptions options;
  options.opset = 6;
  CHECK(write_onnx_model(*model, options).error().code() == Code::kUsage);
}

TEST_CASE("an operator of another domain is carried through") {
  Result<Model> model = read(
      file(17, {input("x", {"3"}), output("y", {"3"}), node("Foo", {"x"}, {"y"}, {integer("k", 3)}, "com.example")},
           {opset("com.example", 4)}));
  REQUIRE(model.ok());
  Result<Model> again = rewritten(*model, 11);
  REQUIRE(again.ok());
  const Node& n = again->graph.node(again->graph.order()[0]);
  CHECK(n.domain == "com.example");
  CHECK(n.integer("k", 0) == 3);
  CHECK(again->custom_opsets.at("com.example") == 4);
}

TEST_CASE("a body never gives out what is not made in it") {
  Fill then_graph = output_untyped("x"), else_graph = together({output_untyped("k"), floats("k", {1}, {1})});
  Result<Model> model =
      read(file(16, {input("x", {"1"}), input("c", {}, 9), output("y", {"1"}),
                     node("If", {"c"}, {"y"}, {body("then_branch", then_graph), body("else_branch", else_graph)})}));
  REQUIRE(model.ok());
  Result<Model> again = rewritten(*model, 16);
  REQUIRE(again.ok());
  const Node& choose = again->graph.node(again->graph.order()[0]);
  for (const auto& [name, block] : choose.blocks) CHECK(ops(again->graph, block) == "Identity");
}

TEST_CASE("states become inputs and outputs and come back") {
  Model model;
  Graph& g = model.graph;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 4});
  ValueId zero = g.add_value("mem,in=1%", Dtype::kFloat32, Dims{1, 4}),
          five = g.add_value("b", Dtype::kFloat32, Dims{4});
  ValueId sum = g.add("Add", {x, zero}), product = g.add("Mul", {sum, five});
  g.add_output(sum);
  g.add_state({"first", zero, sum, Constant(Tensor(Dtype::kFloat32, {1, 4}))});
  ValueId next = g.add("Neg", {five});
  std::vector<float> start = {5, 5, 5, 5};
  g.add_state({"second", five, next, Constant::of_floats(start, {4})});
  g.add_output(product);
  OnnxWriteOptions options;
  Result<OnnxFiles> files = write_onnx_model(model, options);
  REQUIRE(files.ok());
  Result<OnnxFile> raw = read_onnx(files->model);
  REQUIRE(raw.ok());
  CHECK(raw->graph.inputs.size() == 3);
  CHECK(raw->graph.outputs.size() == 4);
  CHECK(raw->metadata.at("oree.state.0") == "name=first,input=mem%2cin%3d1%25,output=Add_1");
  CHECK(raw->metadata.contains("oree.state.1.initial"));
  Result<Model> again = read(std::move(files->model));
  REQUIRE(again.ok());
  CHECK(again->metadata.empty());
  CHECK(again->graph.main().inputs.size() == 1);
  CHECK(again->graph.main().outputs.size() == 2);
  REQUIRE(again->graph.states().size() == 2);
  const State &first = again->graph.states()[0], &second = again->graph.states()[1];
  CHECK(first.name == "first");
  CHECK(again->graph.value(first.input).name == "mem,in=1%");
  CHECK(second.initial.to_doubles() == std::vector<double>{5, 5, 5, 5});
}

TEST_CASE("metadata that names no state of the model stays metadata") {
  auto with = [](const std::string& line, const std::string& dim) {
    Fill meta = [=](ProtoWriter& m) {
      message(m, 14, [&](ProtoWriter& p) { p.text(1, "oree.state.0"), p.text(2, line); });
    };
    Result<Model> model = read(file(17, {input("x", {dim}), output("y", {dim}), node("Relu", {"x"}, {"y"})}, {meta}));
    REQUIRE(model.ok());
    return model->graph.states().size();
  };
  CHECK(with("name=s,input=x,output=y", "4") == 1);
  CHECK(with("name=s,input=x,output=y", "N") == 0);
  CHECK(with("name=s,input=x,output=y", "1000000000") == 0);  // nobody allocates that for a line of text
  CHECK(with("name=s,input=y,output=x", "4") == 0);
  CHECK(with("input", "4") == 0);
}

TEST_CASE("constants that may be replaced are inputs, too, which a reader takes for constants") {
  Result<Model> model =
      read(file(17, {input("x", {"3"}), output("y", {"3"}), floats("w", {3}, {1, 2, 3}), floats("v", {3}, {5, 6, 7}),
                     node("Mul", {"x", "w"}, {"m"}), node("Add", {"m", "v"}, {"y"})}));
  REQUIRE(model.ok());
  OnnxWriteOptions options;
  options.replaceable = {"w", "x", "nothing"};
  const Bytes bytes = write_onnx_model(*model, options).value().model;
  const OnnxFile written = read_onnx(bytes).value();
  REQUIRE(written.graph.inputs.size() == 2);
  CHECK(written.graph.inputs[0].name == "x");
  CHECK(written.graph.inputs[1].name == "w");
  CHECK(written.graph.inputs[1].shape == Shape{3});
  const Result<Model> again = read(Bytes(bytes));
  REQUIRE(again.ok());
  CHECK(again->graph.main().inputs.size() == 1);
  CHECK(again->graph.constant(again->graph.find("w"))->to_doubles() == std::vector<double>{1, 2, 3});
}

TEST_CASE("large constants go to the file beside, and come back from there") {
  Result<Model> model =
      read(file(17, {input("x", {"3"}), output("y", {"3"}), floats("w", {3}, {1, 2, 3}), floats("tiny", {1}, {4}),
                     floats("v", {3}, {5, 6, 7}), node("Mul", {"x", "w"}, {"m"}), node("Add", {"m", "tiny"}, {"n"}),
                     node("Add", {"n", "v"}, {"y"})}));
  REQUIRE(model.ok());
  OnnxWriteOptions options;
  options.external_threshold = 12;
  options.external_name = "weights.bin";
  Result<OnnxFiles> files = write_onnx_model(*model, options);
  REQUIRE(files.ok());
  CHECK(files->external.size() == 4096 + 12);
  CHECK(read(Bytes(files->model)).error().code() == Code::kUnsupported);
  OnnxReadOptions read_options;
  read_options.external = [&](const std::string& name) -> Result<ByteView> {
    CHECK(name == "weights.bin");
    return ByteView(files->external);
  };
  Result<Model> again = read(Bytes(files->model), read_options);
  REQUIRE(again.ok());
  const Graph& g = again->graph;
  CHECK(g.constant(g.find("v"))->to_doubles() == std::vector<double>{5, 6, 7});
  CHECK(g.constant(g.find("tiny"))->to_doubles() == std::vector<double>{4});
  files->external.resize(4096 + 11);
  CHECK(read(Bytes(files->model), read_options).error().code() == Code::kInvalid);
  options.external_name.clear();
  CHECK(write_onnx_model(*model, options).error().code() == Code::kUsage);
}

TEST_CASE("more than 2 GiB needs a file beside, and takes no memory to write there") {
  Model model;
  Graph& g = model.graph;
  ValueId at = g.add_input("x", Dtype::kFloat32, Dims{1});
  const Constant shared(Tensor(Dtype::kFloat32, {1 << 24}));  // the same 64 MiB, 33 times
  for (int i = 0; i < 33; ++i) at = g.add("Add", {at, g.add_constant("w", shared)});
  g.add_output(at);
  OnnxWriteOptions options;
  size_t model_bytes = 0, external_bytes = 0;
  OnnxSinks sinks;
  sinks.model = [&](ByteView part) -> Status { return model_bytes += part.size(), Status(); };
  sinks.external = [&](ByteView part) -> Status { return external_bytes += part.size(), Status(); };
  Status status = write_onnx_model(model, options, sinks);
  CHECK(status.error().code() == Code::kUnsupported);
  CHECK(model_bytes == 0);
  options.external_threshold = 1024;
  options.external_name = "w.bin";
  CHECK(write_onnx_model(model, options, sinks).ok());
  CHECK(model_bytes < 10000);
  CHECK(external_bytes == size_t{33} << 26);
}

TEST_CASE("sizes of some axes become those of all before opset 18, the batch from the operand itself") {
  for (std::string batch : {"1", "N"}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{batch == "N" ? Dim(batch) : Dim(1), Dim(3), Dim(4), Dim(5)});
    ValueId sizes = g.add_constant("sizes", Constant::vector(std::vector<int64_t>{8, 10}));
    ValueId y = g.add("Resize", {x, kNoValue, kNoValue, sizes}, {{"axes", std::vector<int64_t>{2, 3}}});
    g.add_output(y);
    Model model;
    model.graph = std::move(g);
    CHECK(written_ops(model, 18) == "Resize");
    CHECK(written_ops(model, 17) == (batch == "N" ? "Shape Slice Concat Resize" : "Resize"));
    Result<Model> again = rewritten(model, 17);
    REQUIRE(again.ok());
    ValueId out = again->graph.main().outputs[0];
    CHECK(dims_text(*again->graph.value(out).dims) == batch + ",3,8,10");
  }
}

TEST_CASE("writing ends with the sink's first error") {
  Model model = one_node("Relu", {"2"});
  for (int fail_at = 0;; ++fail_at) {
    int calls = 0;
    OnnxSinks sinks;
    sinks.model = [&](ByteView) -> Status {
      if (calls++ == fail_at) return Error(Code::kExhausted, "the disk is full");
      return {};
    };
    Status status = write_onnx_model(model, {}, sinks);
    if (status.ok()) {
      CHECK(fail_at > 3);
      break;
    }
    CHECK(status.error().code() == Code::kExhausted);
    CHECK(calls == fail_at + 1);
  }
}

}  // namespace
}  // namespace oree
