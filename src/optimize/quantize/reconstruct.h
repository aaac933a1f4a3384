// SPDX-License-Identifier: Apache-2.0
// Reconstruction: every layer's weights rounded for what the layer gives on real samples (rounding.h), from the float
// network's values before it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "optimize/quantize/gram.h"
#include "optimize/quantize/plan.h"
#include "optimize/quantize/sample_run.h"

namespace oree {

struct ReconstructOptions {
  size_t samples_max = 8;  // of those of the run
  int threads = 1;         // the result does not depend on them
  std::string scratch;
  // Layers of more inputs a channel keep the nearest rounding: work grows with the cube.
  int64_t inputs_max = 1280;
  bool biases_follow = false;                  // those of layers that have one are corrected afterwards
  int64_t gram_bytes_max = int64_t{96} << 20;  // held at once; the network runs again for the layers that are left
  std::function<void(size_t done, size_t total)> progress;
};

class Reconstructor {
 public:
  // The graph must outlive it.
  Reconstructor(const Graph& graph, const GraphPlacement& placement, ReconstructOptions options);

  // Has the run show what goes into the layers, as many as may be held at once.
  void watch(SampleRun& run);
  // When it has run: the integers of the plan's weights, by node, of the layers that are not too large; those of
  // layers that were not watched by further runs over `samples`. The plan's scales stay.
  Result<std::map<NodeId, std::vector<int32_t>>> round(Files& files, const Plan& plan,
                                                       const std::vector<NamedTensors>& samples);

 private:
  // Of layers that take the same columns of one value.
  struct Columns {
    ValueId input = kNoValue;
    GramMatrix gram;
    int64_t bytes = 0;
    std::vector<NodeId> layers;
  };
  Status round_watched(const Plan& plan);
  Result<std::vector<int32_t>> round_one(const Plan& plan, NodeId layer, const GramMatrix& gram) const;

  const Graph& graph_;
  const ReconstructOptions options_;
  std::vector<Columns> columns_;
  size_t begin_ = 0, end_ = 0;  // of those that are watched
  size_t layers_ = 0, done_ = 0;
  std::map<NodeId, std::vector<int32_t>> found_;
};

}  // namespace oree
