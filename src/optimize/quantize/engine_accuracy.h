// SPDX-License-Identifier: Apache-2.0
// Engine accuracy: the quantized graph in the engine that it is for, in that engine's own format, held to float layer
// by layer. What a simulation promises counts only if the engine keeps it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "optimize/quantize/compare.h"
#include "optimize/quantize/plan.h"

namespace oree {

struct EngineAccuracy {
  std::string engine;                            // which ran it: "tflite" for what is meant for a microcontroller, too
  std::string not_run;                           // why nothing ran it here: the engine is not on this machine
  std::optional<Error> refused;                  // the engine is here, and would not take it
  std::vector<Noise> outputs;                    // by compared_values(), in order
  std::vector<std::pair<NodeId, Noise>> layers;  // of each layer's result
};

// What on this machine computes as the engine does.
std::string stand_in(const std::string& engine);

// `quantized` is what emit() made of `graph` by `plan`.
Result<EngineAccuracy> measure_in_engine(Files& files, const Graph& graph, const Graph& quantized, const Plan& plan,
                                         const std::vector<NamedTensors>& samples, CompareOptions options);

}  // namespace oree
