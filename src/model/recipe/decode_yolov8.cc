// SPDX-License-Identifier: Apache-2.0
// YOLOv8 and its successors' detection head: [1, 4 + C, N] (or transposed), box as centre and size in input pixels,
// scores already between 0 and 1. A box gets its best class, as Ultralytics' own prediction does.
#include <fmt/format.h>

#include <algorithm>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

struct Head {
  int64_t channels = 0, boxes = 0;
  bool channels_first = true;  // memory is [channels][boxes]
};

// With labels the side of 4 + labels is the channels; without, the shorter one.
Result<Head> read_head(const Shape& shape, size_t labels) {
  Shape s = squeezed(shape, 2);
  auto wanted = static_cast<int64_t>(labels) + 4;
  if (s.size() == 2) {
    if (labels > 0 ? s[0] == wanted : s[0] <= s[1]) {
      if (s[0] > 4) return Head{s[0], s[1], true};
    } else if (labels > 0 ? s[1] == wanted : true) {
      if (s[1] > 4) return Head{s[1], s[0], false};
    }
  }
  std::string channels = labels > 0 ? std::to_string(wanted) : "4+C";
  return Error(Code::kInvalid, fmt::format("yolov8: output 1x{}xN or 1xNx{} expected, {} found", channels, channels,
                                           shape_text(shape)));
}

class Yolov8Decoder : public Decoder {
 public:
  Yolov8Decoder(const Recipe& recipe, size_t output) : recipe_(recipe), output_(output) {}

  Result<std::vector<Classification>> classifications(const std::vector<const Tensor*>&) override {
    return Error(Code::kUnsupported, "recipe: a YOLOv8 detector gives boxes, not a class of the picture");
  }

  Result<std::vector<Detection>> detections(const std::vector<const Tensor*>& outputs,
                                            const Placement& placement) override {
    OREE_TRY_ASSIGN(const Tensor* tensor, output_at(outputs, output_));
    OREE_TRY_ASSIGN(Head head, read_head(tensor->shape(), recipe_.labels.size()));
    OREE_TRY_ASSIGN(std::span<const float> values, float_values(*tensor, storage_));
    auto boxes = static_cast<size_t>(head.boxes);
    auto classes = static_cast<size_t>(head.channels - 4);
    size_t channel_step = head.channels_first ? boxes : 1;
    size_t box_step = head.channels_first ? 1 : static_cast<size_t>(head.channels);

    // Class by class over all boxes: in the usual channels-first layout that reads memory in order.
    best_.assign(boxes, {-1, 0});
    for (size_t c = 0; c < classes; ++c) {
      if (static_cast<int>(c) == recipe_.decoder.background_class) continue;
      const float* row = values.data() + (4 + c) * channel_step;
      for (size_t i = 0; i < boxes; ++i) {
        float score = row[i * box_step];
        if (score > best_[i].second || (best_[i].first < 0 && score == 0)) best_[i] = {static_cast<int>(c), score};
      }
    }
    std::vector<Detection> candidates;
    for (size_t i = 0; i < boxes; ++i) {
      auto [label, score] = best_[i];
      if (label < 0 || static_cast<double>(score) < recipe_.decoder.score_min) continue;
      auto at = [&](size_t channel) { return static_cast<double>(values[channel * channel_step + i * box_step]); };
      double x = at(0), y = at(1), w = at(2) / 2, h = at(3) / 2;
      Box box;
      if (place_box(x - w, y - h, x + w, y + h, placement, box))
        candidates.push_back({box, label, std::min(static_cast<double>(score), 1.0)});
    }
    const DecoderRecipe& d = recipe_.decoder;
    return non_maximum_suppression(std::move(candidates), d.nms_iou, d.nms_per_class, d.results_max);
  }

 private:
  Recipe recipe_;
  size_t output_;
  std::vector<std::pair<int, float>> best_;
  std::vector<float> storage_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> make_yolov8_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs) {
  OREE_TRY_ASSIGN(size_t index, find_output(outputs, recipe.decoder.output, "decoder.output"));
  if (shape_elements(outputs[index].shape).ok()) {
    OREE_TRY_ASSIGN(Head head, read_head(outputs[index].shape, recipe.labels.size()));
    (void)head;
  }
  return std::unique_ptr<Decoder>(std::make_unique<Yolov8Decoder>(recipe, index));
}

}  // namespace oree
