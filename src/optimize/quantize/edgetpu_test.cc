// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/edgetpu.h"

#include <doctest/doctest.h>

#include "model/tflite/tflite_builtins.h"

namespace oree {
namespace {

// A chain of TFLite's operators over int8 values of one scale.
class Chain {
 public:
  explicit Chain(const Dims& dims, Dtype dtype = Dtype::kInt8) {
    now = graph.add_input("x", dtype, dims);
    if (dtype != Dtype::kFloat32) graph.set_quantization(now, Quantization{{0.1f}, {0}, -1});
  }

  ValueId constant(const Shape& shape, Dtype dtype = Dtype::kInt8, std::vector<int32_t> numbers = {}) {
    Tensor t(dtype, shape);
    for (size_t i = 0; i < numbers.size(); ++i) t.as<int32_t>()[i] = numbers[i];
    ValueId v = graph.add_constant("c", Constant(std::move(t)));
    if (dtype == Dtype::kInt8) graph.set_quantization(v, Quantization{{0.1f}, {0}, -1});
    return v;
  }

  Chain& add(const char* op, const Dims& dims, std::vector<ValueId> more = {}, Attributes attributes = {},
             Dtype dtype = Dtype::kInt8) {
    std::vector<ValueId> inputs{now};
    inputs.insert(inputs.end(), more.begin(), more.end());
    return add_from(op, dims, std::move(inputs), std::move(attributes), dtype);
  }

  Chain& add_from(const char* op, const Dims& dims, std::vector<ValueId> inputs, Attributes attributes = {},
                  Dtype dtype = Dtype::kInt8) {
    Node node;
    node.op = op;
    node.domain = "tflite";
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    now = graph.add_value(graph.unique_name(op), dtype, dims);
    if (dtype != Dtype::kFloat32) graph.set_quantization(now, Quantization{{0.1f}, {0}, -1});
    node.outputs = {now};
    graph.add_node(std::move(node));
    return *this;
  }

  Chain& convolve() {
    ValueId w = constant({4, 3, 3, 4}), b = constant({4}, Dtype::kInt32);
    graph.set_quantization(b, Quantization{{0.01f}, {0}, -1});
    return add("CONV_2D", {1, 8, 8, 4}, {w, b}, {{"dilation_w_factor", int64_t{1}}, {"dilation_h_factor", int64_t{1}}});
  }

  EdgeTpuReport report() {
    graph.add_output(now);
    return edge_tpu_report(graph);
  }

