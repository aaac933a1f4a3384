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

// The optimizers carry a scale through these.
bool carries_scale(const Graph& graph, const Node& node) {
  for (const char* op : {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "MaxPool"}) {
    if (node.is(op)) return true;
  }
  if (!node.is("Pad")) return false;
  const Constant* padding = graph.constant(node.input(2));
  return node.input(2) == kNoValue || (padding != nullptr && padding->to_doubles() == std::vector<double>{0});
}

// The DequantizeLinear whose scale the optimizers see in a value; kNoNode: there is none.
NodeId scale_seen(const Graph& graph, ValueId value) {
  NodeId maker = graph.value(value).producer;
  while (maker != kNoNode && carries_scale(graph, graph.node(maker)))
    maker = graph.value(graph.node(maker).inputs[0]).producer;
  return maker != kNoNode && graph.node(maker).is("DequantizeLinear") ? maker : kNoNode;
}

void keep_float(Graph& graph, NodeId n) {
  const ValueId taken = graph.node(n).inputs[0];
  const NodeId seen = scale_seen(graph, taken);
  if (seen == kNoNode) return;
  const std::optional<Quantization> one = parameters_of(graph, graph.node(seen));
  const Value value = graph.value(taken);
  const int axis = axis_of_several(value);
  if (!one || one->scales.size() != 1 || axis < 0) return;
  ValueId integers = graph.node(seen).inputs[0];
  const Dtype dtype = *graph.value(integers).dtype;
  if (value.producer != seen) {
    // Exact: what was carried are such integers still.
    integers = put_node(graph, quantize_node(graph, taken, *one, dtype), value.name + "_carried", dtype, value.dims);
  }
  const auto count = static_cast<size_t>(to_shape(*value.dims)[static_cast<size_t>(axis)]);
  const Quantization each{std::vector<float>(count, one->scales[0]),
                          std::vector<int64_t>(count, one->zero_points.empty() ? 0 : one->zero_points[0]), axis};
  const ValueId reals = put_node(graph, dequantize_node(graph, integers, each, dtype), value.name + "_to_float",
                                 Dtype::kFloat32, value.dims);
  graph.set_input(n, 0, reals);
}

}  // namespace

void keep_float_between_integers(Graph& graph) {
  for (NodeId n : graph.order()) {
    if (has_float_weights(graph, graph.node(n))) keep_float(graph, n);
  }
}

}  // namespace oree
