// SPDX-License-Identifier: Apache-2.0
#include "model/draw/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "model/draw/looks.h"
#include "model/ops/analyze.h"

namespace oree {
namespace {

constexpr size_t kListedMax = 8;  // elements of a list among the facts

std::string shortened(std::string_view text) {
  return text.size() <= kDrawnTextMax ? std::string(text) : std::string(text.substr(0, kDrawnTextMax)) + "…";
}

std::string plain_type(const Value& v) {
  std::string out = v.dims ? v.dims->empty() ? "scalar" : dims_text(*v.dims) : "?";
  return shortened(v.dtype ? out + " " + dtype_name(*v.dtype) : out);
}

std::string type_text(const Value& v) {
  std::string out = plain_type(v);
  if (v.quantization && !v.quantization->scales.empty()) {
    const Quantization& q = *v.quantization;
    out += q.per_axis() ? fmt::format(", {} scales on axis {}", q.scales.size(), q.axis)
                        : fmt::format(", scale {:.6g}, zero {}", q.scales[0], q.zero_points[0]);
  }
  return shortened(out);
}

template <typename T>
std::string list_text(const std::vector<T>& list) {
  std::string out;
  for (size_t i = 0; i < list.size() && i < kListedMax; ++i) out += fmt::format("{}{}", i == 0 ? "" : ", ", list[i]);
  return list.size() > kListedMax ? out + fmt::format(", … ({} in all)", list.size()) : out;
}

std::string attribute_text(const Attribute& value) {
  struct Text {
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(float v) const { return fmt::format("{:.6g}", v); }
    std::string operator()(const std::string& v) const { return shortened(v); }
    std::string operator()(const std::vector<int64_t>& v) const { return list_text(v); }
    std::string operator()(const std::vector<float>& v) const { return list_text(v); }
    std::string operator()(const std::vector<std::string>& v) const { return shortened(list_text(v)); }
    std::string operator()(const Constant& v) const {
      return fmt::format("{} {}", shape_text(v.shape()), dtype_name(v.dtype()));
    }
  };
  return std::visit(Text(), value);
}

// The boxes of one block.
class Painter {
 public:
  Painter(const Graph& graph, const NodeNotes& notes, const std::vector<bool>& fixed)
      : graph_(graph), notes_(notes), fixed_(fixed) {}

  Picture paint(BlockId id, size_t& hidden) {
    const Block& block = graph_.block(id);
    for (ValueId v : block.inputs) source("input", v);
    if (id == kMainBlock) {
      for (const State& s : graph_.states()) source("state", s.input);
    }
    for (NodeId n : graph_.order(id)) {
      const Node& node = graph_.node(n);
      auto is_fixed = [&](ValueId v) { return v == kNoValue || fixed_[static_cast<size_t>(v)]; };
      if (!node.outputs.empty() && std::ranges::all_of(node.outputs, is_fixed)) {
        ++hidden;
      } else {
        paint_node(n);
      }
    }
    for (ValueId v : block.outputs) sink("output", v);
    if (id == kMainBlock) {
      for (const State& s : graph_.states()) sink("state, next run", s.output);
    }
    return std::move(out_);
  }

 private:
  int next() const { return static_cast<int>(out_.boxes.size()); }

  void source(const char* what, ValueId id) {
    const Value& v = graph_.value(id);
    Box box;
    box.op = what;
    box.look = "io";
    box.name = shortened(v.name);
    box.type = plain_type(v);
    box.outputs.push_back({box.name, type_text(v), {}});
    maker_[id] = {next(), 0};
    out_.boxes.push_back(std::move(box));
  }

  void sink(const char* what, ValueId id) {
    Box box;
    box.op = what;
    box.look = "io";
    box.name = shortened(graph_.value(id).name);
    box.type = plain_type(graph_.value(id));
    box.inputs.push_back(port(id));
    out_.boxes.push_back(std::move(box));
  }

