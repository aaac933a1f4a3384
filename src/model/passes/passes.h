// SPDX-License-Identifier: Apache-2.0
// Passes: each changes a graph without changing what it computes, and is proven by running before and after. A pass
// wants inferred types (infer_types) and leaves them inferred; it returns how many places it changed.
#pragma once

#include <map>
#include <string>

#include "model/graph/graph.h"

namespace oree {

using PassResult = Result<int>;

// --- cleaning
PassResult remove_dead(Graph& graph);  // nodes and constants that no output needs; Identity, Dropout …
PassResult fold_constants(
    Graph& graph, int64_t bytes_max);  // results above bytes_max that are larger than what they come from stay computed
PassResult merge_common(Graph& graph);  // nodes that compute the same, and equal constants
PassResult simplify(Graph& graph);      // x+0, x*1, Reshape of Reshape, Cast to the same type, …
PassResult clean(Graph& graph);         // all of these until nothing changes

// --- patterns
PassResult fold_batch_norm(
    Graph& graph);  // and constant Mul/Add after Conv, ConvTranspose, Gemm, MatMul; Pad before Conv
PassResult recognise_activations(
    Graph& graph);  // x*Sigmoid(x), HardSwish, Gelu (both forms), Mish, Clip(0,6) from Min/Max …
PassResult recognise_layer_norm(Graph& graph);  // LayerNormalization from ReduceMean, Sub, Pow …

// --- shapes and types
// Sets symbols ("batch" -> 1), or whole inputs by name, then infers. kInvalid when a name is none of the graph's.
Status freeze_shapes(Graph& graph, const std::map<std::string, int64_t>& symbols,
                     const std::map<std::string, Shape>& inputs = {});
PassResult narrow_int64(
    Graph& graph);  // int64 -> int32 where all values fit, for engines without; kUnsupported names what does not
PassResult to_float16_weights(Graph& graph);  // float32 constants as float16 with a Cast behind

// --- quantized values
// Values with Quantization become plain integers, each behind a QuantizeLinear and before a DequantizeLinear, and what
// computes between them is in float: as an ONNX file says it. Inputs, outputs and states keep their integers. Constants
// stay integers before a DequantizeLinear. kUnsupported names a value of integers that ONNX cannot quantize to.
PassResult expand_quantization(Graph& graph);
// The way back, as TFLite's operators want it: DequantizeLinear, operator, QuantizeLinear become the operator of values
// with Quantization; uint8 becomes int8; an operator with a scale of its own (Softmax, Sigmoid, pools …) gets a
// QuantizeLinear of integers behind it. What has no such form stays in float between those nodes.
PassResult fold_quantization(Graph& graph);

// --- layout
PassResult sink_transposes(Graph& graph);  // moves transposes together until they cancel
}  // namespace oree
