// SPDX-License-Identifier: Apache-2.0
// Bodies with other inputs: what IF and WHILE need in either direction. Internal to model/tflite.
#pragma once

#include <map>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

using ValueMapping = std::map<ValueId, ValueId>;

ValueId mapped(const ValueMapping& mapping, ValueId v);

// The nodes of `from`, bodies included, once more in `to`. `mapping` says what stands for the block's inputs, and for
// values from around it that are to be others; afterwards also for what the nodes make.
void copy_block(Graph& graph, BlockId from, BlockId to, ValueMapping& mapping);

// Values from outside of a block that it uses or hands on, in order, constants not counted.
std::vector<ValueId> captured_values(const Graph& graph, BlockId block);

// An input of the block of the same type as a value.
ValueId add_input_like(Graph& graph, ValueId like, BlockId block);

}  // namespace oree
