// SPDX-License-Identifier: Apache-2.0
// The version of a builtin operator that its types and options ask for: engines refuse versions that they do not know.
#pragma once

#include "model/graph/graph.h"

namespace oree {

// Of a node of domain "tflite" whose values are typed.
int tflite_op_version(const Graph& graph, const Node& node);

}  // namespace oree
