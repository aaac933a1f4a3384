// SPDX-License-Identifier: Apache-2.0
// Graphs as text, inferred.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "model/graph/print.h"
#include "model/ops/inference.h"

namespace oree::infer_fixture {

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
  return type_of(fmt::format("main ({}) => ({}) <{}> {{ {} }}", inputs, value, constants, node), value);
}

}  // namespace oree::infer_fixture
