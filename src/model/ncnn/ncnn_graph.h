// SPDX-License-Identifier: Apache-2.0
// A graph as an ncnn model: the text of layers, and the weights. ncnn computes in floats on arrays of at most four
// dimensions, without a batch: a shape loses a leading 1 on the way (ncnn_mat()), and gets it back by the note at the
// end of the text (ncnn_file.h).
#pragma once

#include <functional>
#include <string_view>

#include "model/graph/graph.h"

namespace oree {

struct NcnnSinks {
  std::function<Status(ByteView)> param, weights;  // take the two files' bytes in their order
};

// All shapes must be known. kUnsupported, naming operator, node and reason, for what ncnn's layers cannot express:
// nothing is ever written wrong, and such an error comes before the first byte. Weights that are stored as float16
// behind a Cast are stored so in ncnn's file too, where its layers can read them.
Status write_ncnn_model(const Model& model, const NcnnSinks& sinks);

// Is there a way for the operator? (Not for all its types and attributes, perhaps.)
bool lowers_to_ncnn(std::string_view op);

}  // namespace oree
