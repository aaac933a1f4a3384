// SPDX-License-Identifier: Apache-2.0
// What TFLite's own operators cost, as they stand in the file (tflite_nodes.h): for model/inspect.
#pragma once

#include <string_view>

#include "model/graph/graph.h"

namespace oree {

// Multiply-accumulates of a node of domain "tflite": 0 for operators without, -1 when a size or a formula is not known.
int64_t tflite_macs(const Graph& graph, const Node& node);
bool tflite_multiplies(std::string_view op);  // a builtin's name, whatever its sizes

}  // namespace oree
