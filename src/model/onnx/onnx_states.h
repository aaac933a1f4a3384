// SPDX-License-Identifier: Apache-2.0
// States in an ONNX file: an input and an output each, and a line of metadata that says that they belong together, so
// that the file still runs in every engine. docs/formats/onnx-states.md has the form.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

struct OnnxState {
  std::string name;
  std::string input;
  std::string output;
  Constant initial;
};

// States of the graph become inputs and outputs of its main block.
std::vector<OnnxState> expose_states(Graph& graph);

// Adds what describes them.
void describe_states(const std::vector<OnnxState>& states, std::map<std::string, std::string>& metadata);

// The way back: inputs and outputs that the metadata pairs become states again, and their lines go. What does not fit
// the graph is left as it is.
void restore_states(Model& model);

}  // namespace oree
