// SPDX-License-Identifier: Apache-2.0
// What a model file holds and costs: no engine is asked, nothing is run. Called by `oree inspect` and by whoever needs
// a model's cost before choosing a device.
//
// What lies in the file comes from the formats' raw readers, which take every file that is whole. What it costs comes
// from its graph (model/load): a file that no graph holds is still described, its costs are then not known.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/tensor.h"
#include "model/graph/graph.h"
#include "model/ops/analyze.h"
#include "model/runtime/registry.h"

namespace oree {

struct InspectedTensor {
  std::string name;
  std::string dtype;  // numpy's name, or one that numpy lacks ("bfloat16", "string")
  Shape shape;        // -1: free
  bool rank_known = true;
};

// A node of the graph's main block.
struct InspectedLayer {
  NodeId node = kNoNode;
  std::string name;  // the node's own, else that of its first output
  std::string op;
  std::string dtype;       // of its first output, "" when not known
  std::string shape;       // the same: "1,24,150,150", symbols named; "" when not known
  std::string arithmetic;  // of its MACs: "float32", "int8", "float32 x int8" (activations x weights); "" without MACs
  int64_t macs = 0;        // -1: not known
  int64_t parameters = 0;  // constants that several layers use count for the first
  int64_t live_bytes = 0;  // of all values that must be there while it runs
};

struct ModelSummary {
  ModelFormat format = ModelFormat::kUnknown;
  std::string producer;                     // "pytorch 2.1.0", "" when the file does not say
  std::map<std::string, int64_t> versions;  // "ir", "opset", "opset com.microsoft", "schema"
  std::vector<InspectedTensor> inputs;
  std::vector<InspectedTensor> outputs;
  std::map<std::string, int64_t> ops;   // op -> how often, subgraphs included, constants left out
  std::vector<std::string> custom_ops;  // outside of the format's own op set
  int64_t parameters = 0;               // elements of weights: floats, integers of 8 bits or fewer, quantized biases
  std::map<std::string, int64_t> weight_bytes;  // dtype -> bytes of all constants, those shared counted once
  // Multiply-accumulates of one run: convolutions, matrix products, recurrent layers. Ops whose size is unknown (free
  // dimensions, loops, an op we have no formula for) are not in it: then it is a lower bound.
  int64_t macs = 0;
  std::map<std::string, int64_t> macs_by_op;
  std::map<std::string, int64_t> macs_unknown;  // op -> how many of them are not counted
  std::vector<std::string> assumptions;         // "dimension 0 of 'x' is free: taken as 1"
  int64_t file_bytes = 0;
  std::vector<std::string> external_files;  // with weights, relative to the model
  int64_t external_bytes = 0;               // as the model says; -1 when it does not
  int64_t quantized_tensors = 0;            // TFLite: with scales; ONNX, IR: made by Quantize/FakeQuantize ops
  int64_t quantized_per_channel = 0;
  std::map<std::string, std::string> metadata;  // further facts: "min runtime", "conversion framework"

  // --- from the graph
  std::string graph_refused;           // why there is none, and so no costs by layer; "": there is one
  std::vector<InspectedLayer> layers;  // in the order in which they run; those that follow from constants left out
  std::map<std::string, int64_t> parameters_by_op;
  std::map<std::string, int64_t> macs_by_arithmetic;  // as InspectedLayer::arithmetic
  std::map<std::string, int64_t> values_by_dtype;     // inputs and what layers make; "int8 quantized" apart from "int8"
  std::map<std::string, std::string> symbols;         // free dimension -> where: "dimension 0 of 'x'"
  int64_t live_bytes_peak = -1;                       // -1: not known
  int64_t live_values_unknown = 0;                    // values of unknown size, so not in it
  std::string peak_layer;
};

struct InspectOptions {
  std::map<std::string, int64_t> symbols;  // "batch" -> 1
  std::map<std::string, Shape> inputs;     // input -> shape
};

struct Inspection {
  ModelSummary summary;
  std::optional<Model> model;  // nothing where summary.graph_refused says why
  Cost cost;                   // of model
};

// kNotFound, kInvalid (not a model, broken), kUnsupported (a version that we do not read). With options: kInvalid when
// they name what the model has not, kUnsupported when it has no graph; a TFLite model's layers are then ONNX's
// operators, because sizes are inferred there.
Result<Inspection> inspect(const std::string& path, const InspectOptions& options = {});
Result<ModelSummary> inspect_model(const std::string& path);

}  // namespace oree
