// SPDX-License-Identifier: Apache-2.0
// Variants of a model for tune to choose among: in integers for each engine's dialect, with and without layers in
// float; the float model in the other format; with float16 weights. Called by `oree tune --calibration` and `oree
// ship`.
#pragma once

#include <string>
#include <vector>

#include "optimize/quantize/quantize_file.h"
#include "optimize/tune/tune.h"

namespace oree::cli {

// Engines of this machine that int8 files can be made for; of `wanted` alone when that is not empty.
std::vector<std::string> dialects_here(const std::vector<std::string>& wanted);

// The backend that opens files of a dialect: "edgetpu" and "tflm" are TFLite's, "tensorrt" is ONNX Runtime's.
std::string runtime_of_dialect(const std::string& dialect);

// FOLDER/NAME-ENGINE-KIND.onnx or .tflite, as that engine takes it. `kind`: "int8", "mixed", "mixed-more".
std::string quantized_path(const std::string& folder, const std::string& name, const std::string& engine,
                           const std::string& kind);

// Quantizes request.source for one engine: a variant all in integers and, where that is more accurate, one with some
// layers in float and one with more, unless the request bounds how many; each with a page about it. `request` has the
// source, data, recipe and settings; the rest is set here. Errors are quantize_file()'s.
struct QuantizedVariants {
  std::string engine;
  std::vector<std::string> paths, pages;
  std::vector<std::vector<TuneLayer>> layers;  // of each path
  std::string line;                            // "onnxruntime 3.2 MiB, 96 % in int8, mixed 3.3 MiB, 94 % in int8"
};
Result<QuantizedVariants> quantize_for_engine(const Ports& ports, QuantizeRequest request, const std::string& engine,
                                              const std::string& folder, const std::string& name);

struct FloatVariant {
  std::string path;     // "" when it was refused
  std::string refused;  // why
};
// The model in the other of the two formats, or (float16) in its own with float16 weights.
FloatVariant convert_variant(Files& files, const std::string& model, const std::string& folder, const std::string& name,
                             bool float16);
// The float model for ncnn. Refused too where ncnn is not on this machine: nothing could be tried.
FloatVariant ncnn_variant(Files& files, const std::string& model, const std::string& folder, const std::string& name);

}  // namespace oree::cli
