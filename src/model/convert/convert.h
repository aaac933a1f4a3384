// SPDX-License-Identifier: Apache-2.0
// A model file in, a model file out: read, passes, written. Used by `oree convert`, which proves the result with
// self_check.h. What cannot be expressed is refused with operator, node and reason; nothing is ever written wrong.
#pragma once

#include <map>
#include <set>
#include <string>

#include "core/io/files.h"
#include "model/graph/graph.h"
#include "model/load/load.h"
#include "model/runtime/registry.h"

namespace oree {

struct ConvertOptions {
  std::map<std::string, int64_t> symbols;  // "batch" -> 1
  std::map<std::string, Shape> inputs;     // input -> shape
  int opset = 0;                           // of an ONNX result; 0: 17, or the lowest above that can hold the model
  bool float16 = false;                    // weights
  std::set<std::string> replaceable;       // of an ONNX result: OnnxWriteOptions
  bool micro = false;                      // of a TFLite result: TfliteWriteOptions
  bool optimise = true;  // fold batch norms, recognise activations and layer norms; false: what the format needs alone
};

// Which passes changed how much: for reports.
struct ConvertSteps {
  std::vector<std::pair<std::string, int>> passes;
};

// Brings the model to the form in which it will be written.
Result<ConvertSteps> prepare(Model& model, const ConvertOptions& options);

// Some of its integers stand for reals: engines then differ by a step or two.
bool is_quantized(const Graph& graph);

// kUsage for a name that ends in neither .onnx, .tflite nor .ncnn.param.
Status check_result_name(const std::string& path);

// In the format that the name says. Replaced atomically. ONNX constants of more than 1 GiB in all go to `path`.data
// beside it, the weights of NAME.ncnn.param to NAME.ncnn.bin.
Status write_model(Files& files, const Model& model, const std::string& path, const ConvertOptions& options);

}  // namespace oree
