// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

class ClassifierDecoder : public Decoder {
 public:
  ClassifierDecoder(const Recipe& recipe, size_t output) : recipe_(recipe), output_(output) {}

  Result<std::vector<Detection>> detections(const std::vector<const Tensor*>&, const Placement&) override {
    return Error(Code::kUnsupported, "recipe: a classifier gives no boxes");
  }

  Result<std::vector<Classification>> classifications(const std::vector<const Tensor*>& outputs) override {
    OREE_TRY_ASSIGN(const Tensor* tensor, output_at(outputs, output_));
    OREE_TRY_ASSIGN(std::span<const float> logits, float_values(*tensor, storage_));
    if (logits.empty() || (!recipe_.labels.empty() && logits.size() != recipe_.labels.size())) {
      return Error(Code::kInvalid, fmt::format("classifier: {} scores expected, one a label; output is {}",
                                               recipe_.labels.size(), shape_text(tensor->shape())));
    }
    std::vector<Classification> results;
    std::vector<double> scores(logits.begin(), logits.end());
    if (recipe_.decoder.activation == "softmax") softmax(scores);
    for (size_t i = 0; i < scores.size(); ++i) {
      int label = static_cast<int>(i);
      if (label != recipe_.decoder.background_class && scores[i] >= recipe_.decoder.score_min) {
        results.push_back({label, scores[i]});
      }
    }
    std::stable_sort(results.begin(), results.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    if (results.size() > static_cast<size_t>(recipe_.decoder.results_max))
      results.resize(static_cast<size_t>(recipe_.decoder.results_max));
    for (Classification& r : results) r.score = std::min(r.score, 1.0);  // after sorting: raw logits keep their order
    return results;
  }

 private:
  // NaN and infinite logits give NaN scores, which pass no threshold.
  static void softmax(std::vector<double>& values) {
    double top = *std::max_element(values.begin(), values.end());
    double sum = 0;
    for (double& v : values) sum += v = std::exp(v - top);
    for (double& v : values) v /= sum;
  }

  Recipe recipe_;
  size_t output_;
  std::vector<float> storage_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> make_classifier_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs) {
  OREE_TRY_ASSIGN(size_t index, find_output(outputs, recipe.decoder.output, "decoder.output"));
  const Shape& shape = outputs[index].shape;
  auto count = shape_elements(shape);
  if (count.ok() && !recipe.labels.empty() && *count != static_cast<int64_t>(recipe.labels.size())) {
    return Error(Code::kInvalid, fmt::format("recipe: {} labels, but output '{}' is {}", recipe.labels.size(),
                                             outputs[index].name, shape_text(shape)));
  }
  return std::unique_ptr<Decoder>(std::make_unique<ClassifierDecoder>(recipe, index));
}

}  // namespace oree
