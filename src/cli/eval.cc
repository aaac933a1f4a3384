// SPDX-License-Identifier: Apache-2.0
#include "model/eval/evaluate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "cli/context.h"
#include "cli/measure_options.h"
#include "core/base/text.h"

namespace oree::cli {
namespace {

struct EvalOptions {
  JudgeOptions judge;
  std::string model, runtime, precision = "f32", provider;
  std::string reference, reference_runtime, reference_precision = "f32";
  std::string data, images, metric = "auto", min, detections, scratch = ".";
  int threads = 1, top_k = 5, samples = 0;
  uint64_t seed = 1;
};

struct Minimum {
  std::string metric;
  double value = 0;
};

Result<std::vector<Minimum>> parse_minimums(const std::string& text) {
  OREE_TRY_ASSIGN(auto items, parse_list(text, "--min"));
  std::vector<Minimum> minimums;
  for (const std::string& item : items) {
    std::vector<std::string> parts = split(item, '=');
    Minimum minimum;
    bool good = parts.size() == 2 && !parts[0].empty();
    if (good) {
      auto [end, error] = std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), minimum.value);
      good = error == std::errc() && end == parts[1].data() + parts[1].size();
    }
    if (!good) return Error(Code::kUsage, fmt::format("--min: expected METRIC=VALUE, found '{}'", item));
    minimum.metric = parts[0];
    minimums.push_back(minimum);
  }
  return minimums;
}

std::string text_of(const EvalRequest& request, const EvalResult& result) {
  std::string text =
      fmt::format("{} on {} samples of {}", candidate_text(request.model, true), result.samples, request.data.path);
  if (request.reference) text += ", against " + candidate_text(*request.reference, true);
  TextTable table{{"metric", "value"}, {false, true}, {}};
  for (const auto& [name, value] : result.figures) table.rows.push_back({name, fmt::format("{:.6g}", value)});
  text += "\n\n" + table.text();
  if (result.agreement && result.agreement->low != result.agreement->high) {
    text += fmt::format("95 % interval of {}: {:.4f} to {:.4f}\n", result.metric, result.agreement->low,
                        result.agreement->high);
  }
  if (!result.per_class.empty()) {
    TextTable classes{
        {"class", result.metric == "top1" || result.metric == "topk" ? "recall" : "AP at IoU 0.5"}, {false, true}, {}};
    for (const auto& [name, value] : result.per_class) classes.rows.push_back({name, fmt::format("{:.4f}", value)});
    text += "\n" + classes.text();
  }
  if (!result.unknown_classes.empty())
    text += fmt::format("\nnot judged, none of the recipe's labels: {}\n", fmt::join(result.unknown_classes, ", "));
  if (result.samples_refused > 0) {
    text += fmt::format("\n{} samples refused:\n", result.samples_refused);
    for (const std::string& bad : result.refused_samples) text += "  " + bad + "\n";
  }
  return text;
}

Status eval(Context& context, const EvalOptions& options) {
  OREE_TRY_ASSIGN(auto minimums, parse_minimums(options.min));
  EvalRequest request;
  OREE_TRY_ASSIGN(request.model,
                  make_candidate(options.model, options.runtime, options.threads, options.precision, options.provider));
  if (!options.reference.empty()) {
    OREE_TRY_ASSIGN(request.reference, make_candidate(options.reference, options.reference_runtime, options.threads,
                                                      options.reference_precision, ""));
  }
  request.data = {options.data, options.images, context.open_video};
  OREE_TRY_ASSIGN(request.recipe, load_recipe(*context.ports.files, options.judge.recipe, options.judge.labels));
  request.metric = options.metric;
  request.score_min = options.judge.score;
  request.iou_min = options.judge.iou;
  request.top_k = options.top_k;
  request.samples_max = options.samples;
  request.seed = options.seed;
  request.detections_path = options.detections;
  request.scratch_dir = options.scratch;
  EvalResult result;
  {
    Progress bar("eval", 0);
    OREE_TRY_ASSIGN(
        result, evaluate(context.ports, request, [&](size_t done, size_t) { bar.update(static_cast<int64_t>(done)); }));
  }
  Json document = eval_to_json(request, result), checks = Json::array();
  std::string verdict, text = text_of(request, result);
  for (const Minimum& minimum : minimums) {
    auto figure = std::find_if(result.figures.begin(), result.figures.end(),
                               [&](const auto& f) { return f.first == minimum.metric; });
    if (figure == result.figures.end())
      return Error(Code::kUsage, fmt::format("--min: '{}' was not measured here", minimum.metric));
    bool kept = figure->second >= minimum.value;
    checks.push(
        Json().set("metric", minimum.metric).set("min", minimum.value).set("value", figure->second).set("kept", kept));
    if (!kept)
      verdict += fmt::format("{}{} is {:.6g}, below {:.6g}", verdict.empty() ? "" : "; ", minimum.metric,
                             figure->second, minimum.value);
  }
  print_result(context, document.set("checks", checks), text);
  return verdict.empty() ? Status() : Status(Error(Code::kRefused, verdict));
}

}  // namespace

void add_eval(CLI::App& app, Context& context) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command =
      add_command(app, context, "eval", "Accuracy on labelled data, or agreement with a reference model",
                  "  oree eval detector.tflite --runtime openvino --precision default --reference detector.tflite \\\n"
                  "    --data frames/ --recipe recipe.json --min f1=0.98",
                  [&context, options] { return eval(context, *options); });
  command->add_option("model", options->model, "ONNX, TFLite, OpenVINO IR, ncnn, TorchScript or ExecuTorch file")
      ->required();
  command
      ->add_option("--data", options->data,
                   "Folder of images or of npz, folder of one folder a class, npz, npy, or COCO json")
      ->required();
  command->add_option("--images", options->images, "Folder of the images that a COCO json names; default: beside it");
  options->judge.add_recipe(*command);
  command->add_option("--metric", options->metric, "auto; f1, map, top1, topk; with a reference f1, top1, cosine, sqnr")
      ->capture_default_str();
  command->add_option("--min", options->min, "METRIC=VALUE[,…]: exit status 1 when a figure is below");
  command->add_option("--runtime", options->runtime,
                      "One of those that oree runtimes shows; default: by the file's format");
  command->add_option("--threads", options->threads, "Threads")->capture_default_str()->check(CLI::Range(1, 256));
  command->add_option("--precision", options->precision, "f32, default (the engine's own choice), bf16, f16")
      ->capture_default_str();
  command->add_option("--provider", options->provider, "Execution provider; default: the engine's best CPU path");
  command->add_option("--reference", options->reference, "Model to agree with, instead of labels");
  command->add_option("--reference-runtime", options->reference_runtime, "Its engine; default: by its format");
  command->add_option("--reference-precision", options->reference_precision, "Its precision")->capture_default_str();
  options->judge.add_matching(*command);
  command->add_option("--top-k", options->top_k, "Classifier: the k of topk")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command->add_option("--detections", options->detections, "COCO json: write what was found here, as COCO results");
  command->add_option("--samples", options->samples, "At most this many, spread over the data; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--seed", options->seed, "Of the bootstrap")->capture_default_str();
  command->add_option("--scratch", options->scratch, "Folder for temporary tensors")->capture_default_str();
}

}  // namespace oree::cli
