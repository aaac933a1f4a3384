// SPDX-License-Identifier: Apache-2.0
// Against TensorFlow Lite Micro itself: tests/quantized. Here a few numbers that it gave, and what is refused.
#include <doctest/doctest.h>

#include <functional>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

struct Made {
  Graph graph;
  NodeId node = kNoNode;
};

// Two sequences of two steps, two numbers in, two units; the weights follow a pattern.
Made lstm(Dtype dtype, float clip, bool time_major) {
  const bool narrow = dtype == Dtype::kInt8;
  Made m;
  Graph& g = m.graph;
  auto scaled = [&](ValueId v, float scale, int64_t zero) {
    g.set_quantization(v, Quantization{{scale}, {zero}, -1});
    return v;
  };
  const float x_scale = narrow ? 0.05F : 0.0002F, h_scale = narrow ? 1.0F / 128 : 1.0F / 32768, c_scale = 1.0F / 4096;
  const int64_t h_zero = narrow ? 3 : 0;
  auto weights = [&](double k, float scale) {
    Tensor t = tensor_of(Dtype::kInt8, {2, 2}, {k * 10, -7 * k, 50 - k, k});
    return scaled(g.add_constant("w", Constant(std::move(t))), scale, 0);
  };
  Node node;
  node.op = "UNIDIRECTIONAL_SEQUENCE_LSTM";
  node.domain = "tflite";
  node.inputs.assign(24, kNoValue);
  node.inputs[0] = scaled(g.add_input("x", dtype, to_dims({2, 2, 2})), x_scale, narrow ? -5 : 0);
  for (size_t k = 0; k < 4; ++k) {
    node.inputs[1 + k] = weights(static_cast<double>(k) + 1, 0.01F);
    node.inputs[5 + k] = weights(-static_cast<double>(k) - 1, 0.02F);
    Tensor bias = tensor_of(narrow ? Dtype::kInt32 : Dtype::kInt64, {2}, {100.0 * static_cast<double>(k), -200});
    node.inputs[12 + k] = scaled(g.add_constant("b", Constant(std::move(bias))), x_scale * 0.01F, 0);
  }
  ValueId hidden = scaled(g.add_value("hidden", dtype, to_dims({2, 2})), h_scale, h_zero);
  ValueId cell = scaled(g.add_value("cell", Dtype::kInt16, to_dims({2, 2})), c_scale, 0);
  node.inputs[18] = hidden;
  node.inputs[19] = cell;
  ValueId y = scaled(g.add_value("y", dtype, to_dims({2, 2, 2})), h_scale, h_zero);
  ValueId hidden_after = scaled(g.add_value("hidden_after", dtype, to_dims({2, 2})), h_scale, h_zero);
  ValueId cell_after = scaled(g.add_value("cell_after", Dtype::kInt16, to_dims({2, 2})), c_scale, 0);
  node.outputs = {y, hidden_after, cell_after};
  node.attributes = {{"fused_activation_function", int64_t{4}}, {"cell_clip", clip}};
  if (time_major) node.attributes.emplace("time_major", int64_t{1});
  m.node = g.add_node(std::move(node));
  g.add_output(y);
  auto zero = static_cast<double>(h_zero);
  g.add_state({"hidden", hidden, hidden_after, Constant(tensor_of(dtype, {2, 2}, {zero, zero, zero, zero}))});
  g.add_state({"cell", cell, cell_after, Constant(Tensor(Dtype::kInt16, {2, 2}))});
  return m;
}

// The outputs of two runs, one behind the other.
Result<std::vector<double>> run(const Made& made, Dtype dtype) {
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(made.graph));
  std::vector<double> all;
  for (int divisor : {1, 2}) {
    std::vector<double> x{10, -20, 127, -128, 0, 50, -70, 90};
    for (double& v : x) v = (dtype == Dtype::kInt8 ? v : v * 200) / divisor;
    OREE_TRY_ASSIGN(NamedTensors got, interpreter.run({{"x", tensor_of(dtype, {2, 2, 2}, x)}}));
    for (double v : got.at(0).tensor.to_doubles()) all.push_back(v);
  }
  return all;
}

