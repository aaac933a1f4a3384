// SPDX-License-Identifier: Apache-2.0
// Bias correction: rounding shifts the mean of what a layer gives out; its bias takes the shift back.
#pragma once

#include "core/io/files.h"
#include "optimize/quantize/calibrate.h"
#include "optimize/quantize/plan.h"

namespace oree {

// What the rounding of weights alone shifts, from the means of each layer's input channels: b += (W - Wq) * mean(x).
// Costs nothing; takes borders for the inside.
void correct_biases_by_means(const Graph& graph, Plan& plan,
                             const std::map<ValueId, std::vector<double>>& channel_means);

struct CorrectionOptions {
  std::string scratch;
  bool fused = true;  // Probe::start
};

// What is left of the shift when the network runs quantized: the mean over the samples of float minus quantized, a
// channel of a layer's sums, is added to its bias. Once for the last layers, which no other with weights follows: what
// the network gives out is then right in the mean. Last layers that stay in float take part. Runs both networks once.
Status correct_last_biases(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
                           const CorrectionOptions& options);

}  // namespace oree
