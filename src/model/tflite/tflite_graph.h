// SPDX-License-Identifier: Apache-2.0
// TFLite file <-> graph, in two steps each way. Source of the format: TensorFlow Lite's schema.fbs, version 3.
//
//   file ── read ──> nodes of domain "tflite", NHWC ── raise ──> ONNX operators, NCHW, transposes sunk
//   file <── write ── nodes of domain "tflite", NHWC <── lower ── ONNX operators
#pragma once

#include <functional>
#include <memory>

#include "model/graph/graph.h"

namespace oree {

// `file` stays where it is: constants are views into it, and `owner` keeps it there. Fused activations are nodes of
// their own, resource variables are states, quantized tensors carry their Quantization. Custom operators are kept as
// opaque nodes of domain "tflite.custom", with their bytes. kInvalid on anything broken.
Result<Model> read_tflite_model(ByteView file, std::shared_ptr<const void> owner);

// For a writer of another format: quantized operators that ONNX's have no like for (a quantized LSTM, SVDF …) become
// float ones between DequantizeLinear and QuantizeLinear, and these are raised. A graph without such stays as it is; in
// one that has them all quantized values are expanded (passes.h: expand_quantization). What remains of domain "tflite"
// has no form in ONNX.
Status raise_quantized_tflite(Graph& graph);

struct TfliteWriteOptions {
  std::string signature_key = "serving_default";
  bool micro = false;  // TFLite Micro shall run it: kUnsupported for an operator that it has not
};

using TfliteSink = std::function<Status(ByteView)>;  // takes the file's bytes in their order

// All shapes must be known but the first dimension of inputs. QDQ nodes become quantized tensors. kUnsupported, naming
// op, node and reason, for what TFLite's builtin operators cannot express: nothing is ever written wrong,
// and such an error comes before the first byte. Weights go to the sink from where they lie.
Status write_tflite_model(const Model& model, const TfliteWriteOptions& options, const TfliteSink& sink);
Result<Bytes> write_tflite_model(const Model& model, const TfliteWriteOptions& options = {});

}  // namespace oree
