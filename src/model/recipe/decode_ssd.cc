// SPDX-License-Identifier: Apache-2.0
// SSD: one box encoding and one score a class for every anchor. Box code of the TensorFlow Object Detection API:
//   centre = encoded / factor * anchor size + anchor centre,   size = exp(encoded / factor) * anchor size
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

class SsdDecoder : public Decoder {
 public:
  SsdDecoder(const Recipe& recipe, size_t boxes, size_t scores)
      : recipe_(recipe), boxes_(boxes), scores_(scores), anchors_(make_ssd_anchors(recipe.decoder.anchors)) {
    double min = recipe.decoder.score_min;
    raw_min_ = min;
    if (recipe.decoder.activation == "sigmoid") {
      // Compared before the activation: nearly all of the scores never need their exp().
      raw_min_ = min <= 0 ? -std::numeric_limits<double>::infinity()
                          : (min >= 1 ? std::numeric_limits<double>::infinity() : std::log(min / (1 - min)));
    }
  }

  size_t anchors() const { return anchors_.size(); }

  Result<std::vector<Classification>> classifications(const std::vector<const Tensor*>&) override {
    return Error(Code::kUnsupported, "recipe: an SSD detector gives boxes, not a class of the picture");
  }

  Result<std::vector<Detection>> detections(const std::vector<const Tensor*>& outputs,
                                            const Placement& placement) override {
    OREE_TRY_ASSIGN(const Tensor* box_tensor, output_at(outputs, boxes_));
    OREE_TRY_ASSIGN(const Tensor* score_tensor, output_at(outputs, scores_));
    OREE_TRY_ASSIGN(std::span<const float> boxes, float_values(*box_tensor, box_storage_));
    OREE_TRY_ASSIGN(std::span<const float> scores, float_values(*score_tensor, score_storage_));
    size_t n = anchors_.size();
    if (boxes.size() != n * 4 || scores.empty() || scores.size() % n != 0) {
      return Error(Code::kInvalid, fmt::format("ssd: {} anchors need boxes {}x4 and scores {}xC; found {} and {}", n, n,
                                               n, shape_text(box_tensor->shape()), shape_text(score_tensor->shape())));
    }
    size_t classes = scores.size() / n;
    std::vector<Detection> candidates;
    for (size_t i = 0; i < n; ++i) {
      for (size_t c = 0; c < classes; ++c) {
        double raw = scores[i * classes + c];
        if (!(raw >= raw_min_) || static_cast<int>(c) == recipe_.decoder.background_class) continue;  // NaN fails too
        double score = recipe_.decoder.activation == "sigmoid" ? 1 / (1 + std::exp(-raw)) : std::min(raw, 1.0);
        Box box;
        if (decode_box(anchors_[i], boxes.subspan(i * 4, 4), placement, box))
          candidates.push_back({box, static_cast<int>(c), score});
      }
    }
    const DecoderRecipe& d = recipe_.decoder;
    return non_maximum_suppression(std::move(candidates), d.nms_iou, d.nms_per_class, d.results_max);
  }

 private:
  bool decode_box(const Anchor& anchor, std::span<const float> code, const Placement& placement, Box& out) const {
    const auto& factor = recipe_.decoder.anchors.box_factors;
    double y = static_cast<double>(code[0]) / factor[0] * anchor.h + anchor.y;
    double x = static_cast<double>(code[1]) / factor[1] * anchor.w + anchor.x;
    double h = std::exp(static_cast<double>(code[2]) / factor[2]) * anchor.h / 2;
    double w = std::exp(static_cast<double>(code[3]) / factor[3]) * anchor.w / 2;
    double width = recipe_.image.width, height = recipe_.image.height;
    return place_box((x - w) * width, (y - h) * height, (x + w) * width, (y + h) * height, placement, out);
  }

  Recipe recipe_;
  size_t boxes_, scores_;
  std::vector<Anchor> anchors_;
  double raw_min_;
  std::vector<float> box_storage_, score_storage_;
};

// The box output is the one whose last dimension is 4, when only one is.
Result<std::pair<size_t, size_t>> tell_apart(const std::vector<OutputInfo>& outputs) {
  auto is_boxes = [](const OutputInfo& o) { return !o.shape.empty() && o.shape.back() == 4; };
  if (outputs.size() != 2 || is_boxes(outputs[0]) == is_boxes(outputs[1])) {
    std::string found;
    for (const OutputInfo& o : outputs) found += fmt::format(" {} [{}]", o.name, shape_text(o.shape));
    return Error(
        Code::kInvalid,
        "recipe: decoder.boxes_output and decoder.scores_output must be named, their shapes do not tell them apart:" +
            found);
  }
  return is_boxes(outputs[0]) ? std::pair<size_t, size_t>{0, 1} : std::pair<size_t, size_t>{1, 0};
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_ssd_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs) {
  const DecoderRecipe& d = recipe.decoder;
  std::pair<size_t, size_t> which;
  if (d.boxes_output.empty() && d.scores_output.empty()) {
    OREE_TRY_ASSIGN(which, tell_apart(outputs));
  } else {
    OREE_TRY_ASSIGN(which.first, find_output(outputs, d.boxes_output, "decoder.boxes_output"));
    OREE_TRY_ASSIGN(which.second, find_output(outputs, d.scores_output, "decoder.scores_output"));
  }
  auto decoder = std::make_unique<SsdDecoder>(recipe, which.first, which.second);
  auto n = static_cast<int64_t>(decoder->anchors());
  auto boxes = shape_elements(outputs[which.first].shape);
  if (boxes.ok() && *boxes != n * 4) {
    return Error(Code::kInvalid, fmt::format("recipe: the feature maps make {} anchors, but output '{}' is {}", n,
                                             outputs[which.first].name, shape_text(outputs[which.first].shape)));
  }
  const Shape& scores = outputs[which.second].shape;
  auto classes = static_cast<int64_t>(recipe.labels.size());
  auto count = shape_elements(scores);
  if (count.ok() && (*count % n != 0 || *count == 0 || (classes > 0 && *count != n * classes))) {
    return Error(Code::kInvalid, fmt::format("recipe: {} anchors and {} labels, but output '{}' is {}", n, classes,
                                             outputs[which.second].name, shape_text(scores)));
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace oree
