// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/inspect.h"

#include <doctest/doctest.h>

#include "model/inspect/summary_parts.h"

namespace oree {
namespace {

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

}  // namespace
}  // namespace oree
