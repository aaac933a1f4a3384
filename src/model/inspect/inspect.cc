// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/inspect.h"

#include <fmt/format.h>

#include "model/inspect/summary_parts.h"
#include "model/load/load.h"
#include "model/ncnn/ncnn_file.h"
#include "model/ops/costs.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/runtime/files/model_file.h"
#include "model/runtime/files/openvino_file.h"

namespace oree {
namespace {

void note_beside(const std::string& weights_path, int64_t bytes, ModelSummary& summary) {
  summary.external_files = {weights_path.substr(weights_path.rfind('/') + 1)};
  summary.external_bytes = bytes;
}

Status summarise_file(const std::string& path, ModelSummary& summary) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  OREE_TRY_ASSIGN(summary.format, detect_format(path));
  summary.file_bytes = static_cast<int64_t>(file.bytes().size());
  Status read;
  switch (summary.format) {
    case ModelFormat::kOnnx: read = summarise_onnx(file.bytes(), summary); break;
    case ModelFormat::kTflite: read = summarise_tflite(file.bytes(), summary); break;
    case ModelFormat::kOpenvino: {
      int64_t weights = openvino_weights_size(path);
      read = summarise_openvino(file.bytes(), weights, summary);
      if (weights >= 0) note_beside(openvino_weights_path(path), weights, summary);
      break;
    }
    case ModelFormat::kNcnn: {
      const int64_t weights = ncnn_weights_size(path);
      read = summarise_ncnn(file.bytes(), weights, summary);
      if (weights >= 0) note_beside(ncnn_weights_path(path), weights, summary);
      break;
    }
    case ModelFormat::kTorchscript: read = summarise_torchscript(file.bytes(), summary); break;
    case ModelFormat::kExecutorch: read = summarise_executorch(file.bytes(), summary); break;
    case ModelFormat::kOther: break;
    case ModelFormat::kUnknown: return Error(Code::kInvalid, path + ": not a model: " + no_format_text());
  }
  return read.ok() ? read : Status(read.error().within(path));
}

Result<Model> load_graph(const std::string& path, const InspectOptions& options, ModelSummary& summary) {
  const bool frozen = !options.symbols.empty() || !options.inputs.empty();
  if (frozen && summary.format == ModelFormat::kTflite) {
    OREE_TRY_ASSIGN(Model model, load_model(path));
    OREE_TRY(freeze_shapes(model.graph, options.symbols, options.inputs));
    summary.assumptions.push_back("sizes are inferred in ONNX's operators: layers are those");
    return model;
  }
  OREE_TRY_ASSIGN(LookedAt seen, load_for_a_look(path));
  for (const std::string& file : seen.missing) {
    summary.assumptions.push_back(fmt::format("'{}' is not there: its weights are taken as zeros", file));
  }
  if (frozen) OREE_TRY(freeze_shapes(seen.model.graph, options.symbols, options.inputs));
  return std::move(seen.model);
}

// What a layer would cost is not known without a graph: say so of each that costs something.
void leave_unknown(ModelSummary& summary) {
  for (const auto& [op, count] : summary.ops) {
    const size_t dot = op.rfind('.');
    const bool own = dot == std::string::npos;
    const std::string domain = summary.format == ModelFormat::kTflite ? "tflite" : own ? "" : op.substr(0, dot);
    if (multiplies(domain, own ? op : op.substr(dot + 1))) summary.macs_unknown[op] += count;
  }
}

void name_tflite_assumptions(ModelSummary& summary) {
  for (const InspectedTensor& input : summary.inputs) {
    for (size_t d = 0; d < input.shape.size(); ++d) {
      if (input.shape[d] >= 0) continue;
      summary.assumptions.push_back(
          fmt::format("dimension {} of '{}' is free: taken as the file's own default", d, input.name));
    }
  }
}

}  // namespace

void add_macs(ModelSummary& summary, const std::string& op, int64_t macs) {
  constexpr int64_t kMax = int64_t{1} << 62;
  if (macs < 0 || macs > kMax - summary.macs) {
    ++summary.macs_unknown[op];
    return;
  }
  summary.macs += macs;
  summary.macs_by_op[op] += macs;
}

Result<Inspection> inspect(const std::string& path, const InspectOptions& options) {
  Inspection out;
  ModelSummary& summary = out.summary;
  OREE_TRY(summarise_file(path, summary));
  const bool frozen = !options.symbols.empty() || !options.inputs.empty();
  if (summary.format != ModelFormat::kOnnx && summary.format != ModelFormat::kTflite) {
    const bool ir = summary.format == ModelFormat::kOpenvino;
    summary.graph_refused =
        fmt::format("{} has no reader that makes a graph",
                    ir ? "OpenVINO IR" : fmt::format("the format '{}'", format_name(summary.format)));
    if (frozen) return Error(Code::kUnsupported, fmt::format("{}: {}", path, summary.graph_refused));
    return out;
  }
  Result<Model> model = load_graph(path, options, summary);
  // Free dimensions that are left: as a device would run it.
  Status sized;
  if (model.ok()) {
    const bool exported = summary.format == ModelFormat::kTflite && !frozen;
    if (exported) {
      name_tflite_assumptions(summary);
    } else {
      sized = assume_one_item(model->graph, summary);
    }
  }
  if (model.ok() && sized.ok()) {
    out.cost = summarise_graph(model->graph, summary);
    out.model = std::move(*model);
    return out;
  }
  const Error& why = model.ok() ? sized.error() : model.error();
  if (frozen) return why;
  summary.graph_refused = why.message();
  if (summary.graph_refused.starts_with(path + ": ")) summary.graph_refused.erase(0, path.size() + 2);
  leave_unknown(summary);
  return out;
}

Result<ModelSummary> inspect_model(const std::string& path) {
  OREE_TRY_ASSIGN(Inspection all, inspect(path));
  return std::move(all.summary);
}

}  // namespace oree
