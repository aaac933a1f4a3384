// SPDX-License-Identifier: Apache-2.0
// What Coral's Edge TPU would take of a TFLite file, by the rules that its makers publish: a table of operators and
// their limits, 8-bit tensors of one scale, known shapes, no more than three dimensions. The compiler joins what it
// maps into one piece; what follows an operator that it cannot map runs on the CPU.
//
// It is a forecast: edgetpu_compiler itself has rules that are not published, and has the last word.
// Source: the "TensorFlow models on the Edge TPU" pages of coral.ai, and what the compiler says in its logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/codec/json.h"
#include "model/graph/graph.h"

namespace oree {

inline constexpr int64_t kEdgeTpuCacheBytes = 8 << 20;  // on the chip, for parameters; the rest is fetched each run

struct EdgeTpuOp {
  std::string op;        // "CONV_2D"
  std::string name;      // of its first result
  std::string shape;     // of its first result: "1x20x20x64"
  int64_t macs = 0;      // 0 where a count is not known
  int64_t bytes = 0;     // of its constants; those that several use count for the first
  std::string because;   // it runs on the CPU; "": on the Edge TPU
  bool follows = false;  // it could be mapped, and is behind something that cannot
};

struct EdgeTpuReport {
  std::vector<EdgeTpuOp> ops;  // in the file's order
  size_t mapped = 0;
  int64_t macs = 0, macs_mapped = 0;
  int64_t bytes_mapped = 0;  // of the constants of what is mapped, to be held against kEdgeTpuCacheBytes
  double op_share() const { return ops.empty() ? 0 : static_cast<double>(mapped) / static_cast<double>(ops.size()); }
  double mac_share() const { return macs > 0 ? static_cast<double>(macs_mapped) / static_cast<double>(macs) : 0; }
};

// `nodes` are of domain "tflite", as a file has them (model/tflite/tflite_nodes.h).
EdgeTpuReport edge_tpu_report(const Graph& nodes);
// Of a file. kInvalid, kUnsupported where it cannot be read.
Result<EdgeTpuReport> edge_tpu_report_of_file(const std::string& path);

Json edge_tpu_json(const EdgeTpuReport& report);
std::string edge_tpu_text(const EdgeTpuReport& report);
std::string edge_tpu_section(const EdgeTpuReport& report);  // of a page

}  // namespace oree
