// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/drop.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/convert/convert.h"
#include "model/eval/evaluate.h"
#include "model/runtime/registry.h"
#include "optimize/quantize/engine_accuracy.h"

namespace oree {

Result<Judge> make_judge(const Ports& ports, const std::string& source, const std::string& engine,
                         const DropBound& bound, bool labelled, const std::optional<Recipe>& recipe,
                         const std::string& scratch) {
  if (!labelled) {
    OREE_TRY_ASSIGN(const std::string metric, resolve_metric(bound.metric, recipe));
    if (metric == "sqnr")
      return Error(Code::kUsage, "a bound on the drop is a share, sqnr is in dB: take cosine, f1 or top1");
  }
  const std::string runtime = stand_in(engine);
  if (!backend(runtime).info().available)
    return Error(Code::kUnavailable, fmt::format("a bound on the drop needs the engine, and {} is not here", runtime));
  OREE_TRY_ASSIGN(const ModelFormat format, detect_format(source));
  OREE_TRY_ASSIGN(const std::string natural, default_backend(format, source));
  EvalRequest request;
  request.data = bound.evaluation;
  request.recipe = recipe;
  request.metric = bound.metric;
  request.score_min = bound.score_min;
  request.iou_min = bound.iou_min;
  request.scratch_dir = scratch;
  request.model = {source, natural, {}};
  double wanted = 1;
  if (labelled) {
    OREE_TRY_ASSIGN(const EvalResult in_float, evaluate(ports, request, {}));
    wanted = in_float.figures[0].second;
  } else {
    request.reference = request.model;
  }
  request.model = {path_join(scratch, runtime == "tflite" ? "judged.tflite" : "judged.onnx"), runtime, {}};
  return Judge([ports, request, labelled, wanted](const Graph& quantized) -> Result<Drop> {
    Model model;
    model.graph = quantized;
    OREE_TRY(write_model(*ports.files, model, request.model.model, {}));
    Result<EvalResult> found = evaluate(ports, request, {});
    (void)ports.files->remove(request.model.model);
    if (!found.ok()) return found.error().within("judging the quantized model");
    return Drop{found->metric, !labelled, wanted, found->figures[0].second, found->samples};
  });
}

Result<std::vector<DropTrial>> fewest_in_float(size_t layers, double max,
                                               const std::function<Result<Drop>(size_t layers_float)>& judge) {
  std::vector<DropTrial> trials;
  auto within = [&](size_t count) -> Result<bool> {
    OREE_TRY_ASSIGN(const Drop drop, judge(count));
    trials.push_back({count, drop});
    return drop.lost() <= max;
  };
  size_t too_few = 0, enough = 0;
  OREE_TRY_ASSIGN(bool good, within(0));
  if (good) return trials;
  while (!good) {
    if (enough == layers) {
      return Error(Code::kRefused,
                   fmt::format("with {} layers in float, all that may be: {}; allowed are {:.2f} points", layers,
                               drop_text(trials.back().drop), 100 * max));
    }
    too_few = enough;
    enough = std::min(layers, std::max<size_t>(1, enough * 2));
    OREE_TRY_ASSIGN(good, within(enough));
  }
  DropTrial answer = trials.back();
  while (enough - too_few > 1) {
    const size_t middle = too_few + (enough - too_few) / 2;
    OREE_TRY_ASSIGN(good, within(middle));
    (good ? enough : too_few) = middle;
    if (good) answer = trials.back();
  }
  if (trials.back().layers_float != answer.layers_float) trials.push_back(answer);
  return trials;
}

std::string drop_text(const Drop& drop) {
  const double points = 100 * drop.lost();
  if (drop.agreement) {
    return fmt::format("{} {:.4f} against float: {:.2f} points lost on {} samples", drop.metric, drop.found, points,
                       drop.samples);
  }
  return fmt::format("{} {:.4f}, in float {:.4f}: {:.2f} points lost on {} samples", drop.metric, drop.found,
                     drop.wanted, points, drop.samples);
}

}  // namespace oree
