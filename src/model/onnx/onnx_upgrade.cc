// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_upgrade.h"

#include <fmt/format.h>

#include <map>

namespace oree {
namespace {

using Rows = std::multimap<std::string_view, UpgradeRow>;

const Rows& all_rows() {
  static const Rows rows = [] {
    Rows out;
    for (const auto& group : {axes_upgrades(), image_upgrades(), old_upgrades(), meaning_upgrades()}) {
      for (const UpgradeRow& row : group) out.emplace(row.op, row);
    }
    return out;
  }();
  return rows;
}

const UpgradeRow* next_row(std::string_view op, int64_t above) {
  const UpgradeRow* best = nullptr;
  auto [begin, end] = all_rows().equal_range(op);
  for (auto it = begin; it != end; ++it) {
    if (it->second.version > above && (best == nullptr || it->second.version < best->version)) best = &it->second;
  }
  return best;
}

}  // namespace

Status Upgrade::run(int64_t opset) {
  if (opset < 6) drop("consumed_inputs");  // a hint to allocators, once
  // A step may rename the operator: what follows are the steps of its new name.
  while (const UpgradeRow* row = next_row(node.op, opset)) {
    OREE_TRY(row->step(*this));
    opset = row->version;
  }
  return {};
}

void Upgrade::set_input(size_t index, ValueId value) {
  if (index >= node.inputs.size()) node.inputs.resize(index + 1, kNoValue);
  node.inputs[index] = value;
}

ValueId Upgrade::constant(std::string_view suffix, Constant value) {
  std::string base = !node.name.empty() ? node.name : node.op;
  return graph.add_constant(fmt::format("{}_{}", base, suffix), std::move(value));
}

ValueId Upgrade::real_like(std::string_view suffix, float value, ValueId like) {
  std::optional<Dtype> dtype = like == kNoValue ? std::nullopt : graph.value(like).dtype;
  if (dtype == Dtype::kFloat32) return constant(suffix, Constant::scalar(value));
  if (dtype == Dtype::kFloat64) {
    Tensor t(Dtype::kFloat64, {});
    t.as<double>()[0] = value;
    return constant(suffix, Constant(std::move(t)));
  }
  if (dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16) {
    Tensor t(*dtype, {});
    t.as<uint16_t>()[0] = dtype == Dtype::kFloat16 ? float_to_half(value) : float_to_bfloat(value);
    return constant(suffix, Constant(std::move(t)));
  }
  return add("CastLike", {constant(suffix, Constant::scalar(value)), like});
}

void Upgrade::ints_to_input(std::string_view attribute, size_t index) {
  if (node.find(attribute) == nullptr) return;
  set_input(index, constant(attribute, Constant::vector(node.integers(attribute))));
  drop(attribute);
}

ValueId Upgrade::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  std::string base = !node.name.empty() ? node.name : node.op;
  ValueId out = graph.add(op, std::move(inputs), std::move(attributes), block, fmt::format("{}_{}", base, op));
  before.push_back(graph.value(out).producer);
  return out;
}

void Upgrade::then(size_t index, std::string_view op, std::vector<ValueId> more, Attributes attributes) {
  ValueId out = node.output(index);
  if (out == kNoValue) return;
  const Value& value = graph.value(out);
  ValueId inner = graph.add_value(fmt::format("{}_{}", value.name, node.op), value.dtype);
  node.outputs[index] = inner;
  Node last;
  last.op = op;
  last.inputs = {inner};
  last.inputs.insert(last.inputs.end(), more.begin(), more.end());
  last.outputs = {out};
  last.attributes = std::move(attributes);
  after.insert(after.begin(), std::move(last));
}

bool Upgrade::wants(size_t output) const {
  return node.output(output) != kNoValue && (output >= used.size() || used[output]);
}

std::optional<size_t> Upgrade::rank(size_t input) const {
  ValueId id = node.input(input);
  if (id == kNoValue || !graph.value(id).dims) return std::nullopt;
  return graph.value(id).dims->size();
}

std::optional<Dtype> Upgrade::dtype(size_t input) const {
  ValueId id = node.input(input);
  return id == kNoValue ? std::nullopt : graph.value(id).dtype;
}

Error Upgrade::unsupported(const std::string& text) const {
  return Error(Code::kUnsupported, fmt::format("{}: {}", onnx_node_text(graph, node), text));
}

std::string onnx_node_text(const Graph& graph, const Node& node) {
  std::string name = node.name;
  if (name.empty() && node.output(0) != kNoValue) name = graph.value(node.output(0)).name;
  return fmt::format("{} '{}'", node.op.substr(0, 128), name.substr(0, 128));
}

}  // namespace oree
