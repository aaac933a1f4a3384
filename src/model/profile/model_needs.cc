// SPDX-License-Identifier: Apache-2.0
#include "model/profile/model_needs.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "core/base/limits.h"
#include "model/graph/graph.h"
#include "model/inspect/inspect.h"
#include "model/inspect/targets.h"
#include "model/ops/analyze.h"
#include "model/passes/passes.h"
#include "model/runtime/files/model_file.h"
#include "model/tflite/tflite_costs.h"
#include "model/tflite/tflite_file.h"
#include "model/tflite/tflite_graph.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {
namespace {

bool is_real(Dtype dtype) {
  return dtype == Dtype::kFloat32 || dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16 || dtype == Dtype::kFloat64;
}

// Of each constant once, however many values share it.
template <typename Count>
int64_t sum_constants(const Graph& graph, const Count& count) {
  std::set<const uint8_t*> seen;
  int64_t sum = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Constant* c = graph.constant(static_cast<ValueId>(i));
    if (c != nullptr && c->elements() > 0 && seen.insert(c->bytes().data()).second) sum += count(*c);
  }
  return sum;
}

// float16 and bfloat16 are a way to store: engines unpack them.
int64_t unpacked(const Constant& c) {
  const auto bytes = static_cast<int64_t>(c.bytes().size());
  return c.dtype() == Dtype::kFloat16 || c.dtype() == Dtype::kBfloat16 ? 2 * bytes : bytes;
}

// In a file of int8: a weight 1 byte. A constant of rank 1 is a bias, an int32 a channel; beside each the file has the
// channel's scale (float32) and zero point (int64).
int64_t in_int8(const Constant& c) {
  constexpr int64_t kBias = 4, kScale = 4, kZeroPoint = 8;
  if (!is_real(c.dtype())) return static_cast<int64_t>(c.bytes().size());
  return c.shape().size() > 1 ? c.elements() : c.elements() * (kBias + kScale + kZeroPoint);
}

int64_t live_in_int8(Graph graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& v = graph.value(id);
    if (!v.is_constant() && v.dtype && is_real(*v.dtype)) graph.set_type(id, Dtype::kInt8, v.dims);
  }
  const Cost cost = analyze(graph, tflite_macs);
  return cost.values_unknown == 0 ? cost.live_bytes_peak : -1;
}

// float16 weights stand behind DEQUANTIZE; as int8 they need none.
bool unpacks_weights(const TfliteFile& file, const TfliteSubgraph& part, const TfliteOp& op) {
  if (tflite_op_name(op) != "DEQUANTIZE" || op.inputs.empty() || op.inputs[0] < 0) return false;
  return !file.buffers[part.tensors[static_cast<size_t>(op.inputs[0])].buffer].empty();
}

Status add_tflite(ByteView file, const Graph& graph, ModelNeeds& needs) {
  OREE_TRY_ASSIGN(TfliteFile raw, read_tflite(file));
  for (const TfliteSubgraph& part : raw.subgraphs) {
    for (const TfliteOp& op : part.ops) {
      if (!unpacks_weights(raw, part, op)) ++needs.ops[tflite_op_name(op)];
    }
  }
  for (const auto& [op, count] : needs.ops) needs.ops_total += count;
  int64_t stored = 0;
  for (const ByteView& buffer : raw.buffers) stored += static_cast<int64_t>(buffer.size());
  const int64_t structure = static_cast<int64_t>(file.size()) - stored;
  needs.int8_file_bytes = std::max<int64_t>(0, structure) + sum_constants(graph, in_int8);
  needs.int8_live_bytes = live_in_int8(graph);
  return {};
}

// As oree convert would write it, in memory.
Status add_converted(const Inspection& inspection, ModelNeeds& needs) {
  if (needs.unpacked_bytes > kTriedModelBytesMax) {
    return Error(Code::kExhausted,
                 fmt::format("{} bytes of weights are more than it is tried for", needs.unpacked_bytes));
  }
  Model model = *inspection.model;
  OREE_TRY_ASSIGN(int cleaned, clean(model.graph));
  OREE_TRY_ASSIGN(int folded, fold_batch_norm(model.graph));
  static_cast<void>(cleaned + folded);
  OREE_TRY_ASSIGN(Bytes written, write_tflite_model(model));
  auto file = std::make_shared<const Bytes>(std::move(written));
  OREE_TRY_ASSIGN(Model read, read_tflite_nodes(*file, file, TfliteSizes::kExported));
  return add_tflite(*file, read.graph, needs);
}

Status add_own(const std::string& path, const Inspection& inspection, ModelNeeds& needs) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  OREE_TRY(add_tflite(file.bytes(), inspection.model->graph, needs));
  needs.onnx_refused = "it is too large to try";
  for (const Target& target : try_targets(path, inspection, {})) {
    if (target.name == "onnx" || !target.possible) needs.onnx_refused = target.possible ? "" : target.why;
    if (target.name == "onnx") break;
  }
  return {};
}

void add_summary(const ModelSummary& s, ModelNeeds& needs) {
  needs.format = s.format;
  needs.file_bytes = s.file_bytes + std::max<int64_t>(0, s.external_bytes);
  for (const auto& [dtype, bytes] : s.weight_bytes) needs.weight_bytes += bytes;
  needs.unpacked_bytes = needs.weight_bytes;
  needs.live_bytes = s.live_values_unknown == 0 ? s.live_bytes_peak : -1;
  needs.macs = s.macs;
  needs.macs_known = s.macs_unknown.empty() && s.macs > 0;
  int64_t integer_macs = 0;
  for (const auto& [kind, macs] : s.macs_by_arithmetic) {
    if (kind.find("float") == std::string::npos && kind != "?") integer_macs += macs;
  }
  needs.integers = 2 * integer_macs > s.macs;
  for (const std::string& op : s.custom_ops) {
    if (!op.starts_with("com.microsoft")) needs.foreign_ops.push_back(op);
  }
}

}  // namespace

Result<ModelNeeds> needs_of(const std::string& path) {
  OREE_TRY_ASSIGN(Inspection inspection, inspect(path));
  ModelNeeds needs;
  needs.path = path;
  add_summary(inspection.summary, needs);
  if (!inspection.model) {
    needs.live_bytes = -1;
    needs.tflite_refused = inspection.summary.graph_refused;
    needs.onnx_refused = inspection.summary.graph_refused;
    return needs;
  }
  needs.unpacked_bytes = sum_constants(inspection.model->graph, unpacked);
  const bool own = needs.format == ModelFormat::kTflite;
  const Status added = own ? add_own(path, inspection, needs) : add_converted(inspection, needs);
  if (!added.ok() && own) return added.error();
  if (!added.ok()) needs.tflite_refused = added.error().message();
  return needs;
}

}  // namespace oree
