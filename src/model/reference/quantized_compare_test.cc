// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here what it asks of scales, by hand.
#include <doctest/doctest.h>

#include "model/reference/interpreter.h"
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

// An operator of two int8 lists, each with its own scale; `out` too, unless its dtype is bool.
Result<Tensor> run_scaled(std::string op, const std::vector<Quantization>& in, std::optional<Quantization> out,
                          const std::vector<std::vector<double>>& values, Attributes attributes = {}) {
  Graph g;
  Node node;
  node.op = std::move(op);
  node.attributes = std::move(attributes);
  NamedTensors inputs;
  for (size_t i = 0; i < in.size(); ++i) {
    Tensor t = tensor_of(Dtype::kInt8, {static_cast<int64_t>(values[i].size())}, values[i]);
    ValueId v = g.add_input("x" + std::to_string(i), Dtype::kInt8, to_dims(t.shape()));
    g.set_quantization(v, in[i]);
    node.inputs.push_back(v);
    inputs.push_back({g.value(v).name, std::move(t)});
  }
  ValueId y = g.add_value("y", out ? Dtype::kInt8 : Dtype::kBool);
  g.set_quantization(y, out);
  node.outputs = {y};
  g.add_node(std::move(node));
  g.add_output(y);
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(g));
  OREE_TRY_ASSIGN(NamedTensors got, interpreter.run(inputs));
  return std::move(got[0].tensor);
}

const Quantization kHalves{{0.5F}, {0}, -1}, kTenths{{0.1F}, {10}, -1};

TEST_CASE("quantized comparisons compare the reals that integers stand for") {
  // 1.0, 1.0, -2.0 beside 1.0, 1.1, -2.0
  std::vector<std::vector<double>> x{{2, 2, -4}, {20, 21, -10}};
  Result<Tensor> equal = run_scaled("Equal", {kHalves, kTenths}, {}, x);
  REQUIRE(equal.ok());
  check_equal(*equal, bools({3}, {1, 0, 1}));
  Result<Tensor> less = run_scaled("Less", {kHalves, kTenths}, {}, x);
  REQUIRE(less.ok());
  check_equal(*less, bools({3}, {0, 1, 0}));
  Result<Tensor> not_less = run_scaled("GreaterOrEqual", {kHalves, kTenths}, {}, x);
  REQUIRE(not_less.ok());
  check_equal(*not_less, bools({3}, {1, 0, 1}));
}

TEST_CASE("reals closer than 1/256 are equal to a quantized comparison") {
  const Quantization fine{{0.001F}, {0}, -1};
  Result<Tensor> greater = run_scaled("Greater", {fine, fine}, {}, {{1, 8}, {0, 0}});
  REQUIRE(greater.ok());
  check_equal(*greater, bools({2}, {0, 1}));
}

TEST_CASE("quantized tensors are joined where their scales are one, and refused where not") {
  Attributes axis{{"axis", int64_t{0}}};
  Result<Tensor> joined = run_scaled("Concat", {kHalves, kHalves}, kHalves, {{1, 2}, {3}}, axis);
  REQUIRE(joined.ok());
  check_equal(*joined, tensor_of(Dtype::kInt8, {3}, {1, 2, 3}));
  Result<Tensor> refused = run_scaled("Concat", {kHalves, kTenths}, kHalves, {{1, 2}, {3}}, axis);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Code::kUnsupported);
}

TEST_CASE("weights of integers are made real beside a real operand") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, to_dims({1, 2}));
  ValueId w = g.add_constant("w", Constant(tensor_of(Dtype::kInt8, {2, 2}, {4, -2, 10, 3})));
  g.set_quantization(w, Quantization{{0.5F, 0.1F}, {0, 0}, 0});
  ValueId y = g.add("Gemm", {x, w}, {{"transB", int64_t{1}}});
  g.add_output(y);
  Result<Interpreter> interpreter = Interpreter::create(g);
  REQUIRE(interpreter.ok());
  Result<NamedTensors> got = interpreter->run({{"x", floats({1, 2}, {3, 1})}});
  REQUIRE(got.ok());
  check_near((*got)[0].tensor, floats({1, 2}, {5, 3.3}));
}

TEST_CASE("quantized tensors that are joined are of the type that the file says, or refused") {
  Scaled x{Tensor(Dtype::kInt16, {2}), 0.5F, 0}, y{Tensor(Dtype::kUint8, {4}), 0.5F, 0};
  Result<Tensor> joined = run_scaled("Concat", "", {x, x}, y, {{"axis", int64_t{0}}});
  REQUIRE_FALSE(joined.ok());
  CHECK(joined.error().message().find("but the model says uint8 4") != std::string::npos);
}

}  // namespace
}  // namespace oree
