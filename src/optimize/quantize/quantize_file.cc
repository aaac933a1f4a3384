// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/base/text.h"
#include "core/io/scratch_folder.h"
#include "model/load/load.h"
#include "optimize/quantize/prepare.h"

namespace oree {
namespace {

std::vector<TensorInfo> inputs_of(const Graph& graph) {
  std::vector<TensorInfo> infos;
  for (ValueId v : graph.main().inputs) {
    const Value& value = graph.value(v);
    infos.push_back({value.name, value.dtype.value_or(Dtype::kFloat32), to_shape(value.dims.value_or(Dims{}))});
  }
  return infos;
}

Result<std::unique_ptr<Dataset>> open_samples(Files& files, const QuantizeRequest& request,
                                              const std::vector<TensorInfo>& inputs) {
  constexpr uint64_t kSeed = 1;
  if (request.random > 0) return noise_dataset(inputs, request.random, kSeed);
  // What needs no samples is tried with some nevertheless: that it runs is to be seen.
  constexpr size_t kSamplesTried = 2;
  if (request.data.path.empty() && !calibrates(request.quantize.precision))
    return noise_dataset(inputs, kSamplesTried, kSeed);
  if (request.data.path.empty())
    return Error(Code::kUsage, "expected real samples (--calibration), or --random N where there are none");
  return open_dataset(files, request.data, request.recipe, inputs);
}

Result<Judge> judge_for(const Ports& ports, const QuantizeRequest& request, const std::vector<TensorInfo>& inputs,
                        const std::string& scratch) {
  DropBound bound = *request.drop;
  if (bound.evaluation.path.empty()) bound.evaluation = request.data;
  if (bound.evaluation.path.empty())
    return Error(Code::kUsage, "a bound on the drop needs real samples: --evaluation, or --calibration");
  OREE_TRY_ASSIGN(const std::unique_ptr<Dataset> data,
                  open_dataset(*ports.files, bound.evaluation, request.recipe, inputs));
  const bool labelled = data->has_labels() || data->has_boxes();
  return make_judge(ports, request.source, request.quantize.engine, bound, labelled, request.recipe, scratch);
}

}  // namespace

int quantize_threads() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 8U)); }

Result<std::vector<QuantizedFile>> quantize_file(const Ports& ports, const QuantizeRequest& request) {
  Files& files = *ports.files;
  OREE_TRY(check_result_name(request.result));
  OREE_TRY(check_precision(request.quantize.engine, request.quantize.precision));
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(request.quantize.engine, request.quantize.cpu));
  if (dialect.tflite != (path_extension(request.result) == ".tflite")) {
    return Error(Code::kUsage, fmt::format("{}: the engine {} takes {} files", request.result, dialect.engine,
                                           dialect.tflite ? ".tflite" : ".onnx"));
  }
  if (Result<IoType> io = io_of(request.quantize); !io.ok()) return io.error();  // before anything is read
  OREE_TRY_ASSIGN(Model model, load_model(request.source));
  Status prepared = prepare_for_quantization(model, request.convert, dialect.tflite);
  if (!prepared.ok()) return prepared.error().within(request.source);
  if (request.split_outputs) {
    OREE_TRY_ASSIGN(int split, split_outputs(model.graph));
    if (split == 0)
      return Error(Code::kUsage, fmt::format("{}: --split-outputs: no output is made by a Concat", request.source));
  }
  OREE_TRY_ASSIGN(std::unique_ptr<Dataset> data, open_samples(files, request, inputs_of(model.graph)));
  OREE_TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::beside(files, request.result));
  QuantizeOptions options = request.quantize;
  options.scratch = scratch.path();
  options.also_whole = !request.mixed_result.empty();
  options.also_float_macs = request.more_result.empty() ? 0 : request.more_float_macs;
  options.drop_max = request.drop ? request.drop->max : 0;
  if (request.drop) {
    OREE_TRY_ASSIGN(options.judge, judge_for(ports, request, inputs_of(model.graph), scratch.path()));
  }
  Result<Quantized> quantized = quantize(files, model.graph, *data, options);
  if (!quantized.ok()) return quantized.error().within(request.source);
  std::vector<QuantizedFile> out;
  auto write = [&](Quantized& made, const std::string& path) -> Status {
    made.report.random = request.random > 0 || request.data.path.empty();
    model.graph = std::move(made.graph);
    ConvertOptions form = request.convert;
    form.micro = request.quantize.engine == "tflm";
    OREE_TRY(write_model(files, model, path, form));
    std::optional<EdgeTpuReport> edge_tpu;
    if (request.quantize.engine == "edgetpu") {
      OREE_TRY_ASSIGN(edge_tpu, edge_tpu_report_of_file(path));
    }
    OREE_TRY_ASSIGN(FileInfo before, files.info(request.source));
    OREE_TRY_ASSIGN(FileInfo after, files.info(path));
    out.push_back({path, std::move(made.report), before.size, after.size, std::move(edge_tpu)});
    return {};
  };
  const bool mixed = quantized->whole != nullptr;
  OREE_TRY(write(mixed ? *quantized->whole : *quantized, request.result));
  if (mixed) OREE_TRY(write(*quantized, request.mixed_result));
  if (quantized->more) OREE_TRY(write(*quantized->more, request.more_result));
  return out;
}

}  // namespace oree
