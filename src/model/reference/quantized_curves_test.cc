// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here against the curves, in reals.
#include <doctest/doctest.h>

#include <cmath>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

// All of int16, at `scale`; the result in units of 1/32768.
std::vector<double> sweep(const std::string& op, float scale, std::vector<double>& reals) {
  Graph g;
  Tensor x(Dtype::kInt16, {64, 1024});
  for (int i = 0; i < 65536; ++i) x.as<int16_t>()[static_cast<size_t>(i)] = static_cast<int16_t>(i - 32768);
  ValueId in = g.add_input("x", Dtype::kInt16, to_dims(x.shape()));
  g.set_quantization(in, Quantization{{scale}, {0}, -1});
  ValueId y = g.add(op, {in}, {}, kMainBlock, "y");
  g.set_type(y, Dtype::kInt16, to_dims(x.shape()));
  g.set_quantization(y, Quantization{{1.0F / 32768}, {0}, -1});
  g.add_output(y);
  Result<Interpreter> interpreter = Interpreter::create(g);
  REQUIRE(interpreter.ok());
  Result<NamedTensors> got = interpreter->run({{"x", x}});
  REQUIRE(got.ok());
  reals = x.to_doubles();
  for (double& v : reals) v *= static_cast<double>(scale);
  return (*got)[0].tensor.to_doubles();
}

TEST_CASE("curves of 16 bits are within three steps of the curves, and never fall") {
  for (float scale : {1.0F / 4096, 1.0F / 2048, 0.00037F}) {
    std::vector<double> x;
    std::vector<double> sigmoid = sweep("Sigmoid", scale, x), tanh = sweep("Tanh", scale, x);
    for (size_t i = 0; i < x.size(); ++i) {
      REQUIRE(std::abs(sigmoid[i] - 32768 / (1 + std::exp(-x[i]))) <= 3);
      REQUIRE(std::abs(tanh[i] - 32768 * std::tanh(x[i])) <= 3);
      if (i > 0) REQUIRE(sigmoid[i] >= sigmoid[i - 1]);
    }
  }
}

TEST_CASE("a softmax of 16 bits sums to about one") {
  std::vector<double> x;
  std::vector<double> y = sweep("Softmax", 0.0005F, x);
  for (size_t row = 0; row < 64; ++row) {
    double sum = 0;
    for (size_t k = 0; k < 1024; ++k) sum += y[row * 1024 + k];
    CHECK(std::abs(sum / 32768 - 1) < 0.05);
  }
}

}  // namespace
}  // namespace oree
