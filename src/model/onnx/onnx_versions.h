// SPDX-License-Identifier: Apache-2.0
// Which form of an operator an opset has: its types, its numbers of inputs and outputs, its attributes. Internal to
// model/onnx. Source: the changelog of the ONNX operator specification.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

// Does the opset have this node, which is of ONNX's own domain and in the form of that opset? If not: why not. Values
// without a known type fit everything.
std::optional<std::string> onnx_misfit(const Graph& graph, const Node& node, int opset);

// An attribute that the opset does not have, but that says what holds without it; the writer leaves it out.
bool onnx_needless(const Node& node, const std::string& attribute, int opset);

// The operators of ONNX's own domain that the newest opset has, as their names are sorted.
std::vector<std::string_view> onnx_operators();

// The IR version that came with the opset, 4 at least: before that every constant had to be an input too.
int onnx_ir_version(int opset);

}  // namespace oree
