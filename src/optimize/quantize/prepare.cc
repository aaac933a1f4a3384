// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/prepare.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/base/limits.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/permutation.h"
#include "model/passes/rewrite.h"
#include "model/tflite/widen_floats.h"

namespace oree {
namespace {

// x * Sigmoid(x): engines have kernels of integers for the two, none for the one.
void write_out_swish(Graph& graph) {
  for (NodeId n : graph.order()) {
    const Node node = graph.node(n);
    if (!node.is("Swish") || node.real("alpha", 1) != 1) continue;
    const Value out = graph.value(node.outputs[0]);
    ValueId gate = graph.add("Sigmoid", {node.inputs[0]}, {}, node.block, out.name + "_gate");
    graph.set_type(gate, out.dtype, out.dims);
    graph.remove_node(n);
    Node product;
    product.op = "Mul";
    product.inputs = {node.inputs[0], gate};
    product.outputs = {node.outputs[0]};
    graph.add_node(std::move(product), node.block);
  }
  graph.sweep();
}

// TFLite's Softmax goes along the last axis alone; turned here, what is before and behind it may be in integers, too.
void turn_softmax(Graph& graph) {
  for (NodeId n : graph.order()) {
    const Node node = graph.node(n);
    const Value out = graph.value(node.outputs[0]);
    if (!(node.is("Softmax") || node.is("LogSoftmax")) || !out.dims || out.dims->size() < 2) continue;
    const auto rank = static_cast<int64_t>(out.dims->size());
    const int64_t axis = node.integer("axis", -1);
    if (axis == -1 || axis == rank - 1) continue;
    Permutation turn = identity_permutation(out.dims->size());
    std::swap(turn.back(), turn[static_cast<size_t>(axis < 0 ? axis + rank : axis)]);
    const ValueId shares = build(graph, node.op, {transposed(graph, node.inputs[0], turn, node.block)},
                                 {{"axis", int64_t{-1}}}, node.block, out.name + "_shares");
    graph.remove_node(n);
    put_transpose(graph, shares, turn, node.outputs[0], node.block);  // its own inverse
  }
  graph.sweep();
}

// One number a channel, or none and a sum behind the product: what broadcasts otherwise has no place in integers.
void set_gemm_bias_apart(Graph& graph) {
  for (NodeId n : graph.order()) {
    const Node node = graph.node(n);
    const Constant* bias = node.is("Gemm") ? graph.constant(node.input(2)) : nullptr;
    const std::optional<Dims>& dims = graph.value(node.output(0)).dims;
    if (bias == nullptr || bias->dtype() != Dtype::kFloat32 || node.real("beta", 1) != 1 || !dims) continue;
    const Dim channels = dims->back();
    if (!channels.known() || bias->shape() == Shape{channels.size}) continue;
    const std::string name = graph.value(node.inputs[2]).name;
    const std::vector<double> numbers = bias->to_doubles();
    const auto count = static_cast<size_t>(channels.size);
    if (numbers.size() == 1 || (numbers.size() == count && bias->shape().back() == channels.size)) {
      std::vector<float> row(count, static_cast<float>(numbers[0]));
      if (numbers.size() > 1) std::ranges::copy(numbers, row.begin());
      graph.set_input(n, 2, graph.add_constant(name + "_row", Constant::of_floats(row, {channels.size})));
      continue;
    }
    const Value out = graph.value(node.outputs[0]);
    Node product = node;
    product.inputs.resize(2);
    product.outputs = {graph.add_value(graph.unique_name(out.name + "_product"), out.dtype, out.dims)};
    graph.remove_node(n);
    Node sum;
    sum.op = "Add";
    sum.inputs = {product.outputs[0], node.inputs[2]};
    sum.outputs = {node.outputs[0]};
    graph.add_node(std::move(product), node.block);
    graph.add_node(std::move(sum), node.block);
  }
  graph.sweep();
}

}  // namespace

Result<std::set<NodeId>> makers_of(const Graph& graph, const std::set<std::string>& names) {
  std::set<NodeId> makers;
  for (const std::string& name : names) {
    const ValueId v = graph.find(name);
    if (v == kNoValue || graph.value(v).producer == kNoNode) {
      return Error(Code::kUsage, fmt::format("no layer gives out '{}' when the model is prepared; the report has the "
                                             "names of those that there are",
                                             name));
    }
    makers.insert(graph.value(v).producer);
  }
  return makers;
}

constexpr int64_t kFreeSize = 64;

Graph sized_for_counting(const Graph& graph) {
  Graph sized = graph;
  std::map<std::string, Shape> shapes;
  for (ValueId v : graph.main().inputs) {
    const Value& value = graph.value(v);
    if (!value.dims) continue;
    Shape shape = to_shape(*value.dims);
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] < 0) shape[i] = i == 0 ? 1 : kFreeSize;
    }
    shapes[value.name] = std::move(shape);
  }
  // What cannot be of that size is counted as it is.
  return freeze_shapes(sized, {}, shapes).ok() ? sized : graph;
}

Status prepare_for_quantization(Model& model, const ConvertOptions& options, bool tflite) {
  if (is_quantized(model.graph)) {
    return Error(Code::kInvalid, "the model is quantized already; quantization starts from a float model");
  }
  OREE_TRY(infer_types(model.graph));
  OREE_TRY(widen_floats(model.graph));
  OREE_TRY(prepare(model, options));
  write_out_swish(model.graph);
  set_gemm_bias_apart(model.graph);
  if (tflite) turn_softmax(model.graph);
  OREE_TRY(fold_constants(model.graph, kModelBytesMax));  // weights stored as float16, too
  PassResult cleaned = clean(model.graph);
  return cleaned.ok() ? Status() : Status(cleaned.error());
}

}  // namespace oree
