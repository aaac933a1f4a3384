// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "core/base/limits.h"
#include "model/onnx/onnx_file.h"
#include "model/runtime/files/element_type.h"
#include "model/runtime/files/openvino_file.h"

namespace oree {
namespace {

Bytes load(const char* name) {
  std::ifstream in(std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Protobuf by hand: a length-delimited field, and a number.
std::string field(int number, const std::string& body) {
  std::string size;
  size_t n = body.size();
  for (; n >= 128; n >>= 7) size += static_cast<char>((n & 0x7f) | 0x80);
  return std::string(1, static_cast<char>(number << 3 | 2)) + size + static_cast<char>(n) + body;
}
std::string number(int id, uint64_t v) {
  std::string out(1, static_cast<char>(id << 3));
  for (; v >= 128; v >>= 7) out += static_cast<char>((v & 0x7f) | 0x80);
  return out + static_cast<char>(v);
}
Result<OnnxFile> onnx_with(const std::string& initializer) {
  // Parsed only to be judged: the views inside would not outlive this function.
  static std::string file;
  file = number(1, 8) + field(7, field(5, initializer)) + field(8, number(2, 17));
  return read_onnx(as_bytes(file));
}

TEST_CASE("every prefix of a model file is refused or read, never walked out of") {
  for (const char* name : {"onnx/small.onnx", "onnx/odd.onnx"}) {
    Bytes file = load(name);
    REQUIRE(read_onnx(file).ok());
    for (size_t n = 0; n < file.size(); ++n)
      (void)read_onnx(Bytes(file.begin(), file.begin() + static_cast<int64_t>(n)));
    CHECK(!read_onnx(ByteView(file).first(file.size() / 2)).ok());
  }
  Bytes xml = load("openvino/small.xml");
  REQUIRE(read_openvino(xml, 432).ok());
  size_t refused = 0;
  for (size_t n = 0; n < xml.size() - 8; ++n) refused += !read_openvino(ByteView(xml).first(n), 432).ok();
  CHECK(refused == xml.size() - 8);
}

TEST_CASE("tensors must have the bytes that their shape asks for") {
  std::string floats = number(1, 2) + number(1, 3) + number(2, 1) + field(8, "w");
  CHECK(onnx_with(floats + field(9, std::string(24, '\0'))).ok());
  CHECK(onnx_with(floats + field(9, std::string(23, '\0'))).error().message().find("'w'") != std::string::npos);
  CHECK(onnx_with(floats + field(4, std::string(24, '\0'))).ok());
  std::string huge = number(1, uint64_t{1} << 30) + number(2, 1) + field(8, "w");
  CHECK(onnx_with(huge + field(4, "1234")).error().code() == Code::kInvalid);
  std::string overflow = number(1, uint64_t{1} << 40) + number(1, uint64_t{1} << 40) + number(2, 1);
  CHECK(onnx_with(overflow).error().code() == Code::kInvalid);
  CHECK(onnx_with(number(1, ~uint64_t{0}) + number(2, 1)).error().code() == Code::kInvalid);  // dimension -1
}

TEST_CASE("a model may not name files outside of its folder") {
  auto external = [](const std::string& where) {
    return onnx_with(number(1, 4) + number(2, 1) + field(8, "w") + field(13, field(1, "location") + field(2, where)) +
                     number(14, 1));
  };
  CHECK(external("weights.bin").ok());
  CHECK(external("parts/weights..bin").ok());
  for (const char* bad : {"/etc/passwd", "../weights.bin", "a/../../b", "..", ""}) {
    CAPTURE(bad);
    CHECK(external(bad).error().code() == Code::kInvalid);
  }
}

TEST_CASE("graphs nested beyond the limit are refused") {
  auto nested = [](int depth) {
    std::string graph;
    for (int i = 0; i < depth; ++i) graph = field(1, field(4, "If") + field(5, field(6, graph)));
    std::string file = number(1, 8) + field(7, graph) + field(8, number(2, 17));
    return read_onnx(as_bytes(file)).ok();
  };
  CHECK(nested(kModelNestingMax));
  CHECK(!nested(kModelNestingMax + 1));
}

TEST_CASE("element types have their names in numpy's words") {
  CHECK(openvino_element("FP16").dtype == Dtype::kFloat16);
  CHECK(openvino_element("nonsense").bits == 0);
}

}  // namespace
}  // namespace oree
