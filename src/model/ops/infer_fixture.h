// SPDX-License-Identifier: Apache-2.0
// Graphs as text, inferred.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "model/graph/print.h"
#include "model/ops/inference.h"

namespace oree::infer_fixture {

// What the text says, with the types that inference finds. Throws where there is none, which ends the test case: a
// header with doctest's REQUIRE would be of use in this folder alone.
inline Graph graph_of(std::string_view text) {
  Result<Model> model = parse_graph_text(text);
  if (!model.ok()) throw std::invalid_argument(model.error().message());
  Status inferred = infer_types(model->graph);
  if (!inferred.ok()) throw std::invalid_argument(inferred.error().message());
  return std::move(model->graph);
}

// "float32 N,3": the type that inference finds for the output named y; its refusal, or the text's, otherwise.
inline std::string type_of(std::string_view text, std::string_view value = "y") {
  Result<Model> model = parse_graph_text(text);
  if (!model.ok()) return model.error().message();
  Status inferred = infer_types(model->graph);
  if (!inferred.ok()) return inferred.error().message();
  const Value& v = model->graph.value(model->graph.find(value));
  std::string dims = !v.dims ? "..." : v.dims->empty() ? "scalar" : dims_text(*v.dims);
  return std::string(v.dtype ? dtype_name(*v.dtype) : "?") + " " + dims;
}

// The same of one node: "y = Relu (x)" with inputs "float[2] x" and constants "int64[1] k = {1}".
inline std::string type_of_node(std::string_view node, std::string_view inputs, std::string_view constants = "",
                                std::string_view value = "y") {
  std::string text = "main (";
  text.append(inputs).append(") => (").append(value).append(") <").append(constants).append("> { ");
  return type_of(text.append(node).append(" }"), value);
}

}  // namespace oree::infer_fixture
