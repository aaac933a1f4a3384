// SPDX-License-Identifier: Apache-2.0
// Levelling: the channels of a value share one scale, whose steps are as coarse for a channel that reaches a tenth of
// the largest as for that. Here the layers that make such a channel make it larger, and those that take it shrink their
// weights for it, which have levels to spare where each channel of results has a scale of its own.
#pragma once

#include <map>
#include <vector>

#include "model/passes/passes.h"

namespace oree {

struct LevelOptions {
  // Of how far a channel is from the largest, as an exponent, 0..1. At 1 the weights that take it pay too much.
  double share = 0.5;
  double factor_max = 64;
  // How far beyond the sizes that were seen a channel shall still be below the upper end of a Clip, 1 or more.
  double headroom = 1.1;
};

// The values of the main block whose channels could be levelled. They lie between Conv and Gemm with float32 constants,
// joined by nothing but Relu, LeakyRelu, PRelu, pools, Clip from 0 to a constant, and Add; all values that an Add ties
// have the same factors. Outside of the layers nobody sees them.
std::vector<ValueId> levelled_values(const Graph& graph);

// `channel_sizes`: the largest |x| of each channel (axis 1) of values, from calibration; of values tied to each other
// the largest counts, and those of which none is there are left alone. A channel below a Clip's end grows only as far
// as what was seen, and some more, stays below it: beyond that, the graph computes less than it did. Else it computes
// the same but for rounding.
//
// Wants inferred types, leaves them inferred. Returns how many groups of tied values have changed. kInvalid when sizes
// are not as many as the channels, negative or not finite.
PassResult level(Graph& graph, const std::map<ValueId, std::vector<double>>& channel_sizes,
                 const LevelOptions& options = {});

}  // namespace oree
