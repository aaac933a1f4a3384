// SPDX-License-Identifier: Apache-2.0
// Where a quantized activation is cut off.
#pragma once

#include "model/graph/graph.h"

namespace oree {

// The integer that stands for a real, rounded and kept within its type as TFLite does for the bounds of a fused
// activation.
double activation_bound(const Quantization& quantization, Dtype dtype, double real);

}  // namespace oree
