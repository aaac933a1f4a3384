// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/inspect/summary_parts.h"
#include "model/ops/inference.h"
#include "model/ops/op_def.h"
#include "model/tflite/tflite_costs.h"

namespace oree {
namespace {

int64_t node_macs(const Graph& graph, const Node& node) {
  return node.domain == "tflite" ? tflite_macs(graph, node) : macs_of(graph, node);
}

// TFLite's operators have their plain names, as they have in TFLite.
std::string layer_op(const Node& node) { return node.domain.starts_with("tflite") ? node.op : op_name(node); }

bool has_macs(const Node& node) {
  return !node.domain.starts_with("tflite") && find_op(node) == nullptr && multiplies(node.domain, node.op);
}

std::string dtype_of(const Value& v) { return v.dtype ? dtype_name(*v.dtype) : ""; }

// Of which type are the numbers that a layer multiplies? What DequantizeLinear makes of integers is run as integers.
std::string source_type(const Graph& graph, ValueId id) {
  constexpr int kStepsMax = 16;  // exporters put no more movements between the two
  if (id == kNoValue) return "?";
  for (int step = 0; step < kStepsMax && graph.value(id).producer != kNoNode; ++step) {
    const Node& maker = graph.node(graph.value(id).producer);
    const bool moves = maker.is("Transpose") || maker.is("Reshape") || maker.is("Unsqueeze") || maker.is("Squeeze");
    if ((!maker.is("DequantizeLinear") && !moves) || maker.input(0) == kNoValue) break;
    id = maker.input(0);
  }
  const std::optional<Dtype>& dtype = graph.value(id).dtype;
  return dtype ? dtype_name(*dtype) : "?";
}

std::string arithmetic_of(const Graph& graph, const Node& node) {
  size_t data = 0, weights = 1;
  if (node.op == "QLinearConv" || node.op == "QLinearMatMul") weights = 3;
  if (node.op == "TRANSPOSE_CONV") data = 2;
  if (node.op == "Einsum" && node.inputs.size() < 2) weights = 0;
  std::string a = source_type(graph, node.input(data)), w = source_type(graph, node.input(weights));
  return a == w ? a : a + " x " + w;
}

class GraphSummary {
 public:
  GraphSummary(const Graph& graph, ModelSummary& out) : graph_(graph), out_(out), fixed_(fixed_values(graph)) {}

  Cost fill() {
    Cost cost = analyze(graph_, node_macs);
    out_.macs = cost.macs;
    for (const auto& [op, macs] : cost.macs_by_op) out_.macs_by_op[plain(op)] += macs;
    for (const auto& [op, count] : cost.macs_unknown) out_.macs_unknown[plain(op)] += count;
    for (NodeId id : graph_.all_nodes()) {
      if (has_macs(graph_.node(id))) ++out_.macs_unknown[layer_op(graph_.node(id))];
    }
    out_.live_bytes_peak = cost.live_bytes_peak;
    out_.live_values_unknown = cost.values_unknown;
    for (const NodeCost& n : cost.nodes) layer(n, cost);
    for (ValueId v : graph_.main().inputs) count(v);
    return cost;
  }

 private:
  static std::string plain(const std::string& op) { return op.starts_with("tflite.") ? op.substr(7) : op; }

  void layer(const NodeCost& cost, const Cost& all) {
    const Node& node = graph_.node(cost.node);
    auto is_fixed = [&](ValueId v) { return v == kNoValue || fixed_[static_cast<size_t>(v)]; };
    if (!node.outputs.empty() && std::ranges::all_of(node.outputs, is_fixed)) return;
    InspectedLayer l;
    l.node = cost.node;
    l.op = layer_op(node);
    l.name = node.name;
    for (ValueId v : node.outputs) count(v);
    if (!node.outputs.empty() && node.outputs[0] != kNoValue) {
      const Value& v = graph_.value(node.outputs[0]);
      if (l.name.empty()) l.name = v.name;
      l.dtype = dtype_of(v);
      if (v.dims) l.shape = v.dims->empty() ? "scalar" : dims_text(*v.dims);
    }
    l.macs = has_macs(node) ? -1 : cost.macs;
    l.live_bytes = cost.live_bytes;
    l.parameters = parameters(node);
    out_.parameters_by_op[l.op] += l.parameters;
    if (l.macs != 0) l.arithmetic = arithmetic_of(graph_, node);
    if (l.macs > 0) out_.macs_by_arithmetic[l.arithmetic] += l.macs;
    if (cost.node == all.peak_node) out_.peak_layer = l.name;
    out_.layers.push_back(std::move(l));
  }

