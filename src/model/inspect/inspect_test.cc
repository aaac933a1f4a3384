// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/inspect.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "model/inspect/summary_parts.h"
#include "model/inspect/targets.h"
#include "model/onnx/onnx_fixture.h"
#include "model/ops/infer_fixture.h"

namespace oree {
namespace {

using infer_fixture::graph_of;

class TemporaryFile {
 public:
  explicit TemporaryFile(const char* name) : path_(std::filesystem::temp_directory_path() / name) {}
  ~TemporaryFile() { std::remove(path_.c_str()); }
  std::string path() const { return path_; }
  void write(const Bytes& bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  std::string path_;
};

std::string seed(const char* name) { return std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/" + name; }

TEST_CASE("an ONNX graph is summed over inferred shapes") {
  // Shapes that onnx.shape_inference gives: x 1x3x16x16, Conv 1x4x8x8, ConvTranspose 1x2x16x16, Gemm 1x6, MatMul 1x5.
  Result<ModelSummary> s = inspect_model(seed("onnx/small.onnx"));
  REQUIRE_MESSAGE(s.ok(), s.error().message());
  CHECK(s->format == ModelFormat::kOnnx);
  CHECK(s->versions.at("opset") == 17);
  CHECK(s->macs_by_op.at("Conv") == 4 * 8 * 8 * 3 * 3 * 3);
  CHECK(s->macs_by_op.at("ConvTranspose") == 4 * 8 * 8 * 2 * 2 * 2);
  CHECK(s->macs_by_op.at("Gemm") == 128 * 6);  // behind Shape, Gather, Concat and Reshape
  CHECK(s->macs_by_op.at("MatMul") == 3 * 5);  // behind Split
  CHECK(s->macs_unknown.empty());
  CHECK(s->parameters == 4 * 27 + 4 * 2 * 4 + 6 * 128 + 15 + 4 + 2);
  CHECK(s->weight_bytes.at("int64") == 7 * 8);
  CHECK(s->inputs.at(0).shape == Shape{-1, 3, 16, 16});
  REQUIRE(s->assumptions.size() == 1);
  CHECK(s->assumptions[0].find("taken as 1") != std::string::npos);
  CHECK(s->quantized_tensors == 1);
}

TEST_CASE("what cannot be counted is named, and the sum is a lower bound") {
  Result<ModelSummary> s = inspect_model(seed("onnx/odd.onnx"));
  REQUIRE_MESSAGE(s.ok(), s.error().message());
  CHECK(s->macs_by_op.at("LSTM") == 7 * 1 * (16 * 5 + 16 * 4));
  CHECK(s->macs_by_op.at("Einsum") == 7 * 1 * 5);
  CHECK(s->macs_unknown == std::map<std::string, int64_t>{{"MatMul", 1}});
  CHECK(s->graph_refused.empty());  // although weights.bin is not there
  CHECK(s->ops.at("MatMul") == 1);  // inside of a branch
  CHECK(s->custom_ops == std::vector<std::string>{"my.ops.Fancy"});
  CHECK(s->external_files == std::vector<std::string>{"weights.bin"});
  CHECK(s->external_bytes == 32768);
}

TEST_CASE("a TFLite graph is summed in its own layouts") {
  Result<ModelSummary> s = inspect_model(seed("tflite/small.tflite"));
  REQUIRE_MESSAGE(s.ok(), s.error().message());
  CHECK(s->macs_by_op.at("CONV_2D") == 8 * 8 * 4 * 3 * 3 * 3);
  CHECK(s->macs_by_op.at("DEPTHWISE_CONV_2D") == 8 * 8 * 8 * 3 * 3);
  CHECK(s->macs_by_op.at("FULLY_CONNECTED") == 128 * 6 * 4);
  CHECK(s->parameters == 4 * 27 + 72 + 24);
  CHECK(s->quantized_per_channel == 1);
  CHECK(s->custom_ops == std::vector<std::string>{"Fancy"});
  CHECK(s->inputs.at(0).shape == Shape{-1, 8, 8, 3});
}

TEST_CASE("an OpenVINO graph is summed from its ports") {
  ModelSummary s;
  std::string xml =
      "<net name=\"n\" version=\"11\"><layers>"
      "<layer id=\"0\" name=\"x\" type=\"Parameter\"><output><port id=\"0\" precision=\"FP32\" names=\"x,other\">"
      "<dim>1</dim><dim>4</dim><dim>8</dim><dim>8</dim></port></output></layer>"
      "<layer id=\"1\" name=\"w\" type=\"Const\"><data offset=\"0\" size=\"432\"/><output><port id=\"0\" "
      "precision=\"FP32\">"
      "<dim>2</dim><dim>3</dim><dim>2</dim><dim>3</dim><dim>3</dim></port></output></layer>"
      "<layer id=\"2\" name=\"c\" type=\"GroupConvolution\"><input>"
      "<port id=\"0\"><dim>1</dim><dim>4</dim><dim>8</dim><dim>8</dim></port>"
      "<port id=\"1\"><dim>2</dim><dim>3</dim><dim>2</dim><dim>3</dim><dim>3</dim></port></input>"
      "<output><port id=\"2\" "
      "precision=\"FP32\"><dim>1</dim><dim>6</dim><dim>8</dim><dim>8</dim></port></output></layer>"
      "</layers><edges><edge from-layer=\"0\" from-port=\"0\" to-layer=\"2\" to-port=\"0\"/></edges></net>";
  Status read = summarise_openvino(as_bytes(xml), 432, s);
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(s.macs == 6 * 8 * 8 * 2 * 3 * 3);
  CHECK(s.parameters == 2 * 3 * 2 * 9);
  CHECK(s.inputs.at(0).name == "x");
  ModelSummary torn;
  CHECK(summarise_openvino(as_bytes(xml), 431, torn).error().message().find(".bin") != std::string::npos);
  CHECK(summarise_openvino(as_bytes(xml), -1, torn).error().code() == Code::kInvalid);
}

TEST_CASE("products of dequantized integers run as integers, of weights alone they do not") {
  ModelSummary s;
  summarise_graph(graph_of("main (int8[2,3] a, float[2,3] f) => (y, z) <float s = {0.5}, int8[3,4] w = {1, 2, 3, 4, 5, "
                           "6, 7, 8, 9, 10, 11, 12}> {"
                           " da = DequantizeLinear (a, s) dw = DequantizeLinear (w, s)"
                           " y = MatMul (da, dw) z = MatMul (f, dw) }"),
                  s);
  CHECK(s.macs_by_arithmetic == std::map<std::string, int64_t>{{"int8", 24}, {"float32 x int8", 24}});
  CHECK(s.layers.size() == 3);          // dw follows from constants
  CHECK(s.layers[0].parameters == 1);   // the scale
  CHECK(s.layers[1].parameters == 12);  // through dw
  CHECK(s.layers[2].parameters == 0);   // counted already
}

TEST_CASE("free outermost dimensions become one item, the others stay and are named") {
  Graph g = graph_of("main (float[N,T,3] x, float[N,2] c) => (y) { y = Relu (x) }");
  ModelSummary s;
  REQUIRE(assume_one_item(g, s).ok());
  CHECK(dims_text(*g.value(g.find("y")).dims) == "1,T,3");
  CHECK(s.symbols.at("N") == "dimension 0 of 'x', dimension 0 of 'c'");
  CHECK(s.symbols.at("T") == "dimension 1 of 'x'");
  CHECK(s.assumptions.size() == 2);
  summarise_graph(g, s);
  CHECK(s.live_values_unknown == 2);
}

TEST_CASE("a file that no graph holds is still described, its costs said to be unknown") {
  using namespace onnx_fixture;
  TemporaryFile file("oree_inspect_test.onnx");
  // 'x' is a sequence: graphs have none. Field numbers are those of onnx.proto.
  ProtoWriter w;
  w.number(1, 8);
  message(w, 8, [](ProtoWriter& o) { o.number(2, 17); });
  message(w, 7, [](ProtoWriter& g) {
    message(g, 1, [](ProtoWriter& n) { n.text(1, "x"), n.text(2, "m"), n.text(4, "SequenceAt"); });
    message(g, 1, [](ProtoWriter& n) { n.text(1, "m"), n.text(1, "m"), n.text(2, "y"), n.text(4, "MatMul"); });
    message(g, 11, [](ProtoWriter& v) {
      v.text(1, "x");
      message(v, 2, [](ProtoWriter& t) { message(t, 4, [](ProtoWriter& q) { message(q, 1, {}); }); });
    });
    message(g, 12, [](ProtoWriter& v) { v.text(1, "y"); });
  });
  Bytes bytes;
  w.append_to(bytes);
  file.write(bytes);
  Result<Inspection> all = inspect(file.path());
  REQUIRE_MESSAGE(all.ok(), (all.ok() ? "" : all.error().message()));
  CHECK_FALSE(all->model.has_value());
  CHECK(all->summary.graph_refused.find("'x'") != std::string::npos);
  CHECK(all->summary.ops.at("SequenceAt") == 1);
  CHECK(all->summary.macs_unknown == std::map<std::string, int64_t>{{"MatMul", 1}});
  CHECK(all->summary.live_bytes_peak == -1);
  CHECK(try_targets(file.path(), *all, {}).empty());
  CHECK(inspect(file.path(), {{{"N", 1}}, {}}).error().code() == Code::kUnsupported);
}

TEST_CASE("who could take a graph is tried, and what stands in the way is named") {
  Result<Inspection> odd = inspect(seed("onnx/odd.onnx"));
  REQUIRE(odd.ok());
  std::vector<Target> targets = try_targets(seed("onnx/odd.onnx"), *odd, {});
  REQUIRE(targets.size() == 3);
  CHECK_FALSE(targets[0].possible);
  CHECK(targets[0].why.find("my.ops.Fancy") != std::string::npos);
  CHECK(targets[1].possible);  // ONNX holds custom operators
  CHECK_FALSE(targets[2].possible);
}

TEST_CASE("a quantized operator that only TFLite has can go to ONNX, as conversion makes floats of it first") {
  Inspection difference;
  difference.model.emplace();
  difference.model->graph = graph_of(R"(main (
    int8[1,4] a,  #: int8[1,4] scale 0.02 zero -22
    int8[1,4] b  #: int8[1,4] scale 0.01 zero -14
  ) => (int8[1,4] y)
  {
    y = tflite.SQUARED_DIFFERENCE (a, b)  #: int8[1,4] scale 0.2 zero -6
  })");
  std::vector<Target> targets = try_targets("", difference, {});
  REQUIRE(targets.size() == 3);
  CHECK_MESSAGE(targets[1].possible, targets[1].why);
  CHECK_MESSAGE(targets[2].possible, targets[2].why);  // what is raised for ONNX stays as it is for TFLite

  // Of a file. Its int16 state takes a newer opset, not another operator.
  Result<Inspection> svdf = inspect(seed("tflite_run/svdf.tflite"));
  REQUIRE(svdf.ok());
  targets = try_targets(seed("tflite_run/svdf.tflite"), *svdf, {});
  REQUIRE(targets.size() == 3);
  CHECK_MESSAGE(targets[1].possible, targets[1].why);
  CHECK_MESSAGE(targets[2].possible, targets[2].why);
}

}  // namespace
}  // namespace oree
