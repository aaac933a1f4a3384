// SPDX-License-Identifier: Apache-2.0
// Casts, new tensors, sorting, and ONNX's quantization. Expected values: by hand.
#include <limits>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor u8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kUint8, std::move(shape), values); }
Tensor i8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kInt8, std::move(shape), values); }
Attributes number(const std::string& name, int64_t value) { return {{name, value}}; }

}  // namespace

TEST_CASE("Cast takes ONNX's numbers of element types") {
  Tensor x = floats({3}, {-1.5, 0, 300.7});
  check_equal(run_op("Cast", {x}, number("to", 3)), i8({3}, {-1, 0, 127}));
  check_equal(run_op("Cast", {x}, number("to", 9)), bools({3}, {1, 0, 1}));
  check_equal(run_op("Cast", {x}, number("to", 16)), tensor_of(Dtype::kBfloat16, {3}, {-1.5, 0, 300}));
  check_equal(run_op("Cast", {ints({1}, {-1})}, number("to", 13)), tensor_of(Dtype::kUint64, {1}, {0x1p64}));
  check_equal(run_op("Cast", {i8({2}, {-3, 7})}, number("to", 22)), tensor_of(Dtype::kInt4, {2}, {-3, 7}));
  check_equal(run_op("CastLike", {x, u8({}, {0})}), u8({3}, {0, 0, 255}));
  CHECK(run_op("BitCast", {floats({1}, {1})}, number("to", 6)).as<int32_t>()[0] == 0x3f800000);
  CHECK(code_of("BitCast", {x}, number("to", 11)) == Code::kInvalid);
  CHECK(code_of("Cast", {x}, number("to", 8)) == Code::kUnsupported);  // string
  CHECK(code_of("Cast", {x}, number("to", 99)) == Code::kInvalid);
}

TEST_CASE("tensors from few numbers") {
  check_equal(run_op("ConstantOfShape", {list({2, 1})}), floats({2, 1}, {0, 0}));
  check_equal(run_op("ConstantOfShape", {list({})}, {{"value", Constant(i8({1}, {7}))}}), i8({}, {7}));
  CHECK(code_of("ConstantOfShape", {list({-1})}) == Code::kInvalid);
  CHECK(code_of("ConstantOfShape", {list({1 << 20, 1 << 10})}) == Code::kExhausted);
  check_equal(run_op("Range", {ints({}, {5}), ints({}, {-2}), ints({}, {-3})}), list({5, 2, -1}));
  check_near(run_op("Range", {floats({}, {0}), floats({}, {1}), floats({}, {0.4})}), floats({3}, {0, 0.4, 0.8}));
  check_equal(run_op("Range", {ints({}, {5}), ints({}, {5}), ints({}, {1})}), list({}));
  Tensor wide = run_op("Range", {ints({}, {INT64_MIN}), ints({}, {INT64_MAX}), ints({}, {INT64_MAX})});
  CHECK(wide.elements() == 3);
  CHECK(wide.as<int64_t>()[2] == INT64_MAX - 1);
  CHECK(code_of("Range", {ints({}, {0}), ints({}, {1}), ints({}, {0})}) == Code::kInvalid);
  CHECK(code_of("Range", {ints({}, {0}), ints({}, {INT64_MAX}), ints({}, {1})}) == Code::kInvalid);
  check_equal(run_op("EyeLike", {i8({2, 3}, {9, 9, 9, 9, 9, 9})}, number("k", 1)), i8({2, 3}, {0, 1, 0, 0, 0, 1}));
  check_equal(run_op("EyeLike", {i8({1, 1}, {0})}, number("dtype", 1)), floats({1, 1}, {1}));
  Tensor values = floats({2}, {-1, 5});
  check_equal(run_op("OneHot", {list({0, -1, 7}), ints({}, {2}), values}), floats({3, 2}, {5, -1, -1, 5, -1, -1}));
  check_equal(run_op("OneHot", {list({0, 1}), floats({1}, {3}), values}, number("axis", 0)),
              floats({3, 2}, {5, -1, -1, 5, -1, -1}));
  CHECK(code_of("OneHot", {list({0}), ints({}, {-2}), values}) == Code::kInvalid);
}

TEST_CASE("TopK gives the lower index first among equals") {
  auto top = [](Tensor x, int64_t k, Attributes attributes) {
    Result<std::vector<Tensor>> out = OneNode{"TopK", {std::move(x), list({k})}, std::move(attributes), 2}.run();
    if (!out) FAIL(out.error().message());
    return *out;
  };
  std::vector<Tensor> out = top(floats({2, 3}, {3, 1, 3, 0, NAN, 2}), 2, {});
  check_equal(out[0], floats({2, 2}, {3, 3, NAN, 2}));
  check_equal(out[1], ints({2, 2}, {0, 2, 1, 2}));
  out = top(floats({3, 1}, {3, 1, 3}), 2, {{"axis", int64_t{0}}, {"largest", int64_t{0}}});
  check_equal(out[0], floats({2, 1}, {1, 3}));
  check_equal(out[1], ints({2, 1}, {1, 0}));
  CHECK(code_of("TopK", {floats({2}, {1, 2}), list({3})}) == Code::kInvalid);
}

