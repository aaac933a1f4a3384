// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_values.h"

#include <doctest/doctest.h>

#include "model/onnx/onnx_element.h"
#include "model/onnx/onnx_fixture.h"
#include "model/ops/element_types.h"

namespace oree {
namespace {

using namespace onnx_fixture;

// The values of one constant output, as a reader of the whole file finds them.
Result<Constant> values_of(int64_t element, const std::vector<int64_t>& dims, const Fill& fill) {
  Result<Model> model = read(file(21, {output("t", {}, element), tensor("t", element, dims, fill)}));
  if (!model.ok()) return model.error();
  return *model->graph.constant(model->graph.find("t"));
}

std::vector<double> doubles(const Result<Constant>& c) {
  REQUIRE(c.ok());
  return c->to_doubles();
}

TEST_CASE("every type is read from the field that holds it") {
  auto ints32 = [](std::vector<int64_t> v) { return [v](ProtoWriter& t) { t.packed(5, v); }; };
  CHECK(doubles(values_of(1, {2}, [](ProtoWriter& t) {
          t.packed(4, std::vector<float>{1.5, -2});
        })) == std::vector<double>{1.5, -2});
  CHECK(doubles(values_of(6, {2}, ints32({-7, 8}))) == std::vector<double>{-7, 8});
  CHECK(doubles(values_of(3, {2}, ints32({-7, 127}))) == std::vector<double>{-7, 127});
  CHECK(doubles(values_of(2, {1}, ints32({255}))) == std::vector<double>{255});
  CHECK(doubles(values_of(9, {2}, ints32({0, 1}))) == std::vector<double>{0, 1});
  CHECK(doubles(values_of(10, {1}, ints32({0x3c00}))) == std::vector<double>{1});
  CHECK(doubles(values_of(16, {1}, ints32({0x4000}))) == std::vector<double>{2});
  CHECK(doubles(values_of(22, {3}, ints32({0x1f, 0x07}))) == std::vector<double>{-1, 1, 7});
  CHECK(doubles(values_of(7, {2}, [](ProtoWriter& t) {
          t.packed(7, std::vector<int64_t>{-1, 1ll << 40});
        })) == std::vector<double>{-1, 0x1p40});
  CHECK(doubles(values_of(12, {1}, [](ProtoWriter& t) { t.packed(11, std::vector<int64_t>{0xffffffff}); })) ==
        std::vector<double>{0xffffffff});
}

TEST_CASE("a list may come number by number, as old writers did") {
  CHECK(doubles(values_of(1, {2}, [](ProtoWriter& t) { t.real(4, 3), t.real(4, 4); })) == std::vector<double>{3, 4});
  CHECK(doubles(values_of(7, {3}, [](ProtoWriter& t) {
          t.number(7, 1), t.packed(7, std::vector<int64_t>{2}), t.number(7, 3);
        })) == std::vector<double>{1, 2, 3});
}

TEST_CASE("raw values and packed floats are not copied") {
  Bytes floats_file = file(17, {output("t"), floats("t", {2}, {1, 2})});
  auto kept = std::make_shared<const Bytes>(std::move(floats_file));
  Result<Model> model = read_onnx_model(*kept, kept);
  REQUIRE(model.ok());
  const uint8_t* at = model->graph.constant(model->graph.find("t"))->bytes().data();
  CHECK(at >= kept->data());
  CHECK(at < kept->data() + kept->size());
}

TEST_CASE("a tensor with too few or too many values is refused") {
  for (int64_t count : {1, 3}) {
    std::vector<int64_t> values(static_cast<size_t>(count), 1);
    CHECK(values_of(7, {2}, [&](ProtoWriter& t) { t.packed(7, values); }).error().code() == Code::kInvalid);
    CHECK(values_of(6, {2}, [&](ProtoWriter& t) { t.packed(5, values); }).error().code() == Code::kInvalid);
  }
  // A shape that the file's bytes could never fill costs nothing.
  CHECK(values_of(7, {1 << 30}, [](ProtoWriter& t) { t.packed(7, std::vector<int64_t>{1}); }).error().code() ==
        Code::kInvalid);
}

TEST_CASE("types that no graph holds are refused by name") {
  Result<Constant> text = values_of(8, {1}, [](ProtoWriter& t) { t.text(6, "word"); });
  CHECK(text.error().code() == Code::kUnsupported);
  CHECK(text.error().message().find("string") != std::string::npos);
}

TEST_CASE("element codes lead to types and back") {
  for (int64_t code = 0; code < 30; ++code) {
    if (std::optional<Dtype> dtype = dtype_from_onnx(code)) CHECK(dtype_to_onnx(*dtype) == code);
  }
  CHECK(onnx_element(1).dtype == Dtype::kFloat32);
  CHECK(onnx_element(7).dtype == Dtype::kInt64);
  CHECK(onnx_element(16).dtype == std::nullopt);
  CHECK(dtype_from_onnx(16) == Dtype::kBfloat16);
  CHECK(onnx_element(-1).bits == 0);
  CHECK(onnx_element(1000).bits == 0);
}

}  // namespace
}  // namespace oree
