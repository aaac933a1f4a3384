// SPDX-License-Identifier: Apache-2.0
// ModelNeeds: what a model asks of a device, out of the file alone: no engine is asked, nothing is run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "model/runtime/registry.h"

namespace oree {

struct ModelNeeds {
  std::string path;
  ModelFormat format = ModelFormat::kUnknown;
  int64_t file_bytes = 0;    // external data included
  int64_t weight_bytes = 0;  // of all constants, as the file has them
  // The same as engines compute with them: float16 becomes float32.
  int64_t unpacked_bytes = 0;
  int64_t live_bytes = -1;  // the most of activations at a time; -1: not known
  int64_t macs = 0;
  bool macs_known = true;  // false: macs is a lower bound
  bool integers = false;   // most of its MACs are of integers: quantized already

  // In TFLite's operators: what it would be in a microcontroller, or for TFLite. Of a TFLite file, its own.
  std::string tflite_refused;          // why it cannot be; ""
  std::map<std::string, int64_t> ops;  // op -> how often
  int64_t ops_total = 0;
  int64_t int8_file_bytes = -1;  // all weights int8, biases int32, scales by channel; -1: not known
  int64_t int8_live_bytes = -1;  // all real values int8

  std::string onnx_refused;              // a TFLite file: why it cannot become ONNX; ""
  std::vector<std::string> foreign_ops;  // outside of the format's own set, and of ONNX Runtime's
};

// Errors: those of inspect(). A file that no graph holds has needs that are not known (-1).
Result<ModelNeeds> needs_of(const std::string& path);

}  // namespace oree
