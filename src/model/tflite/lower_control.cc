// SPDX-License-Identifier: Apache-2.0
// If and Loop as IF and WHILE. ONNX's bodies use the values around them, TFLite's have them all as inputs.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/copy_block.h"
#include "model/tflite/lower.h"

namespace oree {
namespace {

// A body once more, with `inputs` (values from around it) as its own inputs, in this order.
BlockId closed_body(Lower& r, NodeId owner, std::string name, BlockId from, const std::vector<ValueId>& around) {
  Graph& graph = r.graph();
  BlockId to = graph.add_block(owner, std::move(name));
  ValueMapping mapping;
  for (ValueId v : around) mapping[v] = add_input_like(graph, v, to);
  copy_block(graph, from, to, mapping);
  for (ValueId v : std::vector(graph.block(from).outputs)) {
    // What is handed on as it came gets a tensor of its own.
    ValueId out = mapped(mapping, v);
    bool made = graph.value(out).producer != kNoNode;
    if (!made) {
      ValueId copy = graph.add("Identity", {out}, {}, to);
      graph.set_type(copy, graph.value(out).dtype, graph.value(out).dims);
      graph.set_quantization(copy, graph.value(out).quantization);
      out = copy;
    }
    graph.add_output(out, to);
  }
  return to;
}

Result<bool> lower_if(Lower& r) {
  OREE_TRY(r.want(1, 1));
  Graph& graph = r.graph();
  BlockId then_block = -1, else_block = -1;
  for (const auto& [name, body] : r.node().blocks) (name == "then_branch" ? then_block : else_block) = body;
  std::vector<ValueId> around = captured_values(graph, then_block);
  for (ValueId v : captured_values(graph, else_block)) {
    if (std::ranges::find(around, v) == around.end()) around.push_back(v);
  }
  std::vector<ValueId> inputs{r.in(0)};
  inputs.insert(inputs.end(), around.begin(), around.end());
  if (std::ranges::find(r.node().outputs, kNoValue) != r.node().outputs.end())
    return r.unsupported("an output that nobody wants");
  NodeId id = r.add_tflite_node("IF", std::move(inputs), r.node().outputs);
  closed_body(r, id, "then", then_block, around);
  closed_body(r, id, "else", else_block, around);
  return true;
}

// Loop variables of the WHILE: the turn, whether to go on, the Loop's own, what its body uses from around it.
Result<bool> lower_loop(Lower& r) {
  Graph& graph = r.graph();
  BlockId body = r.node().blocks.at(0).second;
  const std::vector<ValueId> body_inputs = graph.block(body).inputs, body_outputs = graph.block(body).outputs;
  if (body_inputs.size() < 2 || r.node().inputs.size() < 2) return r.invalid("too few inputs");
  size_t own = body_inputs.size() - 2;
  if (body_outputs.size() != own + 1) return r.unsupported("results of every turn");
  for (size_t i = 0; i < own; ++i) {
    std::optional<Dims> before = r.dims(r.in(i + 2)), after = r.dims(body_outputs[i + 1]);
    bool other = !before || !after || before->size() != after->size();
    for (size_t d = 0; !other && d < before->size(); ++d) {
      const Dim &a = (*before)[d], &b = (*after)[d];
      other = a.known() && b.known() && a.size != b.size;
    }
    if (other) return r.unsupported("a variable whose shape changes");
  }
  std::optional<Shape> told = r.shape(body_outputs[0]);
  if (!told || shape_elements(*told).value() != 1) return r.unsupported("a condition that is no scalar");
  if (std::ranges::find(r.node().outputs, kNoValue) != r.node().outputs.end())
    return r.unsupported("an output that nobody wants");
  std::vector<ValueId> around = captured_values(graph, body);
  Tensor yes(Dtype::kBool, {});
  yes.data()[0] = 1;
  ValueId first = r.has(1) ? r.in(1) : r.constant(Constant(yes), "go_on");
  if (r.rank(first) != size_t{0}) first = r.reshape(first, std::vector<int64_t>{});
  ValueId most = r.has(0) ? r.in(0) : r.int_constant(INT64_MAX);
  if (r.rank(most) != size_t{0}) most = r.reshape(most, std::vector<int64_t>{});
  std::vector<ValueId> inputs{r.int_constant(0), most, first};
  inputs.insert(inputs.end(), r.node().inputs.begin() + 2, r.node().inputs.end());
  inputs.insert(inputs.end(), around.begin(), around.end());
  std::vector<ValueId> outputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    bool result = i >= 3 && i < 3 + own;
    ValueId out = result ? r.node().outputs[i - 3] : graph.add_value("after", r.dtype(inputs[i]), r.dims(inputs[i]));
    if (!result) graph.set_quantization(out, r.value(inputs[i]).quantization);
    outputs.push_back(out);
  }
  NodeId id = r.add_tflite_node("WHILE", inputs, outputs);

  BlockId condition = graph.add_block(id, "cond");
  std::vector<ValueId> seen;
  for (ValueId v : inputs) seen.push_back(add_input_like(graph, v, condition));
  ValueId within = graph.add("Less", {seen[0], seen[1]}, {}, condition);
  graph.set_type(within, Dtype::kBool, Dims{});
  ValueId go_on = graph.add("And", {within, seen[2]}, {}, condition);
  graph.set_type(go_on, Dtype::kBool, Dims{});
  graph.add_output(go_on, condition);

  BlockId turn = graph.add_block(id, "body");
  ValueMapping mapping;
  std::vector<ValueId> held;
  for (ValueId v : inputs) held.push_back(add_input_like(graph, v, turn));
  mapping[body_inputs[0]] = held[0];
  mapping[body_inputs[1]] = held[2];
  for (size_t i = 0; i < own; ++i) mapping[body_inputs[i + 2]] = held[i + 3];
  for (size_t i = 0; i < around.size(); ++i) mapping[around[i]] = held[3 + own + i];
  copy_block(graph, body, turn, mapping);
  auto hand_on = [&](ValueId v) {
    if (graph.value(v).producer != kNoNode) return v;
    ValueId copy = graph.add("Identity", {v}, {}, turn);
    graph.set_type(copy, graph.value(v).dtype, graph.value(v).dims);
    graph.set_quantization(copy, graph.value(v).quantization);
    return copy;
  };
  ValueId next = graph.add("Add", {held[0], r.int_constant(1)}, {}, turn);
  graph.set_type(next, Dtype::kInt64, Dims{});
  std::vector<ValueId> after{next, hand_on(held[1])};
  for (ValueId v : body_outputs) after.push_back(hand_on(mapped(mapping, v)));
  for (size_t i = 0; i < around.size(); ++i) after.push_back(hand_on(held[3 + own + i]));
  if (graph.value(after[2]).dims && !graph.value(after[2]).dims->empty()) {
    ValueId scalar = graph.add("Squeeze", {after[2]}, {}, turn);
    graph.set_type(scalar, Dtype::kBool, Dims{});
    after[2] = scalar;
  }
  for (ValueId v : after) graph.add_output(v, turn);
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"If", lower_if},
    {"Loop", lower_loop},
};

}  // namespace

std::span<const LowerEntry> lower_control() { return kEntries; }

}  // namespace oree
