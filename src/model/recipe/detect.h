// SPDX-License-Identifier: Apache-2.0
// Preprocessing and decoding by a recipe. The pieces an application, the evaluation and calibration share.
#pragma once

#include <memory>
#include <vector>

#include "core/base/tensor.h"
#include "model/recipe/image.h"
#include "model/recipe/recipe.h"

namespace oree {

struct Box {  // pixels of the picture that was given, x right, y down; x0 <= x1, y0 <= y1, inside the picture
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};
double iou(const Box& a, const Box& b);  // 0 when either has no area

struct Detection {
  Box box;
  int label = -1;    // class index
  double score = 0;  // 0..1
};
struct Classification {
  int label = -1;
  double score = 0;
};

// Where a model's input pixel lies in the picture: picture = (input - offset) / scale, per axis.
struct Placement {
  double scale_x = 1, scale_y = 1, offset_x = 0, offset_y = 0;
  int image_width = 0, image_height = 0;
};

// Fills `input` (whose dtype and shape must be the recipe's with batch 1; kInvalid otherwise) from the picture.
Result<Placement> preprocess(const ImageRecipe& recipe, const ImageView& image, Tensor& input);
// The same from a video frame: the planes are resized first, then only the small picture is converted. Differs from
// converting first by the interpolation of colour at edges; flat areas are equal within 1 of 255.
Result<Placement> preprocess(const ImageRecipe& recipe, const YuvView& frame, Tensor& input);
// The input that the recipe asks for: dtype, and 1xHxWxC or 1xCxHxW.
Tensor make_input(const ImageRecipe& recipe);

// Turns outputs into results. Made once per model: checks the outputs' names and shapes against the recipe (kInvalid
// says what was expected and found) and precomputes anchors.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Sorted by falling score. kUnsupported when the recipe's kind is not of that sort.
  virtual Result<std::vector<Detection>> detections(const std::vector<const Tensor*>& outputs,
                                                    const Placement& placement) = 0;
  virtual Result<std::vector<Classification>> classifications(const std::vector<const Tensor*>& outputs) = 0;
};
struct OutputInfo {  // as the session tells it
  std::string name;
  Shape shape;
};
Result<std::unique_ptr<Decoder>> make_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs);

// Greedy non-maximum suppression by falling score (ties: lower label, then lower index first).
std::vector<Detection> non_maximum_suppression(std::vector<Detection> candidates, double iou_max, bool per_class,
                                               int results_max);

}  // namespace oree
