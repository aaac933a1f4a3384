// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <tuple>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

struct ConstantKey {
  Dtype dtype;
  Shape shape;
  std::string head;
  auto operator<=>(const ConstantKey&) const = default;
};

ConstantKey key_of(const Constant& c) {
  return {c.dtype(), c.shape(), std::string(as_text(c.bytes().first(std::min(c.bytes().size(), size_t{256}))))};
}

int merge_constants(Graph& graph) {
  std::map<ConstantKey, std::vector<ValueId>> known;
  int merged = 0;
  for (ValueId v = 0; v < static_cast<ValueId>(graph.value_count()); ++v) {
    const Constant* c = graph.constant(v);
    if (!c || graph.unused(v)) continue;
    std::vector<ValueId>& alike = known[key_of(*c)];
    bool found = false;
    for (ValueId other : alike) {
      if (!same_quantization(graph, v, other) || !(*graph.constant(other) == *c)) continue;
      found = true;
      if (bypass(graph, v, other)) ++merged;
      break;
    }
    if (!found) alike.push_back(v);
  }
  return merged;
}

// Attributes compare by value; constants among them are rare and make a node its own.
std::optional<std::string> attribute_key(const Attributes& attributes) {
  std::string key;
  for (const auto& [name, value] : attributes) {
    key += name;
    key += '=';
    auto bytes = [&](const void* data, size_t size) { key.append(static_cast<const char*>(data), size); };
    if (std::holds_alternative<Constant>(value)) return std::nullopt;
    if (const auto* i = std::get_if<int64_t>(&value)) bytes(i, sizeof *i);
    if (const auto* f = std::get_if<float>(&value)) bytes(f, sizeof *f);
    if (const auto* s = std::get_if<std::string>(&value)) key += *s;
    if (const auto* l = std::get_if<std::vector<int64_t>>(&value)) bytes(l->data(), l->size() * sizeof(int64_t));
    if (const auto* l = std::get_if<std::vector<float>>(&value)) bytes(l->data(), l->size() * sizeof(float));
    if (const auto* l = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& s : *l) key += s + '\0';
    }
    key += '\0';
    key += static_cast<char>('0' + value.index());
  }
  return key;
}

bool same_outputs(const Graph& graph, const Node& a, const Node& b) {
  if (a.outputs.size() != b.outputs.size()) return false;
  for (size_t i = 0; i < a.outputs.size(); ++i) {
    if ((a.outputs[i] == kNoValue) != (b.outputs[i] == kNoValue)) return false;
    if (a.outputs[i] == kNoValue) continue;
    if (!same_quantization(graph, a.outputs[i], b.outputs[i])) return false;
    if (graph.value(a.outputs[i]).dtype != graph.value(b.outputs[i]).dtype) return false;
    if (graph.is_output(a.outputs[i]) && graph.is_output(b.outputs[i])) return false;  // both names are seen
  }
  return true;
}

int merge_nodes(Graph& graph, BlockId block) {
  std::map<std::tuple<std::string, std::string, std::vector<ValueId>>, NodeId> known;
  int merged = 0;
  for (NodeId id : graph.order(block)) {
    const Node& node = graph.node(id);
    const OpDef* def = find_op(node);
    if (def == nullptr || def->has(kRandom) || !node.blocks.empty() || !node.unknown.empty()) continue;
    std::optional<std::string> attributes = attribute_key(node.attributes);
    if (!attributes) continue;
    auto [it, added] = known.try_emplace({node.domain + ":" + node.op, *attributes, node.inputs}, id);
    if (added) continue;
    const Node& first = graph.node(it->second);
    if (!same_outputs(graph, first, node)) continue;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) graph.replace_keeping_name(node.outputs[i], first.outputs[i]);
    }
    graph.remove_node(id);
    ++merged;
  }
  graph.sweep();
  return merged;
}

}  // namespace

PassResult merge_common(Graph& graph) {
  int merged = merge_constants(graph);
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner == kNoNode || !graph.node(owner).removed) merged += merge_nodes(graph, block);
  }
  return merged;
}

}  // namespace oree
