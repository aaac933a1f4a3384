// SPDX-License-Identifier: Apache-2.0
// What the decoders share. Inner header of model/recipe: included only by its .cc files.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/recipe/detect.h"

namespace oree {

// One per DecoderRecipe::kind; make_decoder chooses.
Result<std::unique_ptr<Decoder>> make_classifier_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs);
Result<std::unique_ptr<Decoder>> make_ssd_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs);
Result<std::unique_ptr<Decoder>> make_yolov8_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs);

// Index of the named output; the only one when the name is empty. kInvalid lists what there is.
Result<size_t> find_output(const std::vector<OutputInfo>& outputs, const std::string& name, const char* key);
// The tensor at index; kInvalid when there are fewer outputs.
Result<const Tensor*> output_at(const std::vector<const Tensor*>& outputs, size_t index);
// Its elements: in place when float32, else converted into `storage`. kUnsupported for integers: they would need the
// output's quantization parameters, which a recipe does not hold.
Result<std::span<const float>> float_values(const Tensor& tensor, std::vector<float>& storage);
// A shape without its dimensions of 1, but for the last `keep` ones.
Shape squeezed(const Shape& shape, size_t keep);

// From model-input pixels to the picture, cut to it. False when nothing of the box is inside, or it is not finite.
bool place_box(double x0, double y0, double x1, double y1, const Placement& placement, Box& out);

struct Anchor {  // relative to the input's side, 0..1
  double y = 0, x = 0, h = 0, w = 0;
};
// By feature map, then row, column, and anchor of the cell: the order of the model's outputs.
std::vector<Anchor> make_ssd_anchors(const SsdAnchors& spec);

}  // namespace oree
