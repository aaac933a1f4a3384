// SPDX-License-Identifier: Apache-2.0
// Who could take a model's graph: our interpreter, and the writers of the two formats.
#pragma once

#include <string>
#include <vector>

#include "model/inspect/inspect.h"

namespace oree {

struct Target {
  std::string name;  // "reference", "onnx", "tflite"
  bool possible = false;
  std::string why;  // what stands in the way: for the reference all operators, for writers the first
};

// Tries it, with the steps that `oree convert` cannot do without; nothing is written. Free dimensions are set as
// `options` say, else as the inspection assumed. Empty without a graph.
std::vector<Target> try_targets(const std::string& path, const Inspection& inspection, const InspectOptions& options);

}  // namespace oree
