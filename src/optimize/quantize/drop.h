// SPDX-License-Identifier: Apache-2.0
// Drop: what quantization costs in the metric that its users look at, found by running the result in its engine over
// evaluation data; and the search for the fewest layers in float with which it stays within a bound.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/io/ports.h"
#include "model/eval/dataset.h"
#include "model/graph/graph.h"
#include "model/recipe/recipe.h"

namespace oree {

// With labels the metric of both models, by evaluate.h's names. Without, the quantized one's agreement with float.
struct Drop {
  std::string metric;
  bool agreement = false;
  double wanted = 1, found = 0;  // of the float model, of the quantized one; 0..1
  int64_t samples = 0;
  double lost() const { return wanted - found; }
};

struct DropBound {
  double max = 0.01;            // of the metric, absolute: 0.01 is one point of 100
  DatasetSource evaluation;     // labelled, or not
  std::string metric = "auto";  // evaluate.h's; a share, so not sqnr
  double score_min = 0.5, iou_min = 0.5;
};

using Judge = std::function<Result<Drop>(const Graph& quantized)>;

// Evaluates in processes of their own; files that are judged lie in `scratch`, an existing folder, meanwhile. `source`:
// the float model, which is run once here when the data are `labelled`.
// Errors, of the judge too: those of evaluate(); kUnavailable when the engine is not here; kUsage on a metric in dB.
Result<Judge> make_judge(const Ports& ports, const std::string& source, const std::string& engine,
                         const DropBound& bound, bool labelled, const std::optional<Recipe>& recipe,
                         const std::string& scratch);

struct DropTrial {
  size_t layers_float = 0;  // of the order, from its front
  Drop drop;
};

// The fewest layers, from none to `layers` of them, with which at most `max` is lost: twice as many until that is so,
// then by halves. Returns all that was judged, the answer last. kRefused when all of them are not enough.
Result<std::vector<DropTrial>> fewest_in_float(size_t layers, double max,
                                               const std::function<Result<Drop>(size_t layers_float)>& judge);

std::string drop_text(const Drop& drop);  // "top1 0.9120, in float 0.9160: 0.40 points lost on 1000 samples"

}  // namespace oree
