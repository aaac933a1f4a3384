// SPDX-License-Identifier: Apache-2.0
// Weights rounded for what the layer gives, not for what the weights are: inputs go together, so that one weight's
// rounding can make up for another's. All that the inputs have to say is their Gram matrix G (gram.h): with d the
// rounding errors of a channel, d' G d is the mean square of what its output is off by.
//
// How: with G = R' R the error is |R d|, and integers are chosen from the last row of R to the first, each the nearest
// to what makes up for those chosen before (Babai's nearest plane; GPTQ is the same in other words); then steps of one
// weight, and of two at a time where k is at most 300, as long as one makes the error smaller. AdaRound, gradient
// descent over rounding up or down with the same G for its exact gradient, was measured beside it and left out. Share
// of nearest rounding's error, the better of its settings' | here:
//   8 bits, 144 inputs, few causes      0.118 | 0.107     4 bits, the same              0.224 | 0.205
//   4 bits, 144 inputs, neighbours only 0.539 | 0.529     8 bits, 9 inputs (depthwise)  0.470 | 0.448
// after a thousand times as long.
#pragma once

#include <span>
#include <vector>

#include "optimize/quantize/affine.h"

namespace oree {

// Inputs a channel: 512 channels of 3 by 3. Memory is 12 k^2 bytes, work grows as k^3 / 3 and channels k^2.
inline constexpr int64_t kRoundedInputsMax = 4608;

struct RoundingOptions {
  // Added to G's diagonal, as a share of its mean: without it, integers follow what few samples happened to say.
  double damping = 0.01;
  int passes_max = 40;  // of steps over all of a channel's weights
  // Inputs whose numbers divided by it are 2i and 2i + 1, with equal remainders, are pairs (weights.h); 0: none are.
  int64_t pair_distance = 0;
};

// `weights` is [channels][k], `gram` [k][k], symmetric and positive semidefinite; `scales` has one a channel, > 0. The
// integers lie as the weights do, within the grid, pairs fitting. Of no channel is the error, by `gram` and the
// damping, larger than that of rounding to nearest. Deterministic. Asserts on sizes, and that 1 <= k <=
// kRoundedInputsMax; weights and matrix must be finite. A matrix that is not positive definite, damping included,
// leaves the steps alone.
std::vector<int32_t> round_to_data(std::span<const float> weights, int64_t channels, int64_t k,
                                   std::span<const float> gram, std::span<const float> scales, const IntegerGrid& grid,
                                   const RoundingOptions& options = {});

// The sum over channels of d' G d.
double reconstruction_error(std::span<const float> weights, std::span<const int32_t> integers, int64_t channels,
                            int64_t k, std::span<const float> gram, std::span<const float> scales);

}  // namespace oree
