// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/integer_io.h"

#include <algorithm>

#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/quantization_nodes.h"

namespace oree {
namespace {

constexpr int64_t kMiddle = 128;  // between int8 and uint8

bool is_inner(std::optional<Dtype> dtype) { return dtype == Dtype::kInt8 || dtype == Dtype::kInt16; }

Port port_of(const Graph& graph, ValueId v, bool input) {
  const Value& value = graph.value(v);
  return {value.name, input, value.dtype.value_or(Dtype::kFloat32), false, {}, {}};
}

class IntegerIo {
 public:
  IntegerIo(Graph& graph, Dtype dtype) : graph_(graph), dtype_(dtype) {}

  Result<std::vector<Port>> run() {
    const std::vector<ValueId> inputs = graph_.main().inputs;
    for (ValueId v : inputs) make_input(v);
    for (size_t i = 0; i < graph_.main().outputs.size(); ++i) make_output(i);
    graph_.sweep();
    OREE_TRY(remove_dead(graph_));
    OREE_TRY(infer_types(graph_));
    return std::move(ports_);
  }

 private:
  Port& add_port(ValueId v, bool input) {
    ports_.push_back(port_of(graph_, v, input));
    return ports_.back();
  }

  // A QuantizeLinear to what layers take, with one scale, that stands in the main block.
  std::optional<Quantization> quantizes(NodeId n) const {
    const Node& node = graph_.node(n);
    if (!node.is("QuantizeLinear") || node.block != kMainBlock) return std::nullopt;
    if (!is_inner(graph_.value(node.outputs[0]).dtype)) return std::nullopt;
    std::optional<Quantization> q = parameters_of(graph_, node);
    return q && !q->per_axis() ? q : std::nullopt;
  }

  // Integers of 16 bits are given and taken as they are.
  Dtype outer(Dtype inner) const { return inner == Dtype::kInt16 ? inner : dtype_; }
  static Quantization outer(Quantization q, Dtype dtype) {
    if (dtype == Dtype::kUint8) q.zero_points[0] += kMiddle;
    return q;
  }

  static Affine affine_of(const Quantization& q) { return {q.scales[0], q.zero_points[0]}; }

  void make_input(ValueId v) {
    Port& port = add_port(v, true);
    if (graph_.value(v).dtype != Dtype::kFloat32) return;
    std::optional<Quantization> q;
    Dtype inner = Dtype::kInt8;
    for (NodeId user : graph_.value(v).users) {
      if (q) break;
      q = quantizes(user);
      if (q) inner = *graph_.value(graph_.node(user).outputs[0]).dtype;
    }
    if (graph_.is_output(v)) {
      port.because = "it is an output, too";
    } else if (!q) {
      port.because = "nothing in integers takes it";
    }
    if (!port.because.empty()) return;
    port.quantized = true;
    port.dtype = outer(inner);
    port.affine = affine_of(outer(*q, port.dtype));
    const std::vector<NodeId> users = graph_.value(v).users;
    graph_.set_type(v, port.dtype, graph_.value(v).dims);
    ValueId reals = kNoValue;
    for (NodeId user : users) {
      std::optional<Quantization> own = quantizes(user);
      if (port.dtype == inner && own == q && graph_.value(graph_.node(user).outputs[0]).dtype == inner) {
        graph_.replace(graph_.node(user).outputs[0], v);
        graph_.remove_node(user);
        continue;
      }
      if (reals == kNoValue) reals = add_reals(v, outer(*q, port.dtype));
      for (size_t i = 0; i < graph_.node(user).inputs.size(); ++i) {
        if (graph_.node(user).inputs[i] == v) graph_.set_input(user, i, reals);
      }
    }
  }

  ValueId add_reals(ValueId v, Quantization q) {
    const Value value = graph_.value(v);
    Node node = dequantize_node(graph_, v, std::move(q), *value.dtype);
    return put_node(graph_, std::move(node), value.name + "_real", Dtype::kFloat32, value.dims);
  }

  void make_output(size_t index) {
    const ValueId reals = graph_.main().outputs[index];
    Port& port = add_port(reals, false);
    if (graph_.value(reals).dtype != Dtype::kFloat32) return;
    const NodeId maker = graph_.value(reals).producer;
    port.because = "it is computed in float";
    if (maker == kNoNode || !graph_.node(maker).is("DequantizeLinear")) return;
    const ValueId integers = graph_.node(maker).inputs[0];
    std::optional<Quantization> q = parameters_of(graph_, graph_.node(maker));
    const std::optional<Dtype> inner = graph_.value(integers).dtype;
    if (!q || q->per_axis() || !is_inner(inner)) return;
    if (graph_.value(integers).producer == kNoNode || graph_.is_output(integers)) {
      port.because = "its integers are given out already";
      return;
    }
    port.because.clear();
    port.quantized = true;
    port.dtype = outer(*inner);
    port.affine = affine_of(outer(*q, port.dtype));
    const std::string name = port.name;
    ValueId given = port.dtype == inner ? integers : add_outer(integers, *q);
    graph_.set_output(kMainBlock, index, given);
    graph_.rename(reals, graph_.unique_name(name + "_real"));
    graph_.rename(given, name);
  }

  ValueId add_outer(ValueId integers, const Quantization& q) {
    Node again = quantize_node(graph_, add_reals(integers, q), outer(q, dtype_), dtype_);
    const Value value = graph_.value(integers);
    return put_node(graph_, std::move(again), value.name + "_out", dtype_, value.dims);
  }

  Graph& graph_;
  Dtype dtype_;
  std::vector<Port> ports_;
};

}  // namespace

Result<std::vector<Port>> make_io(Graph& graph, IoType type) {
  if (type != IoType::kFloat) return IntegerIo(graph, type == IoType::kInt8 ? Dtype::kInt8 : Dtype::kUint8).run();
  std::vector<Port> ports;
  for (ValueId v : graph.main().inputs) ports.push_back(port_of(graph, v, true));
  for (ValueId v : graph.main().outputs) ports.push_back(port_of(graph, v, false));
  return ports;
}

std::map<std::string, Port> integer_ports(const std::vector<Port>& ports) {
  std::map<std::string, Port> out;
  for (const Port& p : ports) {
    if (p.quantized) out.emplace(p.name, p);
  }
  return out;
}

}  // namespace oree
