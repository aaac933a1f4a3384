// SPDX-License-Identifier: Apache-2.0
// oree quantize: a float model, and real samples where they are needed, in; a quantized model for one engine out.
#include "optimize/quantize/quantize_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/measure_options.h"
#include "cli/output_paths.h"
#include "cli/shape_options.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree quantize net.onnx net-int8.onnx --engine onnxruntime --calibration samples.npz\n"
    "  oree quantize detector.tflite detector-int8.tflite --engine tflite --calibration frames/ --recipe recipe.json\n"
    "  oree quantize net.onnx net-ov.onnx --engine openvino --calibration samples.npz --html report.html\n"
    "  oree quantize net.onnx net-int8.onnx --engine onnxruntime --calibration train.npz --evaluation test.npz "
    "--max-drop 1%\n"
    "  oree quantize net.onnx net-w8.onnx --engine openvino --precision weights-int8";

struct Options {
  JudgeOptions judge;
  std::string ranges = "mse", cpu = "this", precision = "int8", io;
  std::vector<std::string> dims, shapes, keep_float;
  std::string report, html;
  std::optional<double> float_macs_percent;
  std::string max_drop;
  DropBound drop;
  QuantizeRequest request;
};

Status read_settings(Files& files, Options& options) {
  QuantizeRequest& request = options.request;
  OREE_TRY_ASSIGN(request.convert.symbols, parse_dims(options.dims));
  OREE_TRY_ASSIGN(request.convert.inputs, parse_shapes(options.shapes));
  std::optional<RangeMethod> method = parse_range_method(options.ranges);
  if (!method) return Error(Code::kUsage, fmt::format("--ranges: no method '{}'", options.ranges));
  request.quantize.plan.ranges.method = *method;
  std::optional<Precision> precision = find_precision(options.precision);
  if (!precision) {
    return Error(Code::kUsage, fmt::format("--precision: expected one of {}, found '{}'",
                                           fmt::join(precision_names(), ", "), options.precision));
  }
  request.quantize.precision = *precision;
  static const std::map<std::string, TargetCpu> cpus = {
      {"this", TargetCpu::kThis}, {"vnni", TargetCpu::kVnni}, {"x86", TargetCpu::kX86}, {"arm", TargetCpu::kArm}};
  auto cpu = cpus.find(options.cpu);
  if (cpu == cpus.end())
    return Error(Code::kUsage, fmt::format("--cpu: expected this, vnni, x86 or arm, found '{}'", options.cpu));
  request.quantize.cpu = cpu->second;
  static const std::map<std::string, IoType> io_types = {
      {"float", IoType::kFloat}, {"int8", IoType::kInt8}, {"uint8", IoType::kUint8}};
  if (!options.io.empty()) {
    auto io = io_types.find(options.io);
    if (io == io_types.end())
      return Error(Code::kUsage, fmt::format("--io: expected float, int8 or uint8, found '{}'", options.io));
    request.quantize.io = io->second;
  }
  request.quantize.keep_float = {options.keep_float.begin(), options.keep_float.end()};
  if (options.float_macs_percent) request.quantize.float_macs_max = *options.float_macs_percent / 100;
  if (!options.max_drop.empty()) {
    OREE_TRY_ASSIGN(options.drop.max, parse_percent(options.max_drop, "--max-drop"));
    options.drop.score_min = options.judge.score;
    options.drop.iou_min = options.judge.iou;
    request.drop = options.drop;
  } else if (!options.drop.evaluation.path.empty()) {
    return Error(Code::kUsage, "--evaluation: goes with --max-drop");
  }
  OREE_TRY_ASSIGN(request.recipe, load_recipe(files, options.judge.recipe, options.judge.labels));
  return {};
}

