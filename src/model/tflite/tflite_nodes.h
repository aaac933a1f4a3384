// SPDX-License-Identifier: Apache-2.0
// The step between file and ONNX operators: a graph whose nodes are the file's operators one to one.
//
// Nodes are of domain "tflite" with the schema's names ("CONV_2D") and its options as attributes; tensors keep their
// NHWC shapes. What the graph has other means for is no node here: resource variables and variable tensors are states,
// DENSIFY and sparse weights are dense constants. An operator that changes a variable tensor in place (SVDF, LSTM) has
// the tensor's new content as a further output, one for each variable among its inputs, in their order. Tensors that
// only describe a fused operator's inside become the attributes "intermediate_types", "intermediate_scales" and
// "intermediate_zero_points". Custom operators are of domain "tflite.custom", with "custom_options".
// The bodies of IF ("then", "else") and WHILE ("cond", "body") are blocks with inputs, as in the file.
#pragma once

#include <memory>

#include "model/graph/graph.h"
#include "model/tflite/tflite_graph.h"

namespace oree {

enum class TfliteSizes {
  kSigned,   // what the file leaves free is free
  kExported  // it has the size that it had at export, for counting costs
};
Result<Model> read_tflite_nodes(ByteView file, std::shared_ptr<const void> owner,
                                TfliteSizes sizes = TfliteSizes::kSigned);
// The way back; also what has no other node must be of these domains here. kUnsupported, naming the operator, for what
// has no form in the file.
Status write_tflite_nodes(const Model& model, const TfliteWriteOptions& options, const TfliteSink& sink);
Result<Bytes> write_tflite_nodes(const Model& model, const TfliteWriteOptions& options = {});
Result<Bytes> to_bytes(const std::function<Status(const TfliteSink&)>& write);  // all that it gives the sink

}  // namespace oree
