// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_downgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <map>

#include "model/onnx/onnx_upgrade.h"
#include "model/onnx/onnx_versions.h"

namespace oree {
namespace {

using Rows = std::multimap<std::string_view, DowngradeRow>;

const Rows& all_rows() {
  static const Rows rows = [] {
    Rows out;
    for (const auto& group : {axes_downgrades(), image_downgrades(), meaning_downgrades(), whole_downgrades()}) {
      for (const DowngradeRow& row : group) out.emplace(row.op, row);
    }
    return out;
  }();
  return rows;
}

// The newest change of the operator that the opset has not and that is older than `below`.
const DowngradeRow* next_row(std::string_view op, int opset, int below) {
  const DowngradeRow* best = nullptr;
  auto [begin, end] = all_rows().equal_range(op);
  for (auto it = begin; it != end; ++it) {
    int version = it->second.version;
    if (version > opset && version < below && (best == nullptr || version > best->version)) best = &it->second;
  }
  return best;
}

// Axes count from the back since opset 11.
Status count_from_front(Downgrade& d) {
  const Node& n = d.node();
  for (const char* name : {"axis", "axes"}) {
    const Attribute* value = n.find(name);
    if (value == nullptr) continue;
    bool one = std::holds_alternative<int64_t>(*value);
    std::vector<int64_t> axes = one ? std::vector<int64_t>{n.integer(name, 0)} : n.integers(name);
    bool negative = false;
    for (int64_t a : axes) negative = negative || a < 0;
    if (!negative) continue;
    std::optional<size_t> rank = d.rank(0);
    if (!rank) return d.unsupported("counts its axes from the back of a tensor of unknown rank");
    int64_t count = static_cast<int64_t>(*rank);
    if (n.op == "Unsqueeze") count += static_cast<int64_t>(axes.size());
    if (n.op == "OneHot") ++count;
    for (int64_t& a : axes) a = a < 0 ? a + count : a;
    d.graph.set_attribute(d.id, name, one ? Attribute(axes[0]) : Attribute(axes));
  }
  return {};
}

}  // namespace

Status onnx_downgrade(Graph& graph, int opset) {
  // Steps add nodes in the newest form, which then take their own steps.
  for (NodeId id = 0; static_cast<size_t>(id) < graph.node_count(); ++id) {
    Downgrade d(graph, id, opset);
    if (graph.node(id).removed || !graph.node(id).domain.empty()) continue;
    int version = INT_MAX;
    while (!graph.node(id).removed) {
      const DowngradeRow* row = next_row(graph.node(id).op, opset, version);
      if (row == nullptr) break;
      version = row->version;
      OREE_TRY(row->step(d));
    }
    if (graph.node(id).removed) continue;
    if (opset < 11) OREE_TRY(count_from_front(d));
    if (auto why = onnx_misfit(graph, graph.node(id), opset)) {
      return d.unsupported(fmt::format("opset {}: it {}", opset, *why));
    }
  }
  return {};
}

std::optional<Dims> Downgrade::dims(size_t input) const {
  return absent(input) ? std::nullopt : graph.value(in(input)).dims;
}

std::optional<size_t> Downgrade::rank(size_t input) const {
  std::optional<Dims> d = dims(input);
  if (!d) return std::nullopt;
  return d->size();
}

std::optional<Dtype> Downgrade::dtype(size_t input) const {
  return absent(input) ? std::nullopt : graph.value(in(input)).dtype;
}

Status Downgrade::input_to_ints(size_t index, const char* attribute) {
  if (absent(index)) return {};
  const Constant* c = constant(index);
  if (c == nullptr)
    return unsupported(fmt::format("'{}' is computed, but must be constant in opset {}", attribute, opset));
  graph.set_attribute(id, attribute, c->to_ints());
  graph.set_input(id, index, kNoValue);
  return {};
}

Status Downgrade::input_to_real(size_t index, const char* attribute) {
  if (absent(index)) return {};
  const Constant* c = constant(index);
  if (c == nullptr || c->elements() != 1) {
    return unsupported(fmt::format("'{}' is computed, but must be constant in opset {}", attribute, opset));
  }
  double value = c->to_doubles()[0];
  if (static_cast<double>(static_cast<float>(value)) != value && value == value) {
    return unsupported(fmt::format("'{}' is no float, as opset {} needs it", attribute, opset));
  }
  graph.set_attribute(id, attribute, static_cast<float>(value));
  graph.set_input(id, index, kNoValue);
  return {};
}

void Downgrade::keep_inputs(size_t count) {
  for (size_t i = count; i < node().inputs.size(); ++i) graph.set_input(id, i, kNoValue);
}

ValueId Downgrade::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, ValueId like,
                       bool moved) {
  std::string base = node().name.empty() ? node().op : node().name;
  ValueId out = graph.add(op, std::move(inputs), std::move(attributes), node().block, fmt::format("{}_{}", base, op));
  if (like != kNoValue) {
    const Value& v = graph.value(like);
    graph.set_type(out, v.dtype, moved ? std::nullopt : v.dims);
  }
  return out;
}

ValueId Downgrade::real(float value, ValueId like) {
  ValueId one = reals(value, 1, like);
  graph.set_constant(one, graph.constant(one)->reshaped({}));
  return one;
}

ValueId Downgrade::reals(float value, int64_t count, ValueId like) {
  std::optional<Dtype> known = like == kNoValue ? std::nullopt : graph.value(like).dtype;
  Dtype dtype = known && dtype_is_float(*known) ? *known : Dtype::kFloat32;
  Tensor t(dtype, {count});
  switch (dtype) {
    case Dtype::kFloat64: std::ranges::fill(t.as<double>(), value); break;
    case Dtype::kFloat16: std::ranges::fill(t.as<uint16_t>(), float_to_half(value)); break;
    case Dtype::kBfloat16: std::ranges::fill(t.as<uint16_t>(), float_to_bfloat(value)); break;
    default: std::ranges::fill(t.as<float>(), value); break;
  }
  return graph.add_constant(node().op + "_constant", Constant(std::move(t)));
}

ValueId Downgrade::ints(const std::vector<int64_t>& values) {
  return graph.add_constant(node().op + "_ints", Constant::vector(values));
}

void Downgrade::finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  Node last;
  last.op = op;
  last.name = node().name;
  last.inputs = std::move(inputs);
  last.outputs = {node().output(0)};
  last.attributes = std::move(attributes);
  BlockId block = node().block;
  graph.remove_node(id);
  graph.add_node(std::move(last), block);
}

void Downgrade::then(size_t index, std::string_view op, Attributes attributes, std::vector<ValueId> more) {
  std::vector<ValueId> outputs = node().outputs;
  ValueId out = node().output(index);
  if (out == kNoValue) return;
  ValueId inner = graph.add_value(graph.value(out).name + "_" + node().op, graph.value(out).dtype);
  outputs[index] = inner;
  graph.set_outputs(id, outputs);
  Node last;
  last.op = op;
  last.inputs = {inner};
  last.inputs.insert(last.inputs.end(), more.begin(), more.end());
  last.outputs = {out};
  last.attributes = std::move(attributes);
  graph.add_node(std::move(last), node().block);
}

Error Downgrade::unsupported(const std::string& text) const {
  return Error(Code::kUnsupported, fmt::format("{}: {}", onnx_node_text(graph, node()), text));
}

}  // namespace oree
