// SPDX-License-Identifier: Apache-2.0
// Smoothing: transformers have a few channels of activations that are a hundred times as large as the others, and a
// scale for all leaves the others no levels. Weights have levels to spare, so the channels' sizes are shared out: the
// normalisation before the layers makes channel j smaller by s_j, their weights make up for it.
#pragma once

#include <map>
#include <vector>

#include "model/passes/passes.h"

namespace oree {

struct SmoothOptions {
  double share = 0.5;       // of the sizes' spread that goes to the weights, 0..1: s_j = max|x_j|^a / max|w_j|^(1 - a)
  double factor_max = 1e4;  // s_j stays within 1 / factor_max .. factor_max
};

// `channel_sizes`: the largest |x| of each channel (the last axis) of values of the main block, from calibration;
// values that are not in it are left alone. A value is smoothed when
//   - all that use it are MatMul or Gemm, as their first input, with a float32 constant of rank 2 as the second;
//   - it comes from a LayerNormalization over the last axis, an RMSNormalization, a Mul by a constant, or such a Mul
//   (or
//     normalisation) and then an Add of a constant: the factor goes into these constants, and nothing is inserted.
// Its sizes, and those of what lies between, are others then: calibrate again.
//
// Wants inferred types, leaves them inferred; the graph computes the same but for rounding. Returns how many values
// were smoothed. kInvalid when sizes are not as many as the channels, negative or not finite.
PassResult smooth(Graph& graph, const std::map<ValueId, std::vector<double>>& channel_sizes,
                  const SmoothOptions& options = {});

}  // namespace oree
