// SPDX-License-Identifier: Apache-2.0
// Makes a graph ready to be written as ONNX. Internal to model/onnx.
#pragma once

#include "model/graph/graph.h"
#include "model/onnx/onnx_states.h"
#include "model/onnx/onnx_upgrade.h"

namespace oree {

struct PreparedOnnx {
  int opset = 0;
  Graph graph;  // every node in the opset's form; no states, no quantized values
  std::vector<OnnxState> states;
};

// Opset 0: kOnnxWriteUsual, or the lowest above that can hold the model. kUnsupported, naming op, node and reason, and
// the lowest opset above that would do.
Result<PreparedOnnx> prepare_onnx(const Model& model, int opset);

// What may be asked for.
inline constexpr int kOnnxWriteMin = 7;
inline constexpr int kOnnxWriteUsual = 17;  // engines of some age read it
inline constexpr int kOnnxWriteMax = kOnnxOpsetMax;

}  // namespace oree