void check_runs(Dtype dtype, float clip, bool time_major, const std::vector<double>& expected) {
  Result<std::vector<double>> got = run(lstm(dtype, clip, time_major), dtype);
  REQUIRE(got.ok());
  CHECK(*got == expected);
}

TEST_CASE("a quantized LSTM equals that of TensorFlow Lite Micro, and remembers from run to run") {
  check_runs(Dtype::kInt8, 0, false, {23, 12, 97, 99, -5, 6, -1, 0, 41, 79, 95, 105, -11, 0, -9, -5});
  check_runs(Dtype::kInt8, 0, true, {23, 12, 83, 92, -1, 18, 2, 6, 13, 13, 54, 70, 2, 14, -1, 13});
  check_runs(Dtype::kInt8, 0.3F, false, {23, 12, 40, 38, -5, 6, 0, 0, 24, 25, 37, 34, -9, 0, -6, -5});
  check_runs(
      Dtype::kInt16, 0, false,
      {2845, 1558, 21390, 22382, -2175, 512, -1368, -1207, 6881, 17624, 19701, 23342, -3844, -1411, -3227, -2378});
}

Code refused(const std::function<void(Made&)>& change) {
  Made m = lstm(Dtype::kInt8, 0, false);
  change(m);
  Result<std::vector<double>> got = run(m, Dtype::kInt8);
  REQUIRE_FALSE(got.ok());
  return got.error().code();
}

TEST_CASE("forms of a quantized LSTM that TensorFlow Lite Micro has not are refused") {
  auto without = [](size_t input) { return [=](Made& m) { m.graph.set_input(m.node, input, kNoValue); }; };
  CHECK(refused(without(1)) == Code::kUnsupported);  // one gate coupled with another
  CHECK(refused([](Made& m) { m.graph.set_input(m.node, 9, m.graph.node(m.node).inputs[12]); }) == Code::kUnsupported);
  CHECK(refused([](Made& m) { m.graph.remove_attribute(m.node, "fused_activation_function"); }) == Code::kUnsupported);
  CHECK(refused([](Made& m) { m.graph.set_attribute(m.node, "diagonal_recurrent_tensors", int64_t{1}); }) ==
        Code::kUnsupported);
}

TEST_CASE("operands of a quantized LSTM that do not fit each other are refused") {
  auto with = [](size_t input, Tensor tensor) {
    return [=](Made& m) {
      ValueId v = m.graph.add_constant("other", Constant(tensor));
      m.graph.set_quantization(v, Quantization{{1024.0F}, {0}, -1});
      m.graph.set_input(m.node, input, v);
    };
  };
  for (size_t weights = 1; weights < 9; ++weights) {
    CHECK(refused(with(weights, Tensor(Dtype::kInt8, {2, 3}))) == Code::kInvalid);
    CHECK(refused(with(weights, Tensor(Dtype::kInt16, {2, 2}))) == Code::kUnsupported);
  }
  for (size_t bias = 12; bias < 16; ++bias) {
    CHECK(refused(with(bias, Tensor(Dtype::kInt32, {3}))) == Code::kInvalid);
    CHECK(refused(with(bias, Tensor(Dtype::kInt64, {2}))) == Code::kUnsupported);
  }
  CHECK(refused(with(19, Tensor(Dtype::kInt16, {2, 4}))) == Code::kInvalid);
  CHECK(refused(with(19, Tensor(Dtype::kInt16, {2, 2}))) == Code::kUnsupported);  // a cell whose scale is too coarse
}

TEST_CASE("scales and zero points of a hostile file end a quantized LSTM in an error or in numbers") {
  for (float scale : {0.0F, -1.0F, 1e-38F, 3e38F, std::nanf(""), INFINITY}) {
    for (int64_t zero : {int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
      Made m = lstm(Dtype::kInt8, scale, false);
      for (size_t i : {0, 1, 6, 18}) {
        m.graph.set_quantization(m.graph.node(m.node).inputs[i], Quantization{{scale}, {zero}, -1});
      }
      CHECK(run(m, Dtype::kInt8).ok());
      m.graph.set_quantization(m.graph.node(m.node).inputs[19], Quantization{{scale}, {zero}, -1});
      CHECK_FALSE(run(m, Dtype::kInt8).ok());
    }
  }
}

}  // namespace
}  // namespace oree
