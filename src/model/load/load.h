// SPDX-License-Identifier: Apache-2.0
// A model file as a graph, whatever its format.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

// A model, its constants views into the mapped file (and its external data, below the model's folder). kUnsupported for
// formats that have no reader, and for what a graph cannot hold.
Result<Model> load_model(const std::string& path);

struct LookedAt {
  Model model;
  std::vector<std::string> missing;  // files with external data that are not there
};
// For looking, not for running: external data that is not there is taken as zeros; a TFLite file's operators are its
// own, of domain "tflite", with the sizes that they had at export (model/tflite/tflite_nodes.h).
Result<LookedAt> load_for_a_look(const std::string& path);

}  // namespace oree
