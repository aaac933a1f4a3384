// SPDX-License-Identifier: Apache-2.0
// Preparation: a float model as quantization's steps want it. Batch normalizations folded, float16 weights widened,
// activations written in operators that engines have in integers.
#pragma once

#include <set>
#include <string>

#include "model/convert/convert.h"

namespace oree {

// `tflite`: what TFLite's operators cannot be in integers is turned into what they can. kInvalid when the model is
// quantized already.
Status prepare_for_quantization(Model& model, const ConvertOptions& options, bool tflite);

// A copy to count what its layers cost: of the inputs' free dimensions the first is 1, any other 64, for want of
// better. The ids are the graph's.
Graph sized_for_counting(const Graph& graph);

// The nodes that make the values of these names. kUsage names one that there is not.
Result<std::set<NodeId>> makers_of(const Graph& graph, const std::set<std::string>& names);

}  // namespace oree
