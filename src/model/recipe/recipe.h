// SPDX-License-Identifier: Apache-2.0
// Recipe: how an input becomes the model's tensor and how the model's outputs become results. It is data, travels in
// the bundle, and the same code runs in calibration, evaluation and production.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/codec/json.h"

namespace oree {

// Pixel -> tensor, in this order: resize, colour order, (x * scale - mean) / std per channel, layout, dtype.
struct ImageRecipe {
  int width = 0, height = 0;               // of the model's input
  std::string resize = "stretch";          // "stretch", "letterbox" (grey 114 bars), "crop" (centre)
  std::string interpolation = "bilinear";  // "bilinear", "area", "nearest": OpenCV's definitions
  std::string color = "rgb";               // "rgb", "bgr", "gray"
  double scale = 1.0;
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> std{1, 1, 1};
  std::string layout = "nchw";    // "nchw", "nhwc"
  std::string dtype = "float32";  // "float32", "uint8", "int8" (quantized by zero_point and quant_scale)
  double quant_scale = 1.0;       // for int8/uint8: q = round(v / quant_scale) + zero_point
  int zero_point = 0;
};

// SSD anchors as the TensorFlow Object Detection API's ssd_anchor_generator lays them.
struct SsdAnchors {
  std::vector<int> feature_maps;  // side lengths, e.g. 19, 10, 5, 3, 2, 1
  double scale_min = 0.2, scale_max = 0.95;
  std::vector<double> ratios{1, 2, 0.5, 3, 1.0 / 3};
  bool reduce_first_layer = true;   // first layer: 3 anchors (0.1 ratio 1; scale ratio 2; scale ratio 1/2)
  double interpolated_ratio = 1.0;  // an extra anchor of the geometric-mean scale; 0: none
  std::array<double, 4> box_factors{10, 10, 5, 5};  // y, x, h, w
};

struct DecoderRecipe {
  std::string kind;                         // "classifier", "ssd", "yolov8", "tensor" (no decoding)
  std::string boxes_output, scores_output;  // ssd: names; "" = told apart by shape
  std::string output;                       // yolov8, classifier: name; "" = the only output
  std::string activation = "none";          // classifier: "none", "softmax"; ssd scores: "none", "sigmoid"
  int background_class = -1;                // ssd, classifier: class index to ignore; -1: none
  double score_min = 0.25;                  // results below are not reported
  double nms_iou = 0.45;
  bool nms_per_class = true;
  int results_max = 100;
  SsdAnchors anchors;
};

struct Recipe {
  std::string kind = "image";  // "image"; "tensor": inputs are given as arrays
  ImageRecipe image;
  DecoderRecipe decoder;
  std::vector<std::string> labels;  // class index -> name; may be empty
};

Json recipe_to_json(const Recipe& recipe);
// kInvalid names the key that is wrong, missing or unknown. Accepts exactly what recipe_to_json writes, with defaults
// for absent members; `labels` may be absent (the bundle and oree.toml may carry a labels file instead).
Result<Recipe> recipe_from_json(const Json& json);
Result<std::vector<std::string>> parse_labels(std::string_view text);  // a label a line, trailing newline optional

}  // namespace oree
