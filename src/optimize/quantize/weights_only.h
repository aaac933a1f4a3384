// SPDX-License-Identifier: Apache-2.0
// Weights alone: what layers hold is stored in fewer bits, and no samples are needed. Layers compute in float, or,
// where that is asked for, in integers whose scales are found at run time.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "optimize/quantize/dialect.h"
#include "optimize/quantize/weights.h"

namespace oree {

struct StoreOptions {
  Dialect dialect;  // of int8: engine, format, and weights where they are multiplied as integers
  Precision precision = Precision::kWeightsInt8;
  WeightScale weight_scale = WeightScale::kLargest;  // of 8 bits; those of 4 are always the least error's
  std::set<NodeId> keep_float;
};

// A layer with constant weights, in order.
struct StoredLayer {
  NodeId node = kNoNode;
  ValueId result = kNoValue;  // keeps its id and its name
  bool integer = false;       // it computes in integers
  std::string weights;        // "int8", "int4 in blocks of 32", "float16" …; "": in float32
  std::string because;        // it is in float32
};

// What fewer elements would save is not worth a node.
inline constexpr int64_t kStoredElementsMin = 1024;

// As the engine takes it without losing time to it:
// - ONNX Runtime keeps a DequantizeLinear before a convolution and runs it with every inference, but folds Cast and Mul
//   when it loads; before a matrix product it makes MatMulNBits of DequantizeLinear;
// - OpenVINO and TensorRT take DequantizeLinear;
// - TFLite takes DEQUANTIZE of constants, which runs once; or layers of float activations and integer weights, which
//   are quantized by what is seen of them.
// kInvalid on weights of NaN or infinity.
Result<std::vector<StoredLayer>> store_weights(Graph& graph, const StoreOptions& options);

}  // namespace oree
