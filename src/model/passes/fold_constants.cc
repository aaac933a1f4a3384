// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/base/limits.h"
#include "model/passes/passes.h"
#include "model/passes/rewrite.h"
#include "model/reference/interpreter.h"
#include "model/reference/kernel.h"

namespace oree {
namespace {

// What a quantizer or a converter wrote as a format, not as a computation: folding it would undo it.
bool is_format(const Node& node) {
  return node.op == "QuantizeLinear" || node.op == "DequantizeLinear" || node.op == "DynamicQuantizeLinear";
}

bool foldable(const Graph& graph, const Node& node) {
  const OpDef* def = find_op(node);
  if (def == nullptr || !node.domain.empty() || def->has(kRandom) || def->has(kHasBlocks) || is_format(node))
    return false;
  if (find_kernel(node.domain, node.op) == nullptr) return false;
  auto plain = [&](ValueId v) { return v == kNoValue || !graph.value(v).quantization; };
  return std::ranges::all_of(node.inputs, [&](ValueId v) { return v == kNoValue || graph.constant(v); }) &&
         std::ranges::all_of(node.inputs, plain) && std::ranges::all_of(node.outputs, plain);
}

int64_t constant_bytes(const Graph& graph, const std::vector<ValueId>& values) {
  int64_t bytes = 0;
  for (ValueId v : values) {
    if (v == kNoValue) continue;
    const Value& value = graph.value(v);
    std::optional<Shape> shape = value.dims ? known_shape(*value.dims) : std::nullopt;
    if (!shape || !value.dtype) return -1;
    Result<int64_t> elements = shape_elements(*shape);
    if (!elements.ok()) return -1;
    bytes += static_cast<int64_t>(dtype_bytes(*value.dtype, *elements));
  }
  return bytes;
}

void become_constant(Graph& graph, NodeId id, size_t output, Tensor tensor) {
  ValueId old = graph.node(id).outputs[output];
  if (old == kNoValue) return;
  ValueId constant = graph.add_constant(graph.value(old).name, Constant(std::move(tensor)));
  bool output_of_graph = graph.is_output(old);
  graph.replace(old, constant);
  if (!output_of_graph) return;
  std::string name = graph.value(old).name;  // the name is the user's
  graph.rename(old, graph.unique_name(name));
  graph.rename(constant, std::move(name));
}

// Shape and Size of what is known need no operand.
std::optional<Tensor> known_size(const Graph& graph, const Node& node) {
  if (!node.is("Shape") && !node.is("Size")) return std::nullopt;
  const std::optional<Dims>& dims = graph.value(node.inputs[0]).dims;
  std::optional<Shape> shape = dims ? known_shape(*dims) : std::nullopt;
  if (!shape) return std::nullopt;
  if (node.is("Size")) {
    Result<int64_t> elements = shape_elements(*shape);
    if (!elements.ok()) return std::nullopt;
    return Constant::scalar(*elements).to_tensor();
  }
  auto rank = static_cast<int64_t>(shape->size());
  auto at = [&](const char* attribute, int64_t otherwise) {
    int64_t v = node.integer(attribute, otherwise);
    return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank);
  };
  int64_t begin = at("start", 0), end = std::max(begin, at("end", rank));
  return Constant::vector(std::span(*shape).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)))
      .to_tensor();
}

}  // namespace

PassResult fold_constants(Graph& graph, int64_t bytes_max) {
  int folded = 0;
  ReferenceLimits left;
  left.node_steps = left.run_steps = static_cast<double>(kFoldStepsMax);
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    for (NodeId id : graph.order(block)) {
      const Node& node = graph.node(id);
      if (std::optional<Tensor> size = known_size(graph, node)) {
        become_constant(graph, id, 0, std::move(*size));
        graph.remove_node(id);
        ++folded;
        continue;
      }
      if (!foldable(graph, node)) continue;
      int64_t before = constant_bytes(graph, node.inputs), after = constant_bytes(graph, node.outputs);
      if (after < 0 || (after > bytes_max && after > before)) continue;
      std::vector<Tensor> tensors;
      std::vector<const Tensor*> inputs;
      tensors.reserve(node.inputs.size());
      for (ValueId v : node.inputs) {
        if (v != kNoValue) tensors.push_back(graph.constant(v)->to_tensor());
        inputs.push_back(v == kNoValue ? nullptr : &tensors.back());
      }
      Result<std::vector<Tensor>> results = evaluate_node(graph, id, inputs, left);
      bool stays =
          !results.ok() && (results.error().code() == Code::kUnsupported || results.error().code() == Code::kExhausted);
      if (stays) continue;
      OREE_TRY(results.ok() ? Status() : Status(results.error()));
      std::vector<Tensor> outputs = std::move(results).value();
      for (size_t i = 0; i < outputs.size(); ++i) become_constant(graph, id, i, std::move(outputs[i]));
      graph.remove_node(id);
      ++folded;
    }
  }
  graph.sweep();
  return folded;
}

}  // namespace oree
