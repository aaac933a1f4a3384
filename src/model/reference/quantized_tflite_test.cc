// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here by hand, a few numbers that it gave, and what is refused.
#include <doctest/doctest.h>

#include <tuple>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

// Two filters of rank 1 over one number, which they remember for two steps; all scales are 1 but the weights'.
Graph svdf(int64_t rank) {
  Graph g;
  auto scaled = [&](ValueId v, float scale) {
    g.set_quantization(v, Quantization{{scale}, {0}, -1});
    return v;
  };
  ValueId x = scaled(g.add_input("x", Dtype::kInt8, to_dims({1, 1})), 1);
  ValueId features = scaled(g.add_constant("f", Constant(tensor_of(Dtype::kInt8, {2, 1}, {2, 4}))), 0.5F);
  ValueId time = scaled(g.add_constant("t", Constant(tensor_of(Dtype::kInt16, {2, 2}, {4, 8, 0, 4}))), 0.25F);
  ValueId state = scaled(g.add_value("state", Dtype::kInt16, to_dims({1, 4})), 1);
  ValueId y = scaled(g.add_value("y", Dtype::kInt8, to_dims({1, 2})), 1);
  ValueId after = scaled(g.add_value("after", Dtype::kInt16, to_dims({1, 4})), 1);
  Node node;
  node.op = "SVDF";
  node.domain = "tflite";
  node.inputs = {x, features, time, kNoValue, state};
  node.outputs = {y, after};
  node.attributes = {{"rank", rank}};
  g.add_node(std::move(node));
  g.add_output(y);
  g.add_state({"memory", state, after, Constant(Tensor(Dtype::kInt16, {1, 4}))});
  return g;
}

TEST_CASE("a quantized SVDF remembers what came before") {
  Graph g = svdf(1);
  Result<Interpreter> interpreter = Interpreter::create(g);
  REQUIRE(interpreter.ok());
  // The memories are x and 2 x; now they weigh 2 and 1, a step later 1 and 0.
  for (auto [x, first, second] : {std::tuple{3, 6, 6}, std::tuple{5, 13, 10}, std::tuple{0, 5, 0}}) {
    Result<NamedTensors> got = interpreter->run({{"x", tensor_of(Dtype::kInt8, {1, 1}, {double(x)})}});
    REQUIRE(got.ok());
    check_equal((*got)[0].tensor, tensor_of(Dtype::kInt8, {1, 2}, {double(first), double(second)}));
  }
}

TEST_CASE("a SVDF whose filters are no multiple of its rank is refused") {
  Graph g = svdf(3);
  Result<Interpreter> interpreter = Interpreter::create(g);
  REQUIRE(interpreter.ok());
  Result<NamedTensors> got = interpreter->run({{"x", tensor_of(Dtype::kInt8, {1, 1}, {1})}});
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code() == Code::kInvalid);
}

TEST_CASE("a SVDF whose output is not as the file says is refused") {
  Graph g = svdf(1);
  g.set_type(g.find("y"), Dtype::kInt8, to_dims({48, 3}));
  Result<Interpreter> interpreter = Interpreter::create(g);
  REQUIRE(interpreter.ok());
  Result<NamedTensors> got = interpreter->run({{"x", tensor_of(Dtype::kInt8, {1, 1}, {1})}});
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().message().find("but the model says int8 48,3") != std::string::npos);
}

Result<Tensor> rsqrt(const Tensor& x, float scale, int64_t zero, float out_scale, int64_t out_zero) {
  Graph g;
  ValueId in = g.add_input("x", x.dtype(), to_dims(x.shape()));
  g.set_quantization(in, Quantization{{scale}, {zero}, -1});
  ValueId y = g.add_value("y", x.dtype(), to_dims(x.shape()));
  g.set_quantization(y, Quantization{{out_scale}, {out_zero}, -1});
  Node node;
  node.op = "RSQRT";
  node.domain = "tflite";
  node.inputs = {in};
  node.outputs = {y};
  g.add_node(std::move(node));
  g.add_output(y);
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
  OREE_TRY_ASSIGN(NamedTensors got, interpreter.run({{"x", x}}));
  return got.at(0).tensor;
}

