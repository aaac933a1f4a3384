// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "model/inspect/summary_parts.h"
#include "model/ops/costs.h"
#include "model/tflite/tflite_file.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

class TfliteSummary {
 public:
  TfliteSummary(const TfliteFile& file, ModelSummary& out) : file_(file), out_(out) {}

  void fill() {
    out_.producer = std::string(file_.description.substr(0, 256));
    out_.versions["schema"] = file_.version;
    out_.versions["op (highest)"] = file_.op_version_max;
    auto minimum = file_.metadata.find("min_runtime_version");
    if (minimum != file_.metadata.end()) {
      std::string text(as_text(minimum->second));
      out_.metadata["min runtime"] = text.substr(0, std::min<size_t>(text.find('\0'), 32));
    }
    const TfliteSubgraph& main = file_.subgraphs.front();
    for (int32_t i : main.inputs) out_.inputs.push_back(describe(tensor(main, i)));
    for (int32_t i : main.outputs) out_.outputs.push_back(describe(tensor(main, i)));
    for (const TfliteSubgraph& graph : file_.subgraphs) {
      weights(graph);
      ops(graph);
    }
  }

 private:
  static const TfliteTensor& tensor(const TfliteSubgraph& graph, int32_t index) {
    return graph.tensors[static_cast<size_t>(index)];
  }

  static InspectedTensor describe(const TfliteTensor& t) {
    return {std::string(t.name), tflite_type(t.type).name, t.signature, true};
  }

  void weights(const TfliteSubgraph& graph) {
    for (const TfliteTensor& t : graph.tensors) {
      if (t.scales() > 0) {
        ++out_.quantized_tensors;
        if (t.scales() > 1) ++out_.quantized_per_channel;
      }
      auto bytes = static_cast<int64_t>(file_.buffers[t.buffer].size());
      if (bytes == 0 || !counted_.insert(t.buffer).second) continue;
      ElementType element = tflite_type(t.type);
      out_.weight_bytes[element.name] += bytes;
      bool small_integer = element.bits > 0 && element.bits <= 8 && element.dtype != Dtype::kBool;
      bool real = std::string_view(element.name).find("float") != std::string_view::npos;
      if (real || small_integer || t.scales() > 0) out_.parameters += std::max<int64_t>(0, volume(t.shape));
    }
  }

  void ops(const TfliteSubgraph& graph) {
    for (const TfliteOp& op : graph.ops) {
      std::string name = tflite_op_name(op);
      if (++out_.ops[name] == 1 && op.code == kTfliteCustom) out_.custom_ops.push_back(name);
    }
  }

  const TfliteFile& file_;
  ModelSummary& out_;
  std::set<uint32_t> counted_;
};

}  // namespace

Status summarise_tflite(ByteView bytes, ModelSummary& summary) {
  OREE_TRY_ASSIGN(TfliteFile file, read_tflite(bytes));
  TfliteSummary(file, summary).fill();
  return {};
}

}  // namespace oree
