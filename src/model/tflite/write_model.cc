// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/analyze.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/tflite/lower.h"
#include "model/tflite/tflite_nodes.h"
#include "model/tflite/tflm_operators.h"
#include "model/tflite/widen_floats.h"

namespace oree {
namespace {

Status pass(Result<int> done) { return done.ok() ? Status() : Status(done.error()); }

// TFLite's operators plan their memory for the shapes that the file says; only a batch may be free.
Status check_inputs(const Graph& graph) {
  for (ValueId id : graph.main().inputs) {
    const Value& v = graph.value(id);
    bool known = v.dims.has_value();
    for (size_t d = 1; known && d < v.dims->size(); ++d) known = (*v.dims)[d].known();
    if (!known) {
      return Error(Code::kUnsupported,
                   fmt::format("input '{}' has the shape {}: all but its first dimension must be known", v.name,
                               v.dims ? dims_text(*v.dims) : "?"));
    }
    if (!v.dtype) return Error(Code::kUnsupported, fmt::format("input '{}': its type is not known", v.name));
  }
  return {};
}

// A tensor of a file has a type.
Status check_types(const Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    for (ValueId v : graph.node(id).outputs) {
      if (v == kNoValue || graph.value(v).dtype) continue;
      return Error(Code::kUnsupported,
                   fmt::format("{} '{}': its type is not known", op_name(graph.node(id)), graph.value(v).name));
    }
  }
  return {};
}

Status check_micro(const Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if (tflm_has(node.op)) continue;
    const std::string name =
        node.outputs.empty() || node.output(0) == kNoValue ? "" : graph.value(node.outputs[0]).name;
    return Error(Code::kUnsupported, fmt::format("TFLite Micro has no {} ('{}')", node.op, name));
  }
  return {};
}

Status write(const Model& model, const TfliteWriteOptions& options, const TfliteSink& sink, bool fold) {
  Model lowered = model;
  Graph& graph = lowered.graph;
  OREE_TRY(infer_types(graph));
  OREE_TRY(check_inputs(graph));
  OREE_TRY(check_types(graph));
  OREE_TRY(widen_floats(graph));
  OREE_TRY(pass(fold_constants(graph, kTfliteFoldedBytesMax)));
  if (fold) OREE_TRY(pass(fold_quantization(graph)));
  OREE_TRY(pass(simplify(graph)));
  OREE_TRY(pass(remove_dead(graph)));
  OREE_TRY(lower_to_tflite(graph));
  OREE_TRY(pass(remove_dead(graph)));
  if (options.micro) OREE_TRY(check_micro(graph));
  return write_tflite_nodes(lowered, options, sink);
}

}  // namespace

Status write_tflite_model(const Model& model, const TfliteWriteOptions& options, const TfliteSink& sink) {
  Status folded = write(model, options, sink, true);
  if (folded.ok() || folded.error().code() != Code::kUnsupported) return folded;
  // A quantized form that TFLite has not may be one that it has in float.
  Status in_float = write(model, options, sink, false);
  return in_float.ok() ? in_float : folded;
}

Result<Bytes> write_tflite_model(const Model& model, const TfliteWriteOptions& options) {
  return to_bytes([&](const TfliteSink& sink) { return write_tflite_model(model, options, sink); });
}

}  // namespace oree
