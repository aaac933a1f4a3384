// SPDX-License-Identifier: Apache-2.0
// TFLite file to graph, in two steps. Source of the format: TensorFlow Lite's schema.fbs, version 3.
//
//   file ── read ──> nodes of domain "tflite", NHWC ── raise ──> ONNX operators, NCHW, transposes sunk
#pragma once

#include <memory>

#include "model/graph/graph.h"

namespace oree {

// `file` stays where it is: constants are views into it, and `owner` keeps it there. Fused activations are nodes of
// their own, resource variables are states, quantized tensors carry their Quantization. Custom operators are kept as
// opaque nodes of domain "tflite.custom", with their bytes. kInvalid on anything broken.
Result<Model> read_tflite_model(ByteView file, std::shared_ptr<const void> owner);

}  // namespace oree
