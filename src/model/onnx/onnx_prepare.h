// SPDX-License-Identifier: Apache-2.0
// Makes a graph ready to be written as ONNX. Internal to model/onnx.
#pragma once

#include "model/graph/graph.h"
#include "model/onnx/onnx_states.h"
#include "model/onnx/onnx_upgrade.h"

namespace oree {

struct PreparedOnnx {
  Graph graph;  // every node in the opset's form; no states, no quantized values
  std::vector<OnnxState> states;
};

// kUnsupported, naming op, node and reason, and the lowest opset above that would do.
Result<PreparedOnnx> prepare_onnx(const Model& model, int opset);

// What may be asked for.
inline constexpr int kOnnxWriteMin = 7;
inline constexpr int kOnnxWriteMax = kOnnxOpsetMax;

}  // namespace oree
