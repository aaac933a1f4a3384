// SPDX-License-Identifier: Apache-2.0
// From file to file: read, prepare, quantize, write; and the report of it for programs, for a terminal, and to look at.
// Called by `oree quantize` and `oree ship`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "model/recipe/recipe.h"
#include "optimize/quantize/edgetpu.h"
#include "optimize/quantize/quantize.h"

namespace oree {

struct QuantizeRequest {
  std::string source, result;  // .onnx or .tflite; the result's as the engine takes it
  // When it is given, `result` has all layers in integers, and here goes what keeps some in float for its accuracy:
  // when there are any.
  std::string mixed_result;
  std::string more_result;  // with it: for what keeps up to `more_float_macs` of the multiply-accumulates in float
  double more_float_macs = 0;
  DatasetSource data;
  size_t random = 0;             // instead of data: so many seeded samples of noise; the report says so
  std::optional<Recipe> recipe;  // of images
  ConvertOptions convert;
  bool split_outputs = false;     // an output that a Concat makes becomes its operands
  std::optional<DropBound> drop;  // its data: those of the calibration when no path is given
  QuantizeOptions quantize;       // the scratch, a folder beside the result that is removed at the end, is set here,
                                  // and with `drop` the judge
};

struct QuantizedFile {
  std::string path;
  QuantizeReport report;
  int64_t bytes_before = 0, bytes_after = 0;
  std::optional<EdgeTpuReport> edge_tpu;  // of results for it
};

// The result, and the mixed ones behind it when there are any. Each is replaced atomically, once all before it went
// well. kUsage when the result's name is not of the engine's format; else errors of load_model, open_dataset,
// make_judge and quantize. Of the ports it takes the files; a bound on the drop takes clock, random and processes, too.
Result<std::vector<QuantizedFile>> quantize_file(const Ports& ports, const QuantizeRequest& request);

Json quantize_to_json(const QuantizeRequest& request, const QuantizedFile& file);
std::string quantize_text(const QuantizeRequest& request, const QuantizedFile& file);
std::string join_fate(const Join& join);
std::string decibels_text(std::optional<double> db);  // "41.3"; "equal" of infinity; "" of nothing
// Threads that quantize() takes well on this machine.
int quantize_threads();
// One file, nothing loaded from elsewhere.
std::string quantize_page(const QuantizeRequest& request, const QuantizedFile& file);

}  // namespace oree