Status quantize_command(const Context& context, Options options) {
  Files& files = *context.ports.files;
  options.request.data.open_video = options.drop.evaluation.open_video = context.open_video;
  OREE_TRY(read_settings(files, options));
  OREE_TRY(check_outputs(files,
                         {{"the result", options.request.result}, {"--json", options.report}, {"--html", options.html}},
                         {{"the source", options.request.source},
                          {"--calibration", options.request.data.path},
                          {"--evaluation", options.drop.evaluation.path},
                          {"--recipe", options.judge.recipe},
                          {"--labels", options.judge.labels}}));
  QuantizedFile file;
  {
    std::unique_ptr<Progress> bar;
    std::string step_now;
    options.request.quantize.progress = [&](const char* step, size_t done, size_t total) {
      if (step_now != step) bar = std::make_unique<Progress>(step_now = step, static_cast<int64_t>(total));
      bar->update(static_cast<int64_t>(done));
    };
    OREE_TRY_ASSIGN(std::vector<QuantizedFile> made, quantize_file(context.ports, options.request));
    file = std::move(made.front());
  }
  Json document = quantize_to_json(options.request, file);
  if (!options.report.empty()) OREE_TRY(files.write_atomic(options.report, as_bytes(document.dump(2) + "\n")));
  if (!options.html.empty()) OREE_TRY(files.write_atomic(options.html, as_bytes(quantize_page(options.request, file))));
  print_result(context, document, quantize_text(options.request, file));
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  options->request.quantize.threads = quantize_threads();
  CLI::App* command = add_command(app, context, "quantize", "Quantize a float model with real samples, for one engine",
                                  kExamples, [&context, options] { return quantize_command(context, *options); });
  command->add_option("source", options->request.source, "ONNX or TFLite file in float")->required();
  command->add_option("result", options->request.result, "ONNX or TFLite file (.onnx, .tflite); replaced atomically")
      ->required();
  command->add_option("report,--report", options->report, "Where the report goes as JSON, as in IN OUT --json REPORT");
  command
      ->add_option("--engine", options->request.quantize.engine,
                   "Which engine's dialect: " + fmt::format("{}", fmt::join(dialect_engines(), ", ")))
      ->capture_default_str();
  command
      ->add_option("--precision", options->precision,
                   fmt::format("{}. Of weights alone, and dynamic, samples are not needed; with them the result is "
                               "measured",
                               fmt::join(precision_names(), ", ")))
      ->capture_default_str();
  command
      ->add_option("--calibration", options->request.data.path,
                   "Real samples: npz, npy, wav, csv, folders of them, or images or a video with a recipe")
      ->excludes(command
                     ->add_option("--random", options->request.random,
                                  "Instead: so many samples of random numbers; the result is marked so")
                     ->check(CLI::Range(size_t{1}, kDatasetSamplesMax)));
  command->add_flag("--skip-bad", options->request.quantize.skip_bad,
                    "Leave out samples that cannot be used, and say which");
  command->add_option("--images", options->request.data.images,
                      "Folder of the images that a COCO json names; default: beside it");
  options->judge.add_recipe(*command);
  command->add_option("--samples", options->request.quantize.samples_max, "Use at most so many, spread evenly")
      ->capture_default_str()
      ->check(CLI::Range(size_t{1}, kDatasetSamplesMax));
  command->add_option("--ranges", options->ranges, "min-max, percentile, mse, entropy or moving-average")
      ->capture_default_str();
  command->add_option("--percentile", options->request.quantize.plan.ranges.percentile, "Of --ranges percentile")
      ->capture_default_str();
  command->add_option("--cpu", options->cpu, "What runs the result, of onnxruntime and openvino: this, vnni, x86, arm")
      ->capture_default_str();
  command->add_option(
      "--io", options->io,
      "Inputs and outputs of a TFLite file: float, int8 or uint8; default int8 for edgetpu and tflm, float "
      "for tflite");
  command->add_flag("--split-outputs", options->request.split_outputs,
                    "Give out the operands of a Concat that makes an output, each with a scale of its own");
  command->add_option("--keep-float", options->keep_float,
                      "A layer that stays in float, by the name of its output; may be given again");
  command->add_option("--dim", options->dims, "Set a free dimension: batch=1; may be given again");
  command->add_option("--shape", options->shapes, "Set an input's whole shape: image=1,3,320,320; may be given again");
  command->add_option("--threads", options->request.quantize.threads, "Threads; the result does not depend on them")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  command
      ->add_option("--float-macs", options->float_macs_percent,
                   "Percent of the multiply-accumulates that may stay in float for accuracy; default 4, and 0 for "
                   "engines of integers alone")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--max-drop", options->max_drop,
                      "Keep as few layers in float as lose at most this in the engine: 1% is one point of a metric by "
                      "labels, or of agreement with float");
  command->add_option("--evaluation", options->drop.evaluation.path,
                      "What --max-drop is judged on, labelled or not; default: the samples of --calibration");
  command->add_option("--evaluation-images", options->drop.evaluation.images,
                      "Folder of its images, when it is a COCO json; default: beside it");
  command
      ->add_option("--metric", options->drop.metric,
                   "Of --max-drop: auto; f1, map, top1, topk; without labels f1, top1, cosine")
      ->capture_default_str();
  options->judge.add_matching(*command);
  command->add_flag("--thorough", options->request.quantize.thorough,
                    "Round the weights of large layers for what they give, too, and try equalizing channels and "
                    "smoothing outliers; keep what helps");
  command->add_flag("!--no-check", options->request.quantize.measure, "Do not run the result in its engine");
  command->add_option("--html", options->html, "Write the report as a page: layers, ranges, what was tried");
}

}  // namespace oree::cli
