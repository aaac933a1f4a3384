// SPDX-License-Identifier: Apache-2.0
// Bias correction: rounding shifts the mean of what a layer gives out; its bias takes the shift back.
#pragma once

#include "core/io/files.h"
#include "optimize/quantize/channel_values.h"
#include "optimize/quantize/plan.h"
#include "optimize/quantize/sample_run.h"

namespace oree {

// What the rounding of weights alone shifts, from the means of each layer's input channels: b += (W - Wq) * mean(x).
// Costs nothing; takes borders for the inside.
void correct_biases_by_means(const Graph& graph, Plan& plan,
                             const std::map<ValueId, std::vector<double>>& channel_means);

// By node: what a layer gives before its activation.
using LayerValues = std::map<NodeId, ChannelValues>;

struct CorrectionOptions {
  int threads = 1;  // the result does not depend on them
  std::string scratch;
  bool fused = true;  // Probe::start
};

// The last layers, which no other with weights follows, in integers or in float, whose bias can be corrected.
std::vector<NodeId> last_layers(const Graph& graph, const GraphPlacement& placement);
// Has the run fill in what these nodes give in each of its samples; `values` must outlive it.
void watch_values(const Graph& graph, const std::vector<NodeId>& nodes, SampleRun& run, LayerValues& values);

// What is left of the shift when the network runs quantized: by how much a channel of a layer's sums is off, each level
// of them counted alike (error_by_levels), its bias takes back. Once for the last layers: what the network gives out is
// then right in the mean. `wanted`: in float over the same samples; those that are not there are found, and added.
Status correct_last_biases(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
                           LayerValues& wanted, const CorrectionOptions& options);

}  // namespace oree
