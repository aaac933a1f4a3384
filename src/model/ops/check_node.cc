// SPDX-License-Identifier: Apache-2.0
#include "model/ops/check_node.h"

#include <fmt/format.h>

#include <algorithm>

namespace oree {
namespace {

// In the order of AttributeKind, which is that of Attribute's alternatives.
constexpr const char* kKinds[] = {"an integer", "a float", "a text", "integers", "floats", "texts", "a tensor"};

Error wrong(const Graph& graph, const Node& node, const std::string& text) {
  std::string name = node.name;
  if (name.empty() && node.output(0) != kNoValue) name = graph.value(node.outputs[0]).name;
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node.op, name, text));
}

std::string range(int min, int max) {
  if (min == max) return std::to_string(min);
  return max >= kVariadic ? fmt::format("{} or more", min) : fmt::format("{} to {}", min, max);
}

bool within(size_t n, int min, int max) { return n >= static_cast<size_t>(min) && n <= static_cast<size_t>(max); }

Status check_attributes(const Graph& graph, const Node& node, const OpDef& def) {
  for (const auto& [name, value] : node.attributes) {
    if (name.starts_with(kHintPrefix)) continue;
    auto known = std::ranges::find(def.attributes, std::string_view(name), &AttributeDef::name);
    if (known == def.attributes.end()) return wrong(graph, node, fmt::format("has no attribute '{}'", name));
    if (value.index() == static_cast<size_t>(known->kind)) continue;
    return wrong(graph, node,
                 fmt::format("attribute '{}' must be {}, not {}", name, kKinds[static_cast<size_t>(known->kind)],
                             kKinds[value.index()]));
  }
  for (const AttributeDef& a : def.attributes) {
    if (a.required && node.find(a.name) == nullptr)
      return wrong(graph, node, fmt::format("needs the attribute '{}'", a.name));
  }
  return {};
}

Status check_blocks(const Graph& graph, const Node& node, const OpDef& def) {
  std::vector<std::string_view> wanted;
  if (def.has(kHasBlocks)) {
    wanted = def.op == "If" ? std::vector<std::string_view>{"else_branch", "then_branch"}
                            : std::vector<std::string_view>{"body"};
  }
  std::vector<std::string_view> found;
  for (const auto& [name, block] : node.blocks) found.emplace_back(name);
  std::ranges::sort(found);
  if (found == wanted) return {};
  return wrong(graph, node, fmt::format("has {} bodies, which must be: {}", found.size(), fmt::join(wanted, ", ")));
}

}  // namespace

Status check_node(const Graph& graph, const Node& node, const OpDef& def) {
  if (!within(node.inputs.size(), def.inputs_min, def.inputs_max)) {
    return wrong(graph, node,
                 fmt::format("has {} inputs, not {}", node.inputs.size(), range(def.inputs_min, def.inputs_max)));
  }
  if (!within(node.outputs.size(), def.outputs_min, def.outputs_max)) {
    return wrong(graph, node,
                 fmt::format("has {} outputs, not {}", node.outputs.size(), range(def.outputs_min, def.outputs_max)));
  }
  // A Loop's first two may be absent though they are counted.
  for (size_t i = 0; i < static_cast<size_t>(def.inputs_min) && !def.has(kHasBlocks); ++i) {
    if (node.inputs[i] == kNoValue) return wrong(graph, node, fmt::format("input {} is absent", i));
  }
  OREE_TRY(check_attributes(graph, node, def));
  return check_blocks(graph, node, def);
}

}  // namespace oree
