// SPDX-License-Identifier: Apache-2.0
// oree infer: exact tensors in, exact tensors out. It is how anyone checks our engines against others'.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/codec/npy.h"
#include "model/runtime/files/real_values.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree infer detector.tflite --runtime tflite --threads 2 --input frame.npy --output out.npz\n"
    "  oree infer net.onnx --runtime openvino --precision default --input x.npz --output y.npz --json";

struct Options {
  std::string model;
  std::string runtime;
  std::string input;
  std::string output;
  SessionOptions session;
  bool reals = false;
};

bool is_npz(const std::string& path) { return path_extension(path) == ".npz"; }

Status check_extension(const std::string& path) {
  if (is_npz(path) || path_extension(path) == ".npy") return {};
  return Error(Code::kUsage, fmt::format("{}: the name must end in .npz or .npy", path));
}

Result<NamedTensors> read_input(const Context& context, const Options& options, const Session& session) {
  OREE_TRY_ASSIGN(Bytes file, context.ports.files->read(options.input, kModelBytesMax));
  if (is_npz(options.input)) {
    Result<NamedTensors> tensors = read_npz(file);
    return tensors.ok() ? std::move(tensors) : tensors.error().within(options.input);
  }
  Result<Tensor> tensor = read_npy(file);
  if (!tensor.ok()) return tensor.error().within(options.input);
  if (session.inputs().size() != 1) {
    return Error(Code::kUsage, fmt::format("{} has {} inputs: give them as one .npz, each under its name",
                                           options.model, session.inputs().size()));
  }
  return NamedTensors{{session.inputs()[0].name, std::move(tensor).value()}};
}

Status write_output(const Context& context, const std::string& path, const NamedTensors& tensors) {
  if (!is_npz(path)) return context.ports.files->write_atomic(path, write_npy(tensors.front().tensor));
  OREE_TRY_ASSIGN(Bytes file, write_npz(tensors));
  return context.ports.files->write_atomic(path, file);
}

Json describe(const Tensor& tensor, const std::string& name, const std::optional<RealScale>& reals) {
  Json shape = Json::array();
  for (int64_t d : tensor.shape()) shape.push(d);
  Json json = Json().set("name", name).set("dtype", dtype_name(tensor.dtype())).set("shape", shape);
  if (reals) json.set("scale", static_cast<double>(reals->scale)).set("zero_point", reals->zero_point);
  return json;
}

Status infer(const Context& context, Options options) {
  OREE_TRY(check_extension(options.input));
  OREE_TRY(check_extension(options.output));
  OREE_TRY_ASSIGN(ModelFormat format, detect_format(options.model));
  if (options.runtime.empty()) {
    OREE_TRY_ASSIGN(options.runtime, default_backend(format, options.model));
  }
  OREE_TRY_ASSIGN(std::unique_ptr<Session> session, backend(options.runtime).open(options.model, options.session));
  if (!is_npz(options.output) && session->outputs().size() != 1) {
    return Error(Code::kUsage,
                 fmt::format("{} has {} outputs: write them to a .npz", options.model, session->outputs().size()));
  }
  OREE_TRY_ASSIGN(NamedTensors inputs, read_input(context, options, *session));
  Result<NamedTensors> outputs = session->run(inputs);
  if (!outputs.ok()) return outputs.error().within(options.model);
  if (options.reals) make_real(*outputs, session->outputs());
  OREE_TRY(write_output(context, options.output, *outputs));

  Json facts = Json::object();
  for (const auto& [key, value] : session->facts()) facts.set(key, value);
  Json listed = Json::array();
  TextTable table{{"output", "dtype", "shape", ""}, {}, {}};
  for (size_t i = 0; i < outputs->size(); ++i) {
    const NamedTensor& out = (*outputs)[i];
    const std::optional<RealScale> reals = options.reals ? std::nullopt : session->outputs()[i].reals;
    listed.push(describe(out.tensor, out.name, reals));
    table.rows.push_back(
        {out.name, dtype_name(out.tensor.dtype()), shape_text(out.tensor.shape()),
         reals ? fmt::format("reals are {:.6g} * (integer - {})", reals->scale, reals->zero_point) : ""});
  }
  Json document = Json()
                      .set("model", options.model)
                      .set("runtime", options.runtime)
                      .set("version", backend(options.runtime).info().version)
                      .set("threads", options.session.threads)
                      .set("facts", facts)
                      .set("output", options.output)
                      .set("outputs", listed);
  print_result(
      context, document,
      table.text() +
          fmt::format("{} {} ({}, {}), {}: written to {}\n", options.runtime, backend(options.runtime).info().version,
                      facts["provider"].as_string(), facts["precision"].as_string(),
                      options.session.threads == 1 ? "1 thread" : fmt::format("{} threads", options.session.threads),
                      options.output));
  return {};
}

}  // namespace

void add_infer(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "infer", "Run a model on tensors from a file", kExamples,
                                  [&context, options] { return infer(context, *options); });
  command->add_option("model", options->model, "ONNX, TFLite, OpenVINO IR, ncnn, TorchScript or ExecuTorch file")
      ->required();
  command->add_option("--runtime", options->runtime, "Engine; the one that suits the format when not given")
      ->check(CLI::IsMember(backend_names()));
  command->add_option("--threads", options->session.threads, "Threads of the engine")->capture_default_str();
  command->add_option("--provider", options->session.provider, "A provider that `oree runtimes` lists");
  command
      ->add_option("--precision", options->session.precision, "f32 (exact), default (the engine's choice), bf16 or f16")
      ->capture_default_str();
  command->add_flag("--reals", options->reals, "Write integers that stand for reals as float32");
  command
      ->add_option(
          "--input", options->input,
          "x.npz, keyed by tensor name, or x.npy for a single input; float32 for integers that stand for reals "
          "is quantized")
      ->required();
  command->add_option("--output", options->output, "y.npz, or y.npy for a single output; replaced atomically")
      ->required();
}

}  // namespace oree::cli
