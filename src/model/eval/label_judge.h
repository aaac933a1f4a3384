// SPDX-License-Identifier: Apache-2.0
// LabelJudge: a model's outputs for a labelled sample, decoded as far as judging needs it and held against the label.
// Called by evaluate() and tune().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/eval/dataset.h"
#include "model/eval/metrics.h"
#include "model/recipe/detect.h"

namespace oree {

// What a model said of a sample: boxes by falling score, or classes, the best first.
struct Answers {
  std::vector<Detection> boxes;
  std::vector<Classification> classes;
};

class LabelJudge {
 public:
  // kUsage when the data have no labels, or labels that do not go with the recipe's decoder. Without a recipe the only
  // output holds class scores. `path` is for messages.
  static Result<LabelJudge> make(const Dataset& dataset, const std::string& path, const std::optional<Recipe>& recipe,
                                 const std::vector<OutputInfo>& outputs);
  bool boxes() const { return boxes_; }  // else classes
  const Recipe& recipe() const { return recipe_; }
  // kInvalid when an output is not finite; kUsage when the sample's label is none of the model's classes. Boxes of
  // classes that the data have no category for are left out: nobody looked for them. Outputs in the model's order.
  Result<Answers> answers(const Sample& sample, const NamedTensors& outputs) const;
  // Boxes of `score_min` or more against the truths; a class answer as one hit, or one wrong and one missed.
  F1 counts(const Answers& answers, const Sample& truth, double score_min, double iou_min) const;

 private:
  LabelJudge() = default;
  bool boxes_ = false;
  Recipe recipe_;
  CocoCategories categories_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace oree
