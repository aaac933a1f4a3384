// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a graph as text, before names are values. Internal to model/graph.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

struct TextValue {
  std::string name;
  std::optional<Dtype> dtype;
  std::optional<Dims> dims;
  std::optional<Quantization> quantization;
  std::optional<Constant> constant;
};

struct TextGraph;

struct TextNode {
  std::string label, domain, op;
  std::vector<std::string> inputs, outputs;  // "": absent
  Attributes attributes;
  std::vector<std::pair<std::string, std::unique_ptr<TextGraph>>> bodies;
  std::vector<TextValue> types;  // of the outputs, from the comment behind
  int line = 0;
};

struct TextState {
  std::string name, input, output;
  TextValue initial;
};

struct TextGraph {
  std::string name;
  std::vector<TextValue> inputs, outputs, values;
  std::vector<TextNode> nodes;
};

struct TextModel {
  Model model;  // without the graph
  TextGraph graph;
  std::vector<TextState> states;
};

Result<TextModel> parse_text_syntax(std::string_view text);

}  // namespace oree