TEST_CASE("a quantized RSQRT equals that of TensorFlow Lite Micro") {
  Result<Tensor> y = rsqrt(tensor_of(Dtype::kInt8, {8}, {-10, -9, -8, -7, 0, 33, 90, 127}), 0.5F, -10, 0.01F, -5);
  REQUIRE(y.ok());
  check_equal(*y, tensor_of(Dtype::kInt8, {8}, {127, 127, 95, 77, 40, 17, 9, 7}));
  y = rsqrt(tensor_of(Dtype::kInt16, {8}, {0, 1, 2, 3, 400, 3333, 9000, 32767}), 0.5F, 0, 0.01F, 0);
  REQUIRE(y.ok());
  check_equal(*y, tensor_of(Dtype::kInt16, {8}, {32767, 141, 100, 82, 7, 2, 1, 1}));
}

TEST_CASE("a quantized RSQRT of a number below zero is refused") {
  Result<Tensor> y = rsqrt(tensor_of(Dtype::kInt8, {2}, {3, -11}), 0.5F, -10, 0.01F, -5);
  REQUIRE_FALSE(y.ok());
  CHECK(y.error().code() == Code::kInvalid);
}

TEST_CASE("scales and zero points of a hostile file end a RSQRT in an error or in numbers") {
  Tensor x = tensor_of(Dtype::kInt8, {4}, {-128, 0, 1, 127});
  for (float scale : {0.0F, -1.0F, 1e-38F, 3e38F, std::nanf(""), INFINITY}) {
    CHECK(rsqrt(x, scale, -128, 0.1F, 0).ok());
    CHECK(rsqrt(x, 0.1F, -128, scale, INT32_MAX).ok());
    CHECK(rsqrt(x, scale, INT32_MIN, scale, INT32_MIN).ok());
  }
}

TEST_CASE("a quantized L2_NORMALIZATION equals that of TensorFlow Lite Micro") {
  Scaled x{tensor_of(Dtype::kInt8, {2, 3}, {8, 9, 5, 127, -128, 5}), 0.1F, 5}, y{x.tensor, 1.0F / 128, 0};
  Result<Tensor> got = run_scaled("L2_NORMALIZATION", "tflite", {x}, y);
  REQUIRE(got.ok());
  check_equal(*got, tensor_of(Dtype::kInt8, {2, 3}, {77, 102, 0, 87, -94, 0}));
  y.scale = 1.0F / 64;
  CHECK_FALSE(run_scaled("L2_NORMALIZATION", "tflite", {x}, y).ok());
  for (int64_t zero : {int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
    CHECK(run_scaled("L2_NORMALIZATION", "tflite", {{x.tensor, INFINITY, zero}}, {x.tensor, 1.0F / 128, 0}).ok());
  }
}

TEST_CASE("a quantized SQUARED_DIFFERENCE of 16 bits equals that of TensorFlow Lite Micro") {
  Scaled a{tensor_of(Dtype::kInt16, {3}, {5000, -3000, 32767}), 0.001F, 0},
      b{tensor_of(Dtype::kInt16, {3}, {100, 2000, -32768}), 0.002F, 0};
  Result<Tensor> got = run_scaled("SQUARED_DIFFERENCE", "tflite", {a, b}, {a.tensor, 0.05F, 0});
  REQUIRE(got.ok());
  check_equal(*got, tensor_of(Dtype::kInt16, {3}, {461, 980, 32767}));
}

TEST_CASE("a quantized DYNAMIC_UPDATE_SLICE moves a part back that would reach beyond the end") {
  Scaled x{tensor_of(Dtype::kInt8, {2, 3}, {1, 2, 3, 4, 5, 6}), 0.5F, 1},
      part{tensor_of(Dtype::kInt8, {1, 2}, {-1, -2}), 0.5F, 1};
  Result<Tensor> got = run_scaled("DYNAMIC_UPDATE_SLICE", "tflite", {x, part, {list({-3, 2})}}, x);
  REQUIRE(got.ok());
  check_equal(*got, tensor_of(Dtype::kInt8, {2, 3}, {1, -1, -2, 4, 5, 6}));
  CHECK_FALSE(run_scaled("DYNAMIC_UPDATE_SLICE", "tflite", {part, x, {list({0, 0})}}, part).ok());
  CHECK_FALSE(run_scaled("DYNAMIC_UPDATE_SLICE", "tflite", {x, part, {list({0})}}, x).ok());
  part.scale = 0.25F;
  CHECK_FALSE(run_scaled("DYNAMIC_UPDATE_SLICE", "tflite", {x, part, {list({0, 0})}}, x).ok());
}

}  // namespace
}  // namespace oree
