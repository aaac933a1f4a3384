// SPDX-License-Identifier: Apache-2.0
// TFLite's operators compute in float32: so must a graph that is to be written.
#pragma once

#include "model/graph/graph.h"

namespace oree {

// Values of float16, bfloat16 and float64 become float32. Inputs and outputs keep their type, with a Cast behind or
// before them; constants of 16 bits too, so that the file does not grow. Wants inferred types and leaves them inferred.
Status widen_floats(Graph& graph);

}  // namespace oree
