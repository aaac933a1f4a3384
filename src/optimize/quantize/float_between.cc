// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/float_between.h"

#include <algorithm>

#include "model/passes/quantization_nodes.h"

namespace oree {
namespace {

bool has_float_weights(const Graph& graph, const Node& node) {
  if (!node.is("Conv") && !node.is("ConvTranspose") && !node.is("Gemm")) return false;
  const Constant* weights = graph.constant(node.input(1));
  return weights != nullptr && weights->dtype() == Dtype::kFloat32;
}

// Channels, or whatever else there are several of; -1: nothing is.
int axis_of_several(const Value& value) {
  if (!value.dims) return -1;
  const Shape shape = to_shape(*value.dims);  // -1: free
  if (shape.size() > 1 && shape[1] > 1) return 1;
  const auto several = std::ranges::find_if(shape, [](int64_t d) { return d > 1; });
  return several == shape.end() ? -1 : static_cast<int>(several - shape.begin());
}

}  // namespace

void keep_float_between_integers(Graph& graph) {
  for (NodeId n : graph.order()) {
    if (!has_float_weights(graph, graph.node(n))) continue;
    const ValueId taken = graph.node(n).inputs[0];
    const NodeId maker = graph.value(taken).producer;
    if (maker == kNoNode || !graph.node(maker).is("DequantizeLinear")) continue;
    const std::optional<Quantization> one = parameters_of(graph, graph.node(maker));
    const int axis = axis_of_several(graph.value(taken));
    if (!one || one->scales.size() != 1 || axis < 0) continue;
    const ValueId integers = graph.node(maker).inputs[0];
    const auto count = static_cast<size_t>(to_shape(*graph.value(taken).dims)[static_cast<size_t>(axis)]);
    const Quantization each{std::vector<float>(count, one->scales[0]),
                            std::vector<int64_t>(count, one->zero_points.empty() ? 0 : one->zero_points[0]), axis};
    const std::string name = graph.unique_name(graph.value(taken).name + "_to_float");
    const ValueId reals = graph.add_value(name, Dtype::kFloat32, graph.value(taken).dims);
    Node node = dequantize_node(graph, integers, each, *graph.value(integers).dtype);
    node.outputs = {reals};
    graph.add_node(std::move(node));
    graph.set_input(n, 0, reals);
  }
}

}  // namespace oree
