// SPDX-License-Identifier: Apache-2.0
// Cross-layer equalization: where one linear layer feeds another, a channel between them may be made smaller in the
// first and larger in the second, and nothing else changes. Channels of like size share a scale better: of weights
// where there is one for all, and always of the values between.
#pragma once

#include "model/passes/passes.h"

namespace oree {

struct EqualizeOptions {
  int rounds_max = 30;      // over all pairs; a layer may be the second of one and the first of another
  double factor_max = 1e3;  // that a channel may shrink or grow by
};

// Pairs of Conv or Gemm with float32 constants as weights (and bias, if any), grouped and depthwise ones too, with
// nothing between them but Relu, LeakyRelu, PRelu and pools: what commutes with a positive factor. Not across a value
// that anyone else sees. In each pair the largest weight of a channel becomes as large in the first layer as in the
// second, as far as the options go; and a channel grows only to where its bias is the layer's largest, for a constant
// that dwarfs what the others compute would take the integers for itself.
//
// Wants inferred types, leaves them inferred; the graph computes the same but for rounding. Returns how many pairs have
// changed. Constants are replaced, never changed: other users of theirs keep what they had.
PassResult equalize(Graph& graph, const EqualizeOptions& options = {});

}  // namespace oree
