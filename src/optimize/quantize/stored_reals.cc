// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/stored_reals.h"

#include <algorithm>

#include "model/passes/quantization_nodes.h"
#include "model/passes/rewrite.h"
#include "optimize/quantize/integer_products.h"

namespace oree {
namespace {

constexpr int64_t kOnnxFloat = 1, kBlockMost = 64, kBlockLeast = 16;

ValueId multiplied(Graph& graph, ValueId packed, ValueId scales, const std::string& name) {
  ValueId reals = build(graph, "Cast", {packed}, {{"to", kOnnxFloat}}, kMainBlock, name + "_cast");
  return build(graph, "Mul", {reals, scales}, {}, kMainBlock, name + "_dequantized");
}

ValueId filters(Graph& graph, ValueId rows, const Value& constant) {
  ValueId shape = graph.add_constant(constant.name + "_shape", Constant::vector(constant.constant->shape()));
  return build(graph, "Reshape", {rows, shape}, {}, kMainBlock, constant.name + "_filters");
}

}  // namespace

ValueId dequantized(Graph& graph, ValueId packed, const LayerWeights& w, const Value& constant, bool tflite) {
  Quantization q{w.scales, std::vector<int64_t>(w.scales.size(), 0), w.axis};
  Node node = dequantize_node(graph, packed, q, *graph.value(packed).dtype);
  if (tflite) node.attributes.emplace("tflite.stored", int64_t{1});
  return put_node(graph, std::move(node), constant.name + "_dequantized", Dtype::kFloat32, constant.dims);
}

ValueId multiplied(Graph& graph, ValueId packed, const LayerWeights& w, const Value& constant) {
  Shape shape(constant.constant->shape().size(), 1);
  if (w.axis >= 0) shape[static_cast<size_t>(w.axis)] = static_cast<int64_t>(w.scales.size());
  return multiplied(graph, packed, graph.add_constant(constant.name + "_scale", Constant::of_floats(w.scales, shape)),
                    constant.name);
}

int64_t block_for(int64_t inputs) {
  for (int64_t block : {32, 16, 64, 128}) {
    if (inputs % block == 0) return block;
  }
  for (int64_t block = std::min(inputs, kBlockMost); block >= kBlockLeast; --block) {
    if (inputs % block == 0) return block;
  }
  return 0;
}

Result<ValueId> in_blocks(Graph& graph, const Node& node, int64_t block, bool by_product) {
  const Value constant = graph.value(node.inputs[1]);
  const Shape shape = constant.constant->shape();
  // Rows of inputs: of a matrix with its channels last, the other way round.
  const bool matrix = node.is("Gemm") || node.is("MatMul"), columns = matrix && channel_axis(graph, node) == 1;
  const int64_t channels = shape[columns ? 1 : 0], inputs = constant.constant->elements() / channels,
                count = inputs / block;
  const Tensor tensor = constant.constant->to_tensor();
  std::vector<float> rows(tensor.as<float>().begin(), tensor.as<float>().end());
  auto place = [&](int64_t c, int64_t i) { return static_cast<size_t>(columns ? i * channels + c : c * inputs + i); };
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < inputs; ++i) rows[static_cast<size_t>(c * inputs + i)] = tensor.as<float>()[place(c, i)];
  }
  const IntegerGrid grid = symmetric_int4_grid();
  const Shape blocked{channels * count, block};
  Result<std::vector<float>> scales = weight_scales(rows, blocked, 0, grid, WeightScale::kMse);
  if (!scales.ok()) return scales.error().within(constant.name);
  const std::vector<int32_t> by_row = quantize_weights(rows, blocked, 0, *scales, grid);
  std::vector<int32_t> integers(by_row.size());
  std::vector<float> placed(scales->size());
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < inputs; ++i) integers[place(c, i)] = by_row[static_cast<size_t>(c * inputs + i)];
    for (int64_t b = 0; b < count; ++b)
      placed[static_cast<size_t>(columns ? b * channels + c : c * count + b)] =
          (*scales)[static_cast<size_t>(c * count + b)];
  }
  if (by_product) {
    ValueId packed = graph.add_constant(constant.name + "_quantized",
                                        pack_integers(integers, {channels, count, block}, Dtype::kInt4));
    ValueId by = graph.add_constant(constant.name + "_scale", Constant::of_floats(placed, {channels, count, 1}));
    return filters(graph, multiplied(graph, packed, by, constant.name), constant);
  }
  ValueId packed = graph.add_constant(constant.name + "_quantized",
                                      pack_integers(integers, columns ? shape : Shape{channels, inputs}, Dtype::kInt4));
  ValueId by = graph.add_constant(
      constant.name + "_scale", Constant::of_floats(placed, columns ? Shape{count, channels} : Shape{channels, count}));
  ValueId reals =
      build(graph, "DequantizeLinear", {packed, by}, {{"axis", int64_t{columns ? 0 : 1}}, {"block_size", block}},
            kMainBlock, constant.name + "_dequantized");
  return matrix ? reals : filters(graph, reals, constant);
}

}  // namespace oree
