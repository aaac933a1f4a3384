// SPDX-License-Identifier: Apache-2.0
#include "model/eval/label_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace oree {

Result<LabelJudge> LabelJudge::make(const Dataset& dataset, const std::string& path,
                                    const std::optional<Recipe>& recipe, const std::vector<OutputInfo>& outputs) {
  LabelJudge judge;
  judge.boxes_ = dataset.has_boxes();
  judge.categories_ = dataset.categories();
  if (recipe) {
    judge.recipe_ = *recipe;
  } else {
    judge.recipe_.kind = "tensor";
    judge.recipe_.decoder.kind = "classifier";
  }
  const std::string kind = judge.recipe_.decoder.kind;
  const bool detector = kind == "ssd" || kind == "yolov8";
  if (detector != judge.boxes_ || (!detector && kind != "classifier")) {
    return Error(Code::kUsage, fmt::format("{}: {} do not go with a recipe whose decoder is '{}'", path,
                                           judge.boxes_ ? "boxes" : "class labels", kind));
  }
  Recipe lenient = judge.recipe_;
  DecoderRecipe& decoder = lenient.decoder;
  if (judge.boxes_) {
    // Average precision looks at the whole ranking, F1 from a score up; only the recipe's own NMS stays.
    decoder.score_min = std::min(decoder.score_min, 0.01);
    decoder.results_max = std::max(decoder.results_max, 100);
  } else {
    // Every class has its rank; raw scores (logits) may all lie below zero.
    decoder.score_min = -std::numeric_limits<double>::infinity();
    decoder.results_max = std::numeric_limits<int>::max();
  }
  OREE_TRY_ASSIGN(judge.decoder_, make_decoder(lenient, outputs));
  return judge;
}

Result<Answers> LabelJudge::answers(const Sample& sample, const NamedTensors& outputs) const {
  std::vector<const Tensor*> ordered;
  for (const NamedTensor& tensor : outputs) {
    ordered.push_back(&tensor.tensor);
    Status finite = check_finite(tensor.tensor, tensor.name);
    if (!finite.ok()) return finite.error().within(sample.name + ": the model's output");
  }
  Answers answers;
  if (boxes_) {
    OREE_TRY_ASSIGN(answers.boxes, decoder_->detections(ordered, sample.placement));
    std::erase_if(answers.boxes, [&](const Detection& found) { return !categories_.ids.contains(found.label); });
    return answers;
  }
  OREE_TRY_ASSIGN(answers.classes, decoder_->classifications(ordered));
  const size_t classes = answers.classes.size() + (recipe_.decoder.background_class >= 0 ? 1 : 0);
  if (static_cast<size_t>(*sample.label) >= classes) {
    return Error(Code::kUsage, fmt::format("{}: label {}, but the model's classes are 0 to {}", sample.name,
                                           *sample.label, classes - 1));
  }
  return answers;
}

F1 LabelJudge::counts(const Answers& answers, const Sample& truth, double score_min, double iou_min) const {
  if (boxes_) return match_f1(answers.boxes, *truth.truths, score_min, iou_min);
  const bool right = !answers.classes.empty() && answers.classes[0].label == *truth.label;
  return right ? F1{1, 0, 0} : F1{0, 1, 1};
}

}  // namespace oree