  Graph graph;
  ValueId now = kNoValue;
};

// Why an operator alone is not mapped.
std::string reason(Chain& chain) {
  EdgeTpuReport r = chain.report();
  REQUIRE(r.ops.size() == 1);
  return r.ops[0].because;
}

}  // namespace

TEST_CASE("convolutions of 8 bits are mapped, with their products and parameters") {
  EdgeTpuReport r = Chain({1, 8, 8, 4}).convolve().convolve().report();
  CHECK(r.mapped == 2);
  CHECK(r.ops.size() == 2);
  CHECK(r.macs == 2 * 8 * 8 * 4 * 36);
  CHECK(r.mac_share() == 1);
  CHECK(r.bytes_mapped == 2 * (4 * 36 + 16));
  CHECK(edge_tpu_text(r).find("2 of 2 operators") != std::string::npos);
}

TEST_CASE("what follows an operator that the Edge TPU lacks runs on the CPU") {
  EdgeTpuReport r = Chain({1, 8, 8, 4}).convolve().add("HARD_SWISH", {1, 8, 8, 4}).convolve().report();
  CHECK(r.mapped == 1);
  CHECK(r.ops[1].because == "the Edge TPU has no such operator");
  CHECK_FALSE(r.ops[1].follows);
  CHECK(r.ops[2].follows);
  CHECK(r.mac_share() == 0.5);
  CHECK(edge_tpu_json(r)["operators_mapped"].as_int() == 1);
  CHECK(edge_tpu_section(r).find("HARD_SWISH") != std::string::npos);
}

TEST_CASE("what the CPU does first does not keep the rest from the Edge TPU") {
  Chain c({1, 8, 8, 4}, Dtype::kFloat32);
  EdgeTpuReport r = c.add("QUANTIZE", {1, 8, 8, 4}).convolve().report();
  CHECK(r.mapped == 1);
  CHECK(r.ops[0].because == "it works on float32");
  CHECK(r.ops[1].because.empty());
}

TEST_CASE("a branch beside the CPU's stays on the Edge TPU, and their join does not") {
  Chain c({1, 8, 8, 4});
  c.convolve();
  ValueId stem = c.now;
  c.convolve();
  ValueId left = c.now;
  c.add_from("HARD_SWISH", {1, 8, 8, 4}, {stem});
  c.add("ADD", {1, 8, 8, 4}, {left});
  EdgeTpuReport r = c.report();
  CHECK(r.mapped == 2);
  CHECK(r.ops.back().follows);
}

TEST_CASE("tensors of more than three dimensions above 1 are not mapped") {
  Chain c({2, 8, 8, 4});
  CHECK(reason(c.add("LOGISTIC", {2, 8, 8, 4})).find("three dimensions") != std::string::npos);
  Chain flat({1, 1, 8, 8, 4});
  CHECK(reason(flat.add("LOGISTIC", {1, 1, 8, 8, 4})).empty());
}

TEST_CASE("16 bits and sizes that are not known are not mapped") {
  Chain wide({1, 8}, Dtype::kInt16);
  CHECK(reason(wide.add("TANH", {1, 8}, {}, {}, Dtype::kInt16)) == "it works on int16");
  Chain open({Dim(), 8});
  CHECK(reason(open.add("TANH", {Dim(), 8})).find("not known") != std::string::npos);
}

TEST_CASE("each operator's own limits are named") {
  struct Case {
    const char* op;
    Dims from, to;
    const char* said;  // "": mapped
    std::vector<int32_t> numbers = {};
    Attributes attributes = {};
  };
  const Attributes relu{{"fused_activation_function", int64_t{1}}};
  const std::vector<Case> cases = {
      {"MAX_POOL_2D", {1, 8, 8, 4}, {1, 4, 4, 4}, "", {}, {}},
      {"MAX_POOL_2D", {1, 8, 8, 4}, {1, 4, 4, 4}, "activation", {}, relu},
      {"AVERAGE_POOL_2D", {1, 8, 8, 4}, {1, 4, 4, 4}, "activation", {}, relu},
      {"SOFTMAX", {1, 16000}, {1, 16000}, ""},
      {"SOFTMAX", {1, 16001}, {1, 16001}, "16001 values"},
      {"SOFTMAX", {1, 7, 16}, {1, 7, 16}, "more than one dimension"},
      {"MEAN", {1, 8, 8, 6}, {1, 6}, "", {1, 2}},
      {"MEAN", {1, 8, 8, 6}, {1, 8, 8}, "multiple of 4", {-1}},
      {"MEAN", {1, 8, 8, 8}, {8, 8, 8}, "batch", {0}},
      {"MEAN", {7, 8, 8}, {8, 8}, "", {0}},
      {"PAD", {1, 8, 8, 4}, {1, 10, 10, 4}, "", {0, 0, 1, 1, 1, 1, 0, 0}},
      {"PAD", {1, 8, 8, 4}, {2, 8, 8, 4}, "three dimensions", {1, 0, 0, 0, 0, 0, 0, 0}},
      {"SQUEEZE", {1, 1, 10}, {10}, ""},
      {"SQUEEZE", {1, 5, 1, 10}, {5, 10}, "leading"},
      {"GATHER", {1, 8}, {1, 4}, "no such operator"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.op);
    CAPTURE(one.said);
    Chain c(one.from);
    std::vector<ValueId> more;
    if (!one.numbers.empty())
      more.push_back(c.constant({static_cast<int64_t>(one.numbers.size())}, Dtype::kInt32, one.numbers));
    std::string why = reason(c.add(one.op, one.to, more, one.attributes));
    CHECK(why.empty() == (*one.said == '\0'));
    CHECK(why.find(one.said) != std::string::npos);
  }
}

TEST_CASE("weights that are computed, and dilations that differ, are not mapped") {
  Chain c({1, 8, 8, 4});
  ValueId weights = c.graph.add_input("w", Dtype::kInt8, Dims{4, 3, 3, 4});
  c.graph.set_quantization(weights, Quantization{{0.1f}, {0}, -1});
  std::string why = reason(c.add("FULLY_CONNECTED", {1, 4}, {c.graph.find("w")}));
  CHECK_FALSE(why.empty());
  Chain d({1, 8, 8, 4});
  ValueId w = d.constant({4, 3, 3, 4});
  CHECK(reason(
            d.add("CONV_2D", {1, 8, 8, 4}, {w}, {{"dilation_w_factor", int64_t{2}}, {"dilation_h_factor", int64_t{1}}}))
            .find("dilations") != std::string::npos);
}

}  // namespace oree
