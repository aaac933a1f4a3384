// SPDX-License-Identifier: Apache-2.0
// Bias correction: rounding shifts the mean of what a layer gives out; its bias takes the shift back.
#pragma once

#include "core/io/files.h"
#include "optimize/quantize/calibrate.h"
#include "optimize/quantize/plan.h"
#include "optimize/quantize/sample_run.h"

namespace oree {

// What the rounding of weights alone shifts, from the means of each layer's input channels: b += (W - Wq) * mean(x).
// Costs nothing; takes borders for the inside.
void correct_biases_by_means(const Graph& graph, Plan& plan,
                             const std::map<ValueId, std::vector<double>>& channel_means);

// Means of a channel over samples.
class ChannelMeans {
 public:
  Status add(const Tensor& tensor, bool matrix);  // channels on axis 1; of a matrix on the last
  std::vector<double> mean() const;

 private:
  std::vector<double> sums_;
  double count_ = 0;  // elements of a channel
};

// By node: what a layer gives before its activation.
using LayerMeans = std::map<NodeId, ChannelMeans>;

struct CorrectionOptions {
  int threads = 1;  // the result does not depend on them
  std::string scratch;
  bool fused = true;  // Probe::start
};

// The last layers, which no other with weights follows, in integers or in float, whose bias can be corrected.
std::vector<NodeId> last_layers(const Graph& graph, const GraphPlacement& placement);
// Has the run fill in the means of what these nodes give, over all its samples; `means` must outlive it.
void watch_means(const Graph& graph, const std::vector<NodeId>& nodes, SampleRun& run, LayerMeans& means);

// What is left of the shift when the network runs quantized: the mean over the samples of float minus quantized, a
// channel of a layer's sums, is added to its bias. Once for the last layers: what the network gives out is then right
// in the mean. `wanted`: means in float over the same samples; those that are not there are found, and added.
Status correct_last_biases(Files& files, const Graph& graph, Plan& plan, const std::vector<NamedTensors>& samples,
                           LayerMeans& wanted, const CorrectionOptions& options);

}  // namespace oree