  void count(ValueId id) {
    if (id == kNoValue) return;
    const Value& v = graph_.value(id);
    if (v.dtype) ++out_.values_by_dtype[dtype_of(v) + (v.quantization ? " quantized" : "")];
  }

  // Of the constants that it uses, through what follows from them alone, its bodies included.
  int64_t parameters(const Node& node) {
    int64_t sum = 0;
    std::vector<ValueId> open(node.inputs.begin(), node.inputs.end());
    std::vector<BlockId> bodies;
    for (const auto& [name, body] : node.blocks) bodies.push_back(body);
    while (!bodies.empty()) {
      const Block& block = graph_.block(bodies.back());
      bodies.pop_back();
      open.insert(open.end(), block.outputs.begin(), block.outputs.end());
      for (NodeId id : block.nodes) {
        const Node& inner = graph_.node(id);
        if (inner.removed) continue;
        open.insert(open.end(), inner.inputs.begin(), inner.inputs.end());
        for (const auto& [name, body] : inner.blocks) bodies.push_back(body);
      }
    }
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == kNoValue || !fixed_[static_cast<size_t>(id)] || !seen_.insert(id).second) continue;
      const Value& v = graph_.value(id);
      if (v.constant) {
        const bool first = v.constant->elements() == 0 || bytes_seen_.insert(v.constant->bytes().data()).second;
        if (first && holds_parameters(v)) sum += v.constant->elements();
      } else if (v.producer != kNoNode) {
        const Node& maker = graph_.node(v.producer);
        open.insert(open.end(), maker.inputs.begin(), maker.inputs.end());
      }
    }
    return sum;
  }

  const Graph& graph_;
  ModelSummary& out_;
  const std::vector<bool> fixed_;
  std::set<ValueId> seen_;
  std::set<const uint8_t*> bytes_seen_;
};

}  // namespace

bool multiplies(std::string_view domain, std::string_view op) {
  static const std::set<std::string_view> contributed = {"Attention",
                                                         "ConvTransposeInteger",
                                                         "DynamicQuantizeLSTM",
                                                         "DynamicQuantizeMatMul",
                                                         "FusedConv",
                                                         "FusedGemm",
                                                         "FusedMatMul",
                                                         "GroupQueryAttention",
                                                         "MatMulIntegerToFloat",
                                                         "MatMulNBits",
                                                         "MultiHeadAttention",
                                                         "NhwcFusedConv",
                                                         "QAttention",
                                                         "QGemm",
                                                         "QLinearConv"};
  if (domain == "tflite") return tflite_multiplies(op);
  if (domain == "com.microsoft" || domain == "com.microsoft.nchwc") return contributed.contains(op);
  const OpDef* def = find_op(domain, op);
  return def != nullptr && def->macs != nullptr;
}

Status assume_one_item(Graph& graph, ModelSummary& summary) {
  std::map<std::string, int64_t> known;
  bool changed = false;
  for (ValueId v : graph.main().inputs) {
    const Value& value = graph.value(v);
    if (!value.dims) continue;
    for (size_t d = 0; d < value.dims->size(); ++d) {
      const Dim& dim = (*value.dims)[d];
      if (dim.known()) continue;
      if (!dim.symbol.empty()) {
        std::string& where = summary.symbols[dim.symbol];
        where += fmt::format("{}dimension {} of '{}'", where.empty() ? "" : ", ", d, value.name);
      }
      if (d == 0) {
        if (!dim.symbol.empty()) known[dim.symbol] = 1;
        summary.assumptions.push_back(fmt::format("dimension 0 of '{}' is free: taken as 1", value.name));
        changed = true;
      }
    }
  }
  if (!changed) return {};
  for (ValueId v : std::vector<ValueId>(graph.main().inputs)) {
    const Value& value = graph.value(v);
    if (!value.dims) continue;
    Dims dims = *value.dims;
    for (size_t d = 0; d < dims.size(); ++d) {
      if (!dims[d].known() && (d == 0 || known.contains(dims[d].symbol))) dims[d] = Dim(int64_t{1});
    }
    graph.set_type(v, value.dtype, std::move(dims));
  }
  forget_types(graph);
  return infer_types(graph);
}

Cost summarise_graph(const Graph& graph, ModelSummary& summary) { return GraphSummary(graph, summary).fill(); }

}  // namespace oree
