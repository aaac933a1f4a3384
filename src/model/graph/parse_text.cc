// SPDX-License-Identifier: Apache-2.0
// A syntax tree becomes a graph: names become values.
#include <fmt/format.h>

#include <algorithm>

#include "model/graph/print.h"
#include "model/graph/text_syntax.h"

namespace oree {
namespace {

class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  Status build(TextModel& text) {
    OREE_TRY(block(text.graph, kMainBlock));
    for (TextState& s : text.states) OREE_TRY(state(s));
    for (size_t i = 0; i < graph_.value_count(); ++i) OREE_TRY(check_made(static_cast<ValueId>(i)));
    return {};
  }

 private:
  static Error invalid(const std::string& text) { return Error(Code::kInvalid, text); }

  // The value of that name, new when it is met first.
  ValueId value(const std::string& name) {
    if (name.empty()) return kNoValue;
    ValueId id = graph_.find(name);
    return id != kNoValue ? id : graph_.add_value(name);
  }

  void set_type(ValueId id, const TextValue& text) {
    if (id == kNoValue) return;
    if (text.dtype) graph_.set_type(id, text.dtype, text.dims);
    if (text.quantization) graph_.set_quantization(id, text.quantization);
  }

  Status block(TextGraph& text, BlockId id) {
    for (const TextValue& v : text.inputs) {
      // An input of a body may have been met where it is used.
      if (graph_.find(v.name) != kNoValue || v.name.empty()) return invalid(fmt::format("'{}' is there twice", v.name));
      set_type(graph_.add_input(v.name, v.dtype, v.dims, id), v);
      made_.push_back(v.name);
    }
    for (TextValue& v : text.values) {
      if (v.constant) {
        if (graph_.find(v.name) != kNoValue) return invalid(fmt::format("'{}' is there twice", v.name));
        ValueId c = graph_.add_constant(v.name, *std::move(v.constant));
        if (v.quantization) graph_.set_quantization(c, v.quantization);
      } else {
        set_type(value(v.name), v);
      }
    }
    for (TextNode& n : text.nodes) OREE_TRY(node(n, id));
    for (const TextValue& v : text.outputs) {
      if (v.name.empty()) return invalid("an output without a name");
      ValueId out = value(v.name);
      if (!graph_.value(out).is_constant()) set_type(out, v);
      graph_.add_output(out, id);
    }
    return {};
  }

  Status node(TextNode& text, BlockId block_id) {
    Node n;
    n.op = text.op;
    n.domain = text.domain;
    n.name = text.label;
    n.attributes = std::move(text.attributes);
    for (const std::string& name : text.inputs) n.inputs.push_back(value(name));
    for (const std::string& name : text.outputs) {
      ValueId out = value(name);
      if (out != kNoValue) {
        const Value& v = graph_.value(out);
        const bool twice = std::ranges::find(n.outputs, out) != n.outputs.end();
        if (twice || v.producer != kNoNode || v.is_constant() || is_made(name))
          return invalid(fmt::format("line {}: '{}' is made twice", text.line, name));
      }
      n.outputs.push_back(out);
    }
    for (size_t i = 0; i < text.types.size(); ++i) set_type(n.outputs[i], text.types[i]);
    NodeId id = graph_.add_node(std::move(n), block_id);
    for (auto& [name, body] : text.bodies) OREE_TRY(block(*body, graph_.add_block(id, name)));
    return {};
  }

  Status state(TextState& s) {
    ValueId input = value(s.input), output = value(s.output);
    if (input == kNoValue || output == kNoValue) return invalid("a state without values");
    set_type(input, s.initial);
    made_.push_back(s.input);
    graph_.add_state({s.name, input, output, *std::move(s.initial.constant)});
    return {};
  }

  bool is_made(const std::string& name) const { return std::ranges::find(made_, name) != made_.end(); }

  Status check_made(ValueId id) const {
    const Value& v = graph_.value(id);
    if (v.is_constant() || v.producer != kNoNode || is_made(v.name) || graph_.unused(id)) return {};
    return invalid(fmt::format("'{}' is made by nothing; is it a constant without its elements?", v.name));
  }

  Graph& graph_;
  std::vector<std::string> made_;  // inputs and states
};

}  // namespace

Result<Model> parse_graph_text(std::string_view text) {
  OREE_TRY_ASSIGN(TextModel parsed, parse_text_syntax(text));
  OREE_TRY(Builder(parsed.model.graph).build(parsed));
  return std::move(parsed.model);
}

}  // namespace oree
