// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

std::string list_outputs(const std::vector<OutputInfo>& outputs) {
  std::string text;
  for (const OutputInfo& o : outputs)
    text += fmt::format("{}{} [{}]", text.empty() ? "" : ", ", o.name, shape_text(o.shape));
  return text.empty() ? "none" : text;
}

class NoDecoder : public Decoder {
 public:
  Result<std::vector<Detection>> detections(const std::vector<const Tensor*>&, const Placement&) override {
    return refusal();
  }
  Result<std::vector<Classification>> classifications(const std::vector<const Tensor*>&) override { return refusal(); }

 private:
  static Error refusal() {
    return Error(Code::kUnsupported, "recipe: decoder.kind is tensor, its outputs have no meaning to decode");
  }
};

}  // namespace

Result<size_t> find_output(const std::vector<OutputInfo>& outputs, const std::string& name, const char* key) {
  if (name.empty()) {
    if (outputs.size() == 1) return size_t{0};
    return Error(Code::kInvalid,
                 fmt::format("recipe: {} must name one of the model's outputs: {}", key, list_outputs(outputs)));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name == name) return i;
  }
  return Error(Code::kInvalid,
               fmt::format("recipe: {} names '{}'; the model's outputs are {}", key, name, list_outputs(outputs)));
}

Result<const Tensor*> output_at(const std::vector<const Tensor*>& outputs, size_t index) {
  if (index >= outputs.size() || outputs[index] == nullptr) {
    return Error(Code::kInvalid, fmt::format("decoder: output {} expected, {} outputs found", index, outputs.size()));
  }
  return outputs[index];
}

Result<std::span<const float>> float_values(const Tensor& tensor, std::vector<float>& storage) {
  switch (tensor.dtype()) {
    case Dtype::kFloat32: return tensor.as<float>();
    case Dtype::kFloat16:
    case Dtype::kFloat64: {
      std::vector<double> values = tensor.to_doubles();
      storage.resize(values.size());
      std::transform(values.begin(), values.end(), storage.begin(), [](double v) { return static_cast<float>(v); });
      return std::span<const float>(storage);
    }
    default:
      return Error(Code::kUnsupported,
                   fmt::format("decoder: outputs of type {} cannot be decoded, only floating-point ones",
                               dtype_name(tensor.dtype())));
  }
}

Shape squeezed(const Shape& shape, size_t keep) {
  Shape out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1 || i + keep >= shape.size()) out.push_back(shape[i]);
  }
  return out;
}

bool place_box(double x0, double y0, double x1, double y1, const Placement& p, Box& out) {
  if (!std::isfinite(x0) || !std::isfinite(y0) || !std::isfinite(x1) || !std::isfinite(y1)) return false;
  auto x = [&](double v) { return std::clamp((v - p.offset_x) / p.scale_x, 0.0, static_cast<double>(p.image_width)); };
  auto y = [&](double v) { return std::clamp((v - p.offset_y) / p.scale_y, 0.0, static_cast<double>(p.image_height)); };
  out = Box{x(x0), y(y0), x(x1), y(y1)};
  return out.x1 > out.x0 && out.y1 > out.y0;
}

Result<std::unique_ptr<Decoder>> make_decoder(const Recipe& recipe, const std::vector<OutputInfo>& outputs) {
  const std::string& kind = recipe.decoder.kind;
  if (kind == "classifier") return make_classifier_decoder(recipe, outputs);
  if (kind == "ssd") return make_ssd_decoder(recipe, outputs);
  if (kind == "yolov8") return make_yolov8_decoder(recipe, outputs);
  if (kind == "tensor") return std::unique_ptr<Decoder>(std::make_unique<NoDecoder>());
  return Error(Code::kInvalid, fmt::format("recipe: decoder.kind '{}' is not known", kind));
}

}  // namespace oree
