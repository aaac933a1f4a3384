// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_file.h"

#include <doctest/doctest.h>

namespace oree {
namespace {

const std::string kHead = "7767517\n";

Result<NcnnFile> read(const std::string& text, int64_t weights = 1000) { return read_ncnn(as_bytes(text), weights); }

std::string refusal(const std::string& text, int64_t weights = 1000) {
  Result<NcnnFile> file = read(text, weights);
  REQUIRE(!file.ok());
  CHECK(file.error().code() == Code::kInvalid);
  return file.error().message();
}

bool says(const std::string& text, const std::string& part, int64_t weights = 1000) {
  const std::string message = refusal(text, weights);
  INFO(message);
  const bool found = message.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("layers, blobs and parameters as exporters write them") {
  Result<NcnnFile> file = read(kHead +
                               "4 5\n"
                               "Input                    in0                      0 1 in0 0=20 1=10\r\n"
                               "Split     s  1 2 in0 a b\n"
                               "Convolution              conv_0 1 1 a 2 0=32 1=3 5=1 6=864 -23310=2,1.000000e-01,6.0\n"
                               "Pooling p 1 1 b 3 4=1 6=\"x y\" 30=1,2,3\n");
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message()));
  REQUIRE(file->layers.size() == 4);
  const NcnnLayer& conv = file->layers[2];
  CHECK(conv.type == "Convolution");
  CHECK(conv.name == "conv_0");
  CHECK(conv.bottoms == std::vector<std::string>{"a"});
  CHECK(conv.integer(6, 0) == 864);
  CHECK(conv.integer(7, 5) == 5);
  CHECK(conv.params.at(10).list);
  CHECK(conv.params.at(10).numbers == std::vector<double>{0.1, 6});
  CHECK(file->layers[3].params.at(6).text == "\"x y\"");
  CHECK(file->layers[3].params.at(30).numbers.size() == 3);
  CHECK(file->inputs == std::vector<std::string>{"in0"});
  CHECK(file->outputs == std::vector<std::string>{"2", "3"});
  CHECK(!file->note);
}

TEST_CASE("a note gives the model's own names and shapes back") {
  NcnnNote note;
  note.inputs = {{"a", "a picture", {1, 3, 4, 4}}};
  note.outputs = {{"b", "b", {}}};
  const std::string layers = kHead + "2 2\nInput a 0 1 a 0=4 1=4 2=3\nReLU b 1 1 a b\n";
  Result<NcnnFile> file = read(layers + ncnn_note_line(note));
  REQUIRE(file.ok());
  REQUIRE(file->note.has_value());
  CHECK(file->note->inputs[0].name == "a picture");
  CHECK(file->note->inputs[0].shape == Shape{1, 3, 4, 4});
  CHECK(file->note->outputs[0].shape.empty());
  note.outputs[0].blob = "c";
  says(layers + ncnn_note_line(note), "speaks of other inputs or outputs");
  says(layers + "# oree {\"inputs\":[]}\n", "note");
  says(layers + "# oree {\n", "note");
  CHECK(read(layers + "something else\n").ok());
}

TEST_CASE("what is malformed is refused by its line") {
  says("7767518\n1 1\nInput a 0 1 a\n", "7767517");
  says("", "7767517");
  says(kHead, "number of layers");
  says(kHead + "0 0\n", "number of layers");
  says(kHead + "9999999999 1\n", "number of layers");
  says(kHead + "2 2\nInput a 0 1 a\n", "layer 2 of 2: cut off");
  says(kHead + "1 1\nInput\n", "no type and name");
  says(kHead + "1 1\nInput a 0 -1 a\n", "number of tops");
  says(kHead + "1 1\nInput a 0 2 a\n", "has no 2 blobs");
  says(kHead + "1 1\nReLU a 1 1 x a\n", "no layer before makes its bottom 'x'");
  says(kHead + "2 2\nInput a 0 1 a\nInput b 0 1 a\n", "made twice");
  says(kHead + "2 1\nInput a 0 1 a\nInput b 0 1 b\n", "says 1 blobs");
  says(kHead + "1 1\nInput a 0 1 a x\n", "no parameter");
  says(kHead + "1 1\nInput a 0 1 a 99=1\n", "an id");
  says(kHead + "1 1\nInput a 0 1 a 0=1x\n", "no number");
  says(kHead + "1 1\nInput a 0 1 a -23300=3,1,2\n", "no number");
  says(kHead + "1 1\nInput a 0 1 a -23300=1,1,2\n", "more values");
  says(kHead + "1 1\nInput a 0 1 a -23300=99999999,1\n", "list's length");
  says(kHead + "1 1\n" + std::string(300, 'I') + " a 0 1 a\n", "255");
}

TEST_CASE("parameters with which ncnn would divide by zero or read past the weights are refused") {
  const std::string two = kHead + "2 2\nInput a 0 1 a 0=4 1=4 2=3\n";
  says(two + "Convolution b 1 1 a b 0=1 1=3 3=0 6=27\n", "parameter 3 is 0");
  says(two + "ConvolutionDepthWise b 1 1 a b 0=3 1=3 6=27 7=0\n", "parameter 7 is 0");
  says(two + "Convolution b 1 1 a b 0=1 1=0 6=27\n", "parameter 1 is 0");
  says(two + "Pooling b 1 1 a b 0=0 1=2 2=0\n", "parameter 2 is 0");
  CHECK(read(two + "Pooling b 1 1 a b 0=1 4=1\n").ok());
  says(two + "Convolution b 1 1 a b 0=1 1=3 6=2700\n", "2700 weights, but the .bin file 1000 bytes");
  says(two + "Convolution b 1 1 a b 0=1 1=3 6=27\n", "its weights are missing", -1);
  says(two + "InnerProduct b 1 1 a b 0=1 2=-5\n", "-5 weights");
  says(kHead + "1 1\nMemoryData a 0 1 a 0=100000 1=100000 2=100\n", "parameter");
  says(kHead + "1 1\nMemoryData a 0 1 a 0=100000\n", "100000 weights");
  says(two + "Gemm b 1 1 a b 5=1 8=100000 9=100000\n", "weights");
  says(two + "Interp b 1 1 a b 0=2 3=-1\n", "parameter 3 is -1");
}

TEST_CASE("names of the two files, and the look of the first") {
  CHECK(ncnn_weights_path("a/b.ncnn.param") == "a/b.ncnn.bin");
  CHECK(ncnn_weights_path("b.param") == "b.bin");
  CHECK(looks_like_ncnn(as_bytes("7767517\n1 1\n")));
  CHECK(looks_like_ncnn(as_bytes("7767517\r\n1 1\r\n")));
  CHECK(!looks_like_ncnn(as_bytes("77675171\n")));
  CHECK(!looks_like_ncnn(as_bytes("")));
  CHECK(ncnn_mat({1, 3, 4, 4}) == Shape{3, 4, 4});
  CHECK(ncnn_mat({2, 3}) == Shape{2, 3});
  CHECK(ncnn_mat({1}) == Shape{1});
  CHECK(ncnn_mat({}) == Shape{1});
}

}  // namespace oree
