// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here a few numbers that it gave, and what is refused.
#include <doctest/doctest.h>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Result<Tensor> run(const std::string& op, const Tensor& x, float scale, const Quantization& out) {
  Graph g;
  ValueId in = g.add_input("x", x.dtype(), to_dims(x.shape()));
  g.set_quantization(in, Quantization{{scale}, {3}, -1});
  ValueId y = g.add(op, {in}, {}, kMainBlock, "y");
  g.set_type(y, x.dtype(), to_dims(x.shape()));
  g.set_quantization(y, out);
  g.add_output(y);
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
  OREE_TRY_ASSIGN(NamedTensors got, interpreter.run({{"x", x}}));
  return got.at(0).tensor;
}

Result<Tensor> log_softmax(const Tensor& x, float scale, float out_scale = 1.0F / 16) {
  return run("LogSoftmax", x, scale, Quantization{{out_scale}, {127}, -1});
}

TEST_CASE("a softmax over so many elements that each rounds to nothing is nothing") {
  for (int64_t length : {513, 5000}) {  // engines end at the first
    Result<Tensor> got =
        run("Softmax", Tensor(Dtype::kInt8, {1, length}), 0.1F, Quantization{{1.0F / 256}, {-128}, -1});
    REQUIRE(got.ok());
    for (double v : got->to_doubles()) REQUIRE(v == -128);
  }
}

TEST_CASE("a logarithm of softmax equals that of TensorFlow Lite Micro") {
  Tensor x = tensor_of(Dtype::kInt8, {2, 4}, {-128, 0, 100, 127, 5, 5, 4, -20});
  Result<Tensor> fine = log_softmax(x, 0.0625F), coarse = log_softmax(x, 0.5F);
  REQUIRE(fine.ok());
  REQUIRE(coarse.ok());
  check_equal(*fine, tensor_of(Dtype::kInt8, {2, 4}, {-128, -3, 97, 124, 109, 109, 108, 84}));
  check_equal(*coarse, tensor_of(Dtype::kInt8, {2, 4}, {-128, -128, -89, 127, 112, 112, 104, -88}));
}

TEST_CASE("a logarithm of softmax over more elements than its sum can hold stays in range") {
  Result<Tensor> got = log_softmax(Tensor(Dtype::kInt8, {1, 5000}), 0.1F);
  REQUIRE(got.ok());
  for (double v : got->to_doubles()) REQUIRE(v == 127 - 133);  // log(4096) = 8.3: where the sum ends
}

TEST_CASE("scales of a hostile file end a logarithm of softmax in an error or in numbers") {
  Tensor x = tensor_of(Dtype::kInt8, {1, 3}, {-128, 0, 127});
  for (float scale : {0.0F, -1.0F, 1e-38F, 3e38F, std::nanf(""), INFINITY}) CHECK(log_softmax(x, scale).ok());
}

TEST_CASE("a logarithm of softmax has one scale") {
  Result<Tensor> got = log_softmax(Tensor(Dtype::kInt8, {1, 3}), 0.1F, 0.1F);
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code() == Code::kUnsupported);
}

}  // namespace
}  // namespace oree