TEST_CASE("NonZero gives coordinates in row-major order") {
  check_equal(run_op("NonZero", {floats({2, 2}, {1, 0, NAN, 2})}), ints({2, 3}, {0, 1, 1, 0, 0, 1}));
  check_equal(run_op("NonZero", {bools({}, {1})}), ints({0, 1}, {}));
}

TEST_CASE("Unique sorts or keeps the first order, of elements or of slices") {
  auto unique = [](Tensor x, Attributes attributes) {
    Result<std::vector<Tensor>> out = OneNode{"Unique", {std::move(x)}, std::move(attributes), 4}.run();
    if (!out) FAIL(out.error().message());
    return *out;
  };
  std::vector<Tensor> out = unique(floats({5}, {2, 1, 2, 3, 1}), {});
  check_equal(out[0], floats({3}, {1, 2, 3}));
  check_equal(out[1], list({1, 0, 3}));
  check_equal(out[2], list({1, 0, 1, 2, 0}));
  check_equal(out[3], list({2, 2, 1}));
  out = unique(floats({5}, {2, 1, 2, 3, 1}), number("sorted", 0));
  check_equal(out[0], floats({3}, {2, 1, 3}));
  check_equal(out[2], list({0, 1, 0, 2, 1}));
  out = unique(floats({2, 3}, {1, 0, 1, 5, 4, 5}), number("axis", 1));
  check_equal(out[0], floats({2, 2}, {0, 1, 4, 5}));
  check_equal(out[3], list({1, 2}));
}

TEST_CASE("QuantizeLinear rounds half to even and saturates, by tensor, axis and block") {
  Tensor x = floats({2, 2}, {1, 1.5, 2.5, -1000});
  check_equal(run_op("QuantizeLinear", {x, floats({}, {1})}), u8({2, 2}, {1, 2, 2, 0}));
  check_equal(run_op("QuantizeLinear", {x, floats({}, {0.5}), i8({}, {-1})}), i8({2, 2}, {1, 2, 4, -128}));
  check_equal(run_op("QuantizeLinear", {x, floats({2}, {1, 0.5})}, number("axis", 0)), u8({2, 2}, {1, 2, 5, 0}));
  Attributes blocked{{"axis", int64_t{1}}, {"block_size", int64_t{2}}, {"output_dtype", int64_t{22}}};
  check_equal(run_op("QuantizeLinear", {floats({1, 3}, {1, 2, 3}), floats({1, 2}, {0.5, 1})}, blocked),
              tensor_of(Dtype::kInt4, {1, 3}, {2, 4, 3}));
  CHECK(code_of("QuantizeLinear", {x, floats({3}, {1, 1, 1})}) == Code::kInvalid);
  CHECK(code_of("QuantizeLinear", {x, floats({}, {1}), tensor_of(Dtype::kInt32, {}, {0})}) == Code::kUnsupported);
}

TEST_CASE("DequantizeLinear undoes it, into the type of the scales") {
  check_equal(run_op("DequantizeLinear", {i8({2}, {-128, 3}), floats({}, {0.5}), i8({}, {-1})}),
              floats({2}, {-63.5, 2}));
  check_equal(run_op("DequantizeLinear", {tensor_of(Dtype::kInt32, {1}, {1000}), floats({1}, {0.25})}),
              floats({1}, {250}));
  Tensor half_scale = tensor_of(Dtype::kFloat16, {2}, {0.5, 2});
  check_equal(run_op("DequantizeLinear", {u8({2, 2}, {1, 2, 3, 4}), half_scale, u8({2}, {0, 1})}),
              tensor_of(Dtype::kFloat16, {2, 2}, {0.5, 2, 1.5, 6}));
  Tensor nibbles = tensor_of(Dtype::kUint4, {3, 1}, {1, 2, 15});
  check_equal(run_op("DequantizeLinear", {nibbles, floats({2, 1}, {1, 10})},
                     {{"axis", int64_t{0}}, {"block_size", int64_t{2}}}),
              floats({3, 1}, {1, 2, 150}));
  CHECK(code_of("DequantizeLinear", {floats({1}, {1}), floats({}, {1})}) == Code::kUnsupported);
}

TEST_CASE("DynamicQuantizeLinear takes its range from the data, 0 included") {
  Result<std::vector<Tensor>> out = OneNode{"DynamicQuantizeLinear", {floats({3}, {-1, 0, 4.1})}, {}, 3}.run();
  REQUIRE(out);
  check_equal((*out)[0], u8({3}, {0, 50, 255}));
  check_near((*out)[1], floats({}, {0.02}));
  check_equal((*out)[2], u8({}, {50}));
  check_equal(run_op("DynamicQuantizeLinear", {floats({2}, {0, 0})}), u8({2}, {0, 0}));
}

}  // namespace oree
