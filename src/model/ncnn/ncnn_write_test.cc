// SPDX-License-Identifier: Apache-2.0
// The text that the writer makes, and what it refuses. What it computes: model/convert/ncnn_engine_test.cc.
#include <doctest/doctest.h>

#include "model/graph/print.h"
#include "model/ncnn/ncnn_file.h"
#include "model/ncnn/ncnn_graph.h"
#include "model/ops/inference.h"

namespace oree {
namespace {

struct Written {
  std::string param;
  Bytes weights;
};

Result<Written> write(const std::string& text) {
  Result<Model> model = parse_graph_text("main " + text);
  REQUIRE_MESSAGE(model.ok(), text, ": ", (model.ok() ? "" : model.error().message()));
  forget_types(model->graph);  // "float y" is any output
  Status inferred = infer_types(model->graph);
  REQUIRE_MESSAGE(inferred.ok(), text, ": ", (inferred.ok() ? "" : inferred.error().message()));
  Written out;
  NcnnSinks sinks;
  sinks.param = [&](ByteView bytes) -> Status {
    out.param += as_text(bytes);
    return {};
  };
  sinks.weights = [&](ByteView bytes) -> Status {
    out.weights.insert(out.weights.end(), bytes.begin(), bytes.end());
    return {};
  };
  Status done = write_ncnn_model(*model, sinks);
  if (!done.ok()) {
    CHECK(out.param.empty());
    return done.error();
  }
  return out;
}

// Lines of one space between words.
std::string squeezed(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  return out;
}

void refuses(const std::string& text, const std::string& reason) {
  Result<Written> written = write(text);
  REQUIRE(!written.ok());
  INFO(written.error().message());
  CHECK(written.error().code() == Code::kUnsupported);
  CHECK(written.error().message().find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("a small network as ncnn's text and weights, and read again") {
  Result<Written> written = write(
      "(float[1,1,4,4] picture) => (float[1,2] score)"
      "< float[2,1,1,1] w = {1.0, 2.0}, float[2] b = {3.0, 4.0} >"
      "{ h = Conv (picture, w, b) r = Relu (h) p = GlobalAveragePool (r) score = Flatten (p) }");
  REQUIRE_MESSAGE(written.ok(), (written.ok() ? "" : written.error().message()));
  CHECK(squeezed(written->param) ==
        "7767517\n"
        "5 5\n"
        "Input picture 0 1 picture 0=4 1=4 2=1\n"
        "Convolution r 1 1 picture r 0=2 1=1 11=1 2=1 12=1 3=1 13=1 4=0 15=0 14=0 16=0 5=1 6=2 9=1\n"
        "Pooling p 1 1 r p 0=1 4=1\n"
        "Reshape p_reshaped 1 1 p p_reshaped 0=1 1=1 2=2\n"
        "Reshape p_reshaped_reshaped 1 1 p_reshaped p_reshaped_reshaped 0=2\n"
        "# oree {\"inputs\":[{\"blob\":\"picture\",\"name\":\"picture\",\"shape\":[1,1,4,4]}],"
        "\"outputs\":[{\"blob\":\"p_reshaped_reshaped\",\"name\":\"score\",\"shape\":[1,2]}]}\n");
  REQUIRE(written->weights.size() == 4 + 8 + 8);
  float values[4];
  std::copy_n(written->weights.data() + 4, 16, reinterpret_cast<uint8_t*>(values));
  CHECK(values[0] == 1);
  CHECK(values[3] == 4);
  Result<NcnnFile> read = read_ncnn(as_bytes(written->param), static_cast<int64_t>(written->weights.size()));
  REQUIRE(read.ok());
  CHECK(read->note->outputs[0].name == "score");
}

TEST_CASE("weights that are stored as float16 stay so") {
  Result<Written> written = write(
      "(float[1,1,4,4] x) => (float y)"
      "< float16[1,1,1,3] w = {15360, 16384, 48128} >"
      "{ c = Cast <to = 1> (w) y = Conv (x, c) }");
  REQUIRE_MESSAGE(written.ok(), (written.ok() ? "" : written.error().message()));
  REQUIRE(written->weights.size() == 4 + 8);  // a tag, three halves, and two bytes to a whole word
  CHECK(written->weights[0] == 0x47);
  CHECK(written->weights[3] == 0x01);
  CHECK(written->weights[5] == 0x3C);
}

TEST_CASE("a value that two nodes take goes through a Split") {
  Result<Written> written = write("(float[1,3] x) => (float a, float b) { a = Relu (x) b = Add (a, x) }");
  REQUIRE(written.ok());
  const std::string text = squeezed(written->param);
  INFO(text);
  CHECK(text.find("\n5 7\n") != std::string::npos);
  CHECK(text.find("Split x_split 1 2 x x_split x_split__1\n") != std::string::npos);
  CHECK(text.find("Split a_split 1 2 a a_split a_split__1\n") != std::string::npos);
}

TEST_CASE("what ncnn cannot express is refused by operator, node and reason") {
  refuses("(float[N,3] x) => (float y) { y = Relu (x) }", "input 'x' has the shape N,3");
  refuses("(int64[1,3] x) => (int64 y) { y = Neg (x) }", "input 'x' is int64");
  refuses("(float[1,3,4,5,6,7] x) => (float y) { y = Relu (x) }", "6 dimensions");
  refuses("(float[1,3,3] x) => (float y) { y = Det (x) }", "Det 'y': ncnn has no layer for it");
  refuses("(float[1,3] x) => (int64 y) { y = ArgMax (x) }", "ArgMax 'y'");
  refuses("(float[1,3] x) => (float y) { i = Cast <to = 6> (x) y = Cast <to = 1> (i) }", "'i' is int32");
  refuses("(float[2,1,4,4] x) => (float y) < float[1,1,1,1] w = {1.0} > { y = Conv (x, w) }", "one item of a batch");
  refuses("(float[1,1,4,4] x, float[1,1,1,1] w) => (float y) { y = Conv (x, w) }",
          "Conv 'y': its weights are not constant");
  refuses("(float[1,1,2,4,4] x) => (float y) < float[1,1,1,1,1] w = {1.0} > { y = Conv (x, w) }",
          "a window over 3 dimensions");
  refuses("(float[1,1,8,8] x) => (float y) { y = MaxPool <kernel_shape = [2,2], dilations = [2,2]> (x) }", "dilations");
  refuses(
      "(float[1,8] x) => (float y) < int64[1] s = {0}, int64[1] e = {8}, int64[1] a = {1}, int64[1] n = {2} >"
      "{ y = Slice (x, s, e, a, n) }",
      "a step of 2");
  refuses(
      "(float[1,1,4,4] x) => (float y) < float[4] s = {1.0, 1.0, 2.0, 2.0} >"
      "{ y = Resize <mode = \"cubic\"> (x, \"\", s) }",
      "the mode 'cubic'");
  refuses(
      "(float[1,1,4,4] x) => (float y) < float[4] s = {1.0, 1.0, 0.5, 0.5} >"
      "{ y = Resize <mode = \"nearest\", nearest_mode = \"ceil\"> (x, \"\", s) }",
      "points of 'half_pixel'");
  refuses("(float[1,3] x) => (float y) < float n = {1.5} > { y = Pow (x, n) }", "the power of 1.5");
  refuses("(float[1,3] x) => (float y) { y = Pow (x, x) }", "a power of numbers that may be zero or less");
  refuses("(float[1,3] x) => (float y) { y = Softmax <axis = 0> (x) }", "over the one item of a batch");
}

}  // namespace oree
