// SPDX-License-Identifier: Apache-2.0
// What a report says of the outputs and of where they were measured: the same whatever was quantized.
#pragma once

#include "optimize/quantize/engine_accuracy.h"
#include "optimize/quantize/quantize.h"

namespace oree {

// `before` and `after` are of the outputs that are compared, in order, simulated; none: nothing could be. Adds to `out`
// each output, and the engine that measured it or why none did.
void report_outputs(const Graph& graph, const std::vector<Noise>& before, const std::vector<Noise>& after,
                    const EngineAccuracy& measured, QuantizeReport& out);

}  // namespace oree
