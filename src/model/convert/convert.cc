// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "model/ncnn/ncnn_file.h"
#include "model/ncnn/ncnn_graph.h"
#include "model/onnx/onnx_graph.h"
#include "model/passes/passes.h"
#include "model/tflite/tflite_graph.h"

namespace oree {
namespace {

constexpr std::string_view kNcnnEnd = ".ncnn.param";
constexpr int64_t kInlineBytesMax = int64_t{1} << 30;  // protobuf ends at 2 GiB

int64_t constant_bytes(const Graph& graph) {
  int64_t bytes = 0;
  for (ValueId v = 0; v < static_cast<ValueId>(graph.value_count()); ++v) {
    if (const Constant* c = graph.constant(v)) bytes += static_cast<int64_t>(c->bytes().size());
  }
  return bytes;
}

// A file in the making beside its place, so that a cut leaves the old one or the new one whole.
class Replacement {
 public:
  static Result<Replacement> begin(Files& files, const std::string& path) {
    Replacement r(files, path);
    OREE_TRY_ASSIGN(r.file_, files.create(path + ".part"));
    return r;
  }
  Status write(ByteView bytes) { return file_->write(bytes); }
  Status finish() {
    OREE_TRY(file_->sync());
    file_.reset();
    return files_->rename(path_ + ".part", path_);
  }
  void give_up() {
    file_.reset();
    (void)files_->remove(path_ + ".part");
  }

 private:
  Replacement(Files& files, std::string path) : files_(&files), path_(std::move(path)) {}
  Files* files_;
  std::string path_;
  std::unique_ptr<WriteFile> file_;
};

Status write_onnx(Files& files, const Model& model, const std::string& path, const ConvertOptions& options) {
  OnnxWriteOptions how;
  how.opset = options.opset;
  how.replaceable = options.replaceable;
  Model raised = model;
  OREE_TRY(raise_quantized_tflite(raised.graph));
  const bool outside = constant_bytes(model.graph) > kInlineBytesMax;
  if (outside) {
    how.external_threshold = 1024;
    how.external_name = path_name(path) + ".data";
  }
  OREE_TRY_ASSIGN(Replacement file, Replacement::begin(files, path));
  std::unique_ptr<Replacement> data;
  if (outside) {
    OREE_TRY_ASSIGN(Replacement begun, Replacement::begin(files, path + ".data"));
    data = std::make_unique<Replacement>(std::move(begun));
  }
  OnnxSinks sinks;
  sinks.model = [&](ByteView bytes) { return file.write(bytes); };
  sinks.external = [&](ByteView bytes) { return data ? data->write(bytes) : Status(); };
  Status written = write_onnx_model(raised, how, sinks);
  if (written.ok() && data) written = data->finish();
  if (written.ok()) written = file.finish();
  if (written.ok()) return {};
  file.give_up();
  if (data) data->give_up();
  return written.error();
}

Status write_tflite(Files& files, const Model& model, const std::string& path, const TfliteWriteOptions& how) {
  OREE_TRY_ASSIGN(Replacement file, Replacement::begin(files, path));
  Status written = write_tflite_model(model, how, [&](ByteView bytes) { return file.write(bytes); });
  if (written.ok()) written = file.finish();
  if (!written.ok()) file.give_up();
  return written;
}

// Two files that belong together: the weights first, since a text is what is opened.
Status write_ncnn(Files& files, const Model& model, const std::string& path) {
  const std::string weights_path = ncnn_weights_path(path);
  OREE_TRY_ASSIGN(Replacement param, Replacement::begin(files, path));
  Result<Replacement> weights = Replacement::begin(files, weights_path);
  if (!weights.ok()) {
    param.give_up();
    return weights.error();
  }
  NcnnSinks sinks;
  sinks.param = [&](ByteView bytes) { return param.write(bytes); };
  sinks.weights = [&](ByteView bytes) { return weights->write(bytes); };
  Status written = write_ncnn_model(model, sinks);
  if (written.ok()) written = weights->finish();
  if (written.ok()) written = param.finish();
  if (written.ok()) return {};
  param.give_up();
  weights->give_up();
  return written;
}

}  // namespace

Result<ConvertSteps> prepare(Model& model, const ConvertOptions& options) {
  Graph& graph = model.graph;
  ConvertSteps steps;
  auto run = [&](const char* name, const PassResult& result) -> Status {
    if (!result.ok()) return result.error().within(name);
    if (result.value() > 0) steps.passes.emplace_back(name, result.value());
    return {};
  };
  if (!options.symbols.empty() || !options.inputs.empty())
    OREE_TRY(freeze_shapes(graph, options.symbols, options.inputs));
  OREE_TRY(run("clean", clean(graph)));
  OREE_TRY(run("sink transposes", sink_transposes(graph)));
  if (options.optimise) {
    OREE_TRY(run("recognise activations", recognise_activations(graph)));
    OREE_TRY(run("recognise layer normalization", recognise_layer_norm(graph)));
    OREE_TRY(run("fold batch normalization", fold_batch_norm(graph)));
  }
  OREE_TRY(run("clean again", clean(graph)));
  if (options.float16) OREE_TRY(run("float16 weights", to_float16_weights(graph)));
  return steps;
}

bool is_quantized(const Graph& graph) {
  return graph.has_quantization() ||
         std::ranges::any_of(graph.all_nodes(), [&](NodeId n) { return graph.node(n).is("DequantizeLinear"); });
}

Status check_result_name(const std::string& path) {
  const std::string extension = path_extension(path);
  if (extension == ".onnx" || extension == ".tflite" || path.ends_with(kNcnnEnd)) return {};
  return Error(Code::kUsage, fmt::format("{}: the name must end in .onnx, .tflite or {}, the formats that are written",
                                         path, kNcnnEnd));
}

Status write_model(Files& files, const Model& model, const std::string& path, const ConvertOptions& options) {
  OREE_TRY(check_result_name(path));
  if (path.ends_with(kNcnnEnd)) return write_ncnn(files, model, path);
  if (path_extension(path) == ".onnx") return write_onnx(files, model, path, options);
  TfliteWriteOptions how;
  how.micro = options.micro;
  return write_tflite(files, model, path, how);
}

}  // namespace oree
