// SPDX-License-Identifier: Apache-2.0
// One node against its operator's definition. Internal to model/ops: validate() and inference both ask.
#pragma once

#include "model/ops/op_def.h"

namespace oree {

// kInvalid unless the numbers of inputs and outputs, the attributes and the bodies are those of the operator.
Status check_node(const Graph& graph, const Node& node, const OpDef& def);

}  // namespace oree
