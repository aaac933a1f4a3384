// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_file.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

Bytes load(const char* name) {
  std::ifstream in(std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("every prefix of a TFLite file is refused or read, never walked out of") {
  Bytes file = load("tflite/small.tflite");
  REQUIRE(read_tflite(file).ok());
  for (size_t n = 0; n < file.size(); ++n) {
    (void)read_tflite(Bytes(file.begin(), file.begin() + static_cast<int64_t>(n)));
  }
  CHECK(!read_tflite(ByteView(file).first(file.size() / 2)).ok());
}

TEST_CASE("a flatbuffer's wrong index is found wherever it is") {
  Bytes file = load("tflite/small.tflite");
  Result<TfliteFile> good = read_tflite(file);
  REQUIRE(good.ok());
  CHECK(tflite_op_name(good->subgraphs[0].ops[0]) == "CONV_2D");
  CHECK(good->subgraphs[0].ops[0].inputs == std::vector<int32_t>{0, 1, -1});
  // The inputs of the first op lie in the file as 3, 0, 1, -1: each index beyond the tensors must be refused.
  const int32_t pattern[4] = {3, 0, 1, -1};
  size_t found = 0;
  for (size_t at = 0; at + sizeof pattern <= file.size(); at += 4) {
    if (std::memcmp(file.data() + at, pattern, sizeof pattern) != 0) continue;
    ++found;
    for (int32_t wrong : {9, 1000000, -2, INT32_MIN}) {
      Bytes broken = file;
      std::memcpy(broken.data() + at + 8, &wrong, 4);
      CHECK(read_tflite(broken).error().code() == Code::kInvalid);
    }
  }
  CHECK(found == 1);
}

TEST_CASE("TFLite's element types have their names in numpy's words") {
  CHECK(tflite_type(9).dtype == Dtype::kInt8);
  CHECK(tflite_type(0).dtype == Dtype::kFloat32);
  CHECK(tflite_type(5).dtype == std::nullopt);
  CHECK(tflite_type(-1).bits == 0);
  CHECK(tflite_type(1000).bits == 0);
  for (int code = 0; code < 23; ++code) {
    if (tflite_type(code).dtype) CHECK(tflite_type_code(*tflite_type(code).dtype) == code);
  }
}

TEST_CASE("builtin ops are found by number and by name") {
  CHECK(std::string(tflite_builtin_name(3)) == "CONV_2D");
  CHECK(tflite_builtin_code("STABLEHLO_CASE") == 209);
  CHECK(tflite_builtin_code("CONV") == -1);
  CHECK(tflite_builtin_name(-1) == nullptr);
  CHECK(tflite_builtin_name(210) == nullptr);
}

}  // namespace oree
