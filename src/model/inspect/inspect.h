// SPDX-License-Identifier: Apache-2.0
// What a model file holds, read from its bytes alone: no engine is asked, nothing is run. Called by `oree inspect`
// and by whoever needs a model's cost before choosing a device.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/tensor.h"
#include "model/runtime/registry.h"

namespace oree {

struct InspectedTensor {
  std::string name;
  std::string dtype;  // numpy's name, or one that numpy lacks ("bfloat16", "string")
  Shape shape;        // -1: free
  bool rank_known = true;
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
};

// kNotFound, kInvalid (not a model, broken), kUnsupported (a version that we do not read).
Result<ModelSummary> inspect_model(const std::string& path);

}  // namespace oree
