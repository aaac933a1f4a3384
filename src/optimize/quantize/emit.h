// SPDX-License-Identifier: Apache-2.0
// A plan made into a graph: QuantizeLinear and DequantizeLinear where the dialect wants them, weights as integers.
#pragma once

#include "optimize/quantize/plan.h"

namespace oree {

// The graph is the one that the plan was made for; inputs and outputs keep their names and types.
Status emit(Graph& graph, const Plan& plan);

}  // namespace oree
