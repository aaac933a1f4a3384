// SPDX-License-Identifier: Apache-2.0
// A graph as text, in the syntax that ONNX's own parser reads, for people and for tests:
//
//   <ir_version: 14, opset_import: ["" : 28]>
//   main (float[N,64] x) => (float[N,2] y)
//   <
//     float[64,2] w,  # 128 elements
//     float[2] b = {0.5, -0.5}
//   >
//   {
//     h = MatMul (x, w)  #: float[N,2]
//     i = Add (h, b)  #: float[N,2]
//     y = Softmax <axis = 1> (i)  #: float[N,2]
//   }
//
// Constants of more elements than a reader wants to see are declared without them. A comment of "#:" holds what the
// syntax has no words for: the types of a node's outputs, "int8[2] axis 0 scale 0.5 0.25 zero 0 0" where integers stand
// for reals, and the states: "#: state memory h -> h_next = float[1,4] zeros".
#pragma once

#include <string>
#include <string_view>

#include "model/graph/graph.h"

namespace oree {

inline constexpr int64_t kPrintElementsMax = 16;

std::string print(const Model& model, int64_t elements_max = kPrintElementsMax);
std::string print(const Graph& graph, int64_t elements_max = kPrintElementsMax);  // without the header "<...>"

// Reads what print() writes, with or without the header, and what people write by hand in the same syntax; names are
// unique in the whole graph. kInvalid, naming the line, on anything else and on constants without their elements.
// For tests: metadata of files beyond producer, name and opsets is not in the text.
Result<Model> parse_graph_text(std::string_view text);

}  // namespace oree
