// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here by hand, and what is refused.
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

}  // namespace
}  // namespace oree
