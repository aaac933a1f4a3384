// SPDX-License-Identifier: Apache-2.0
// Layers in float between integers, as ONNX Runtime takes them: from 1.21 on its optimizers turn the float weights of a
// convolution or Gemm whose operand comes from a DequantizeLinear of one scale, moved or not, and whose result goes to
// a QuantizeLinear, into 8 bits with one scale for all channels, which is less than what the layer was left in float
// for.
#pragma once

#include "model/graph/graph.h"

namespace oree {

// Gives each such layer's operand a DequantizeLinear of its own that says the same scale once a channel: the same
// numbers, which those optimizers leave alone. Layers whose operand has no fixed axis of several elements stay.
void keep_float_between_integers(Graph& graph);

}  // namespace oree
