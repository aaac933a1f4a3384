// SPDX-License-Identifier: Apache-2.0
// Reconstruction: every layer's weights rounded for what the layer gives on real samples (rounding.h), from the float
// network's values before it.
#pragma once

#include <functional>

#include "core/io/files.h"
#include "optimize/quantize/plan.h"

namespace oree {

struct ReconstructOptions {
  int threads = 1;  // the result does not depend on them
  std::string scratch;
  // Layers of more inputs a channel keep the nearest rounding: work grows with the cube.
  int64_t inputs_max = 1280;
  bool biases_follow = false;                  // those of layers that have one are corrected afterwards
  int64_t gram_bytes_max = int64_t{96} << 20;  // held at once; the network runs again for the layers that are left
  std::function<void(size_t done, size_t total)> progress;
};

// The integers of the plan's weights, by node, of the layers that are not too large. The plan's scales stay.
Result<std::map<NodeId, std::vector<int32_t>>> reconstruct_weights(Files& files, const Graph& graph, const Plan& plan,
                                                                   const std::vector<NamedTensors>& samples,
                                                                   const ReconstructOptions& options);

}  // namespace oree
