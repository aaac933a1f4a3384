// SPDX-License-Identifier: Apache-2.0
// What the raw readers of the formats say, and what the graph adds. Internal to model/inspect.
#pragma once

#include "core/base/bytes.h"
#include "model/inspect/inspect.h"

namespace oree {

Status summarise_onnx(ByteView file, ModelSummary& summary);
Status summarise_tflite(ByteView file, ModelSummary& summary);
Status summarise_openvino(ByteView file, int64_t weights_size, ModelSummary& summary);
Status summarise_ncnn(ByteView param, int64_t weights_size, ModelSummary& summary);
Status summarise_torchscript(ByteView file, ModelSummary& summary);
Status summarise_executorch(ByteView file, ModelSummary& summary);

// A free outermost dimension of an input is the batch in every exporter's habit; one item is what a run on a device
// has. Sizes are inferred anew.
Status assume_one_item(Graph& graph, ModelSummary& summary);
// All that follows from the graph: layers and sums. Types must be inferred.
Cost summarise_graph(const Graph& graph, ModelSummary& summary);

// Adds a cost to the summary, or counts the op as unknown when macs is -1.
void add_macs(ModelSummary& summary, const std::string& op, int64_t macs);
// Has the format's operator multiplications, whatever their number? For files without a graph.
bool multiplies(std::string_view domain, std::string_view op);

}  // namespace oree
