// SPDX-License-Identifier: Apache-2.0
// Is this a graph at all? Checked after every reader, and after every pass in the tests.
#pragma once

#include "model/graph/graph.h"

namespace oree {

// kInvalid, naming the node or value: every used value is made by something, visible where it is used and made before
// it (no cycle); names are unique; operators that are known have the number of inputs and outputs and the attributes
// that they need, and none that they do not know; constants and quantization fit their types; outputs exist.
Status validate(const Graph& graph);

}  // namespace oree
