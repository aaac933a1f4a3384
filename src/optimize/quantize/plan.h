// SPDX-License-Identifier: Apache-2.0
// Plan: a placement with its numbers. Every quantized value's scale, every layer's integer weights and its bias.
#pragma once

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "optimize/quantize/place.h"
#include "optimize/quantize/ranges.h"
#include "optimize/quantize/weights.h"

namespace oree {

struct LayerWeights {
  int axis = -1;  // of the channels that have scales; -1: one for all
  std::vector<float> scales;
  Constant integers;        // in the constant's order and shape
  std::vector<float> bias;  // real, corrected; empty: none
};

struct Plan {
  Dialect dialect;
  GraphPlacement placement;
  std::vector<Affine> groups;  // by group
  std::map<NodeId, LayerWeights>
      weights;  // of the layers of role kWeighted; those of others that have it stay in float
  std::map<NodeId, std::vector<float>> float_biases;  // corrected ones of layers in float
};

// Statistics by ValueId.
using Statistics = std::map<ValueId, TensorStatistics>;

struct PlanOptions {
  RangeOptions ranges;
  WeightScale weight_scale = WeightScale::kLargest;
};

// Makes plans of one graph for many placements; what does not depend on the placement is worked out once. All that is
// given must outlive it. Thread safe.
class Planner {
 public:
  Planner(const Graph& graph, const Dialect& dialect, const Statistics& statistics, const PlanOptions& options)
      : graph_(graph), dialect_(dialect), statistics_(statistics), options_(options) {}
  // kInvalid when a value that is needed was not seen, or a constant holds NaN or infinity. No bit depends on
  // `threads`.
  Result<Plan> plan(GraphPlacement placement, int threads = 1) const;
  // Plans have these from now on: rounded or corrected ones.
  void adopt(std::map<NodeId, LayerWeights> weights) { weights_ = std::move(weights); }

 private:
  Result<Affine> affine_of(const Plan& plan, const std::vector<ValueId>& group) const;
  Result<TensorStatistics> statistics_of(ValueId value) const;

  const Graph& graph_;
  const Dialect& dialect_;
  const Statistics& statistics_;
  const PlanOptions& options_;
  mutable std::mutex mutex_;
  // By a group's values, and whether it leaves the integers.
  mutable std::map<std::pair<std::vector<ValueId>, bool>, Affine> affines_;
  mutable std::map<NodeId, LayerWeights> weights_;
};

// The values whose histograms a Planner wants for this placement and for those in which fewer nodes are in integers:
// without constants, what is only moved or joined, and what the operator itself bounds.
std::vector<ValueId> values_to_see(const Graph& graph, const Dialect& dialect, const GraphPlacement& placement);

// The integers that a weighted node's constant takes: the dialect's, with its pairs of inputs. A depthwise
// convolution's products are summed one by one, so that it has no pairs. Where the pairs of a filter are not those of
// inputs (an odd number of them, lain out tap by tap), sizes are at most 64, which any two may have.
WeightGrid weight_grid(const Graph& graph, const Node& node, const Dialect& dialect);

// The axis of a weighted node's constant that counts its output channels; and how many there are.
int channel_axis(const Graph& graph, const Node& node);

}  // namespace oree
