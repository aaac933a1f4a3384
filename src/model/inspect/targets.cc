// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/targets.h"

#include <fmt/format.h>

#include <map>

#include "core/base/limits.h"
#include "model/inspect/summary_parts.h"
#include "model/load/load.h"
#include "model/onnx/onnx_graph.h"
#include "model/passes/passes.h"
#include "model/reference/kernel.h"
#include "model/tflite/tflite_graph.h"

namespace oree {
namespace {

Target reference(const Graph& graph) {
  std::map<std::string, int> without;
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if (find_kernel_entry(graph, node) == nullptr) ++without[op_name(node)];
  }
  std::string why;
  for (const auto& [op, n] : without) why += fmt::format("{}{} {}", why.empty() ? "no kernel for " : ", ", n, op);
  return {"reference", without.empty(), why};
}

Target onnx(Model model) {
  const OnnxSinks nowhere{[](ByteView) { return Status(); }, [](ByteView) { return Status(); }};
  Status written = raise_quantized_tflite(model.graph);
  if (written.ok()) written = write_onnx_model(model, {}, nowhere);
  return {"onnx", written.ok(), written.ok() ? "" : written.error().message()};
}

Target tflite(const Model& model) {
  Result<Bytes> written = write_tflite_model(model);
  return {"tflite", written.ok(), written.ok() ? "" : written.error().message()};
}

Result<Model> prepared(const std::string& path, const Inspection& inspection, const InspectOptions& options) {
  Model model = *inspection.model;
  if (inspection.summary.format == ModelFormat::kTflite) {
    OREE_TRY_ASSIGN(model, load_model(path));
    ModelSummary unused;
    if (options.symbols.empty() && options.inputs.empty()) {
      OREE_TRY(assume_one_item(model.graph, unused));
    } else {
      OREE_TRY(freeze_shapes(model.graph, options.symbols, options.inputs));
    }
  }
  PassResult cleaned = clean(model.graph);
  if (!cleaned.ok()) return cleaned.error();
  return model;
}

}  // namespace

std::vector<Target> try_targets(const std::string& path, const Inspection& inspection, const InspectOptions& options) {
  if (!inspection.model) return {};
  int64_t bytes = 0;
  for (const auto& [dtype, of_it] : inspection.cost.constant_bytes) bytes += of_it;
  if (bytes > kTriedModelBytesMax) return {};
  Result<Model> model = prepared(path, inspection, options);
  if (!model.ok()) return {{"reference", false, model.error().message()}};
  return {reference(model->graph), onnx(*model), tflite(*model)};
}

}  // namespace oree