  // An input of the box that comes next, and the line to it.
  Port port(ValueId id) {
    const Value& v = graph_.value(id);
    Port p{shortened(v.name), type_text(v), {}};
    if (auto made = maker_.find(id); made != maker_.end()) {
      const auto [from, output] = made->second;
      p.boxes.push_back(from);
      out_.boxes[static_cast<size_t>(from)].outputs[output].boxes.push_back(next());
      if (lines_.emplace(from, next()).second) {
        out_.arcs.push_back({from, next()});
        out_.arc_names.push_back(p.name);
      }
    } else if (fixed_[static_cast<size_t>(id)]) {
      p.type += v.constant ? ", constant" : ", from constants";
    }
    return p;
  }

  void paint_node(NodeId id) {
    const Node& node = graph_.node(id);
    Box box;
    box.node = id;
    box.op = shortened(node.domain.starts_with("tflite") ? node.op : op_name(node));
    box.look = look_of(node);
    if (auto found = notes_.find(id); found != notes_.end()) box.note = found->second;
    for (ValueId v : node.inputs) {
      if (v != kNoValue) box.inputs.push_back(port(v));
    }
    // What a body uses of the values around it comes to its owner.
    std::set<ValueId> within;
    for (const auto& [name, body] : node.blocks) used_within(body, within);
    for (ValueId v : within) {
      if (maker_.contains(v) && std::ranges::find(node.inputs, v) == node.inputs.end()) box.inputs.push_back(port(v));
    }
    for (const auto& [name, value] : node.attributes) {
      if (!name.starts_with("tflite.")) box.note.facts.emplace_back(shortened(name), attribute_text(value));
    }
    for (ValueId v : node.outputs) {
      if (v == kNoValue) continue;
      maker_[v] = {next(), box.outputs.size()};
      if (box.outputs.empty()) box.type = plain_type(graph_.value(v));
      box.outputs.push_back({shortened(graph_.value(v).name), type_text(graph_.value(v)), {}});
    }
    box.name = shortened(!node.name.empty() ? node.name : box.outputs.empty() ? "" : box.outputs[0].name);
    out_.boxes.push_back(std::move(box));
  }

  void used_within(BlockId id, std::set<ValueId>& used) const {
    const Block& block = graph_.block(id);
    used.insert(block.outputs.begin(), block.outputs.end());
    for (NodeId n : block.nodes) {
      const Node& node = graph_.node(n);
      if (node.removed) continue;
      used.insert(node.inputs.begin(), node.inputs.end());
      for (const auto& [name, body] : node.blocks) used_within(body, used);
    }
  }

  const Graph& graph_;
  const NodeNotes& notes_;
  const std::vector<bool>& fixed_;
  Picture out_;
  std::map<ValueId, std::pair<int, size_t>> maker_;  // box and output
  std::set<std::pair<int, int>> lines_;
};

}  // namespace

size_t Pictures::boxes() const {
  size_t n = 0;
  for (const Picture& p : blocks) n += p.boxes.size();
  return n;
}

Result<Pictures> picture_of(const Graph& graph, const NodeNotes& notes) {
  size_t nodes = graph.main().inputs.size() + graph.main().outputs.size(), lines = 0;
  for (NodeId id : graph.all_nodes()) {
    ++nodes;
    lines += graph.node(id).inputs.size();
  }
  if (nodes > kDrawnNodesMax || lines > kDrawnLinesMax) {
    return Error(Code::kExhausted, fmt::format("{} nodes with {} inputs; at most {} with {} are drawn", nodes, lines,
                                               kDrawnNodesMax, kDrawnLinesMax));
  }
  const std::vector<bool> fixed = fixed_values(graph);
  Pictures out;
  auto add = [&](BlockId block, std::string title) {
    Picture p = Painter(graph, notes, fixed).paint(block, out.hidden);
    p.title = std::move(title);
    p.first = static_cast<int>(out.boxes());
    out.blocks.push_back(std::move(p));
  };
  add(kMainBlock, "");
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    for (const auto& [name, body] : node.blocks) {
      const ValueId first = node.output(0);
      const std::string owner = !node.name.empty() ? node.name : first == kNoValue ? "" : graph.value(first).name;
      add(body, shortened(fmt::format("{} of {} '{}'", name, node.op, owner)));
    }
  }
  return out;
}

}  // namespace oree
