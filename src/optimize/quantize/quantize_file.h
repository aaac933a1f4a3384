// SPDX-License-Identifier: Apache-2.0
// From file to file: read, prepare, quantize, write; and the report of it for programs, for a terminal, and to look at.
// Called by `oree quantize` and `oree ship`.
#pragma once

#include <optional>
#include <string>

#include "core/codec/json.h"
#include "model/recipe/recipe.h"
#include "optimize/quantize/quantize.h"

namespace oree {

struct QuantizeRequest {
  std::string source, result;  // .onnx or .tflite; the result's as the engine takes it
  DatasetSource data;
  size_t random = 0;             // instead of data: so many seeded samples of noise; the report says so
  std::optional<Recipe> recipe;  // of images
  ConvertOptions convert;
  QuantizeOptions quantize;  // scratch is set here: a folder beside the result, removed at the end
};

struct QuantizedFile {
  QuantizeReport report;
  int64_t bytes_before = 0, bytes_after = 0;
};

// The result is replaced atomically, and only when all went well. kUsage when the result's name is not of the engine's
// format; else errors of load_model, open_dataset and quantize.
Result<QuantizedFile> quantize_file(Files& files, const QuantizeRequest& request);

Json quantize_to_json(const QuantizeRequest& request, const QuantizedFile& file);
std::string quantize_text(const QuantizeRequest& request, const QuantizedFile& file);
std::string decibels_text(std::optional<double> db);  // "41.3"; "equal" of infinity; "" of nothing
// Threads that quantize() takes well on this machine.
int quantize_threads();
// One file, nothing loaded from elsewhere.
std::string quantize_page(const QuantizeRequest& request, const QuantizedFile& file);

}  // namespace oree
