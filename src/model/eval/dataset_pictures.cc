// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/eval/dataset_parts.h"

namespace oree {

Result<TensorInfo> image_input(const Recipe& recipe, const std::vector<TensorInfo>& inputs) {
  if (inputs.size() != 1) {
    return Error(Code::kInvalid, fmt::format("images: the model takes {} inputs, a recipe fills one", inputs.size()));
  }
  const ImageRecipe& image = recipe.image;
  int64_t channels = image.color == "gray" ? 1 : 3;
  TensorInfo info = inputs[0];
  OREE_TRY_ASSIGN(info.dtype, dtype_from_name(image.dtype));
  info.shape = image.layout == "nhwc" ? Shape{1, image.height, image.width, channels}
                                      : Shape{1, channels, image.height, image.width};
  bool quantized = info.reals && info.dtype == Dtype::kFloat32;  // by the session
  bool fits = inputs[0].shape.size() == 4 && (inputs[0].dtype == info.dtype || quantized);
  for (size_t i = 0; fits && i < 4; ++i) fits = inputs[0].shape[i] < 0 || inputs[0].shape[i] == info.shape[i];
  if (fits) return info;
  return Error(Code::kInvalid, fmt::format("the recipe makes {} {}, the model's input '{}' is {} {}",
                                           dtype_name(info.dtype), shape_text(info.shape), info.name,
                                           dtype_name(inputs[0].dtype), shape_text(inputs[0].shape)));
}

template <typename View>
static Result<Sample> sample_of(const std::string& name, const View& image, const Recipe& recipe,
                                const TensorInfo& input) {
  Sample sample;
  sample.name = name;
  Tensor tensor(input.dtype, input.shape);
  auto placement = preprocess(recipe.image, image, tensor);
  if (!placement.ok()) return placement.error().within(name);
  sample.placement = *placement;
  Status finite = check_finite(tensor, input.name);
  if (!finite.ok()) return finite.error().within(name);
  sample.inputs.push_back({input.name, std::move(tensor)});
  return sample;
}

Result<Sample> image_sample(const std::string& name, const ImageView& image, const Recipe& recipe,
                            const TensorInfo& input) {
  return sample_of(name, image, recipe, input);
}

Result<Sample> image_sample(const std::string& name, const YuvView& frame, const Recipe& recipe,
                            const TensorInfo& input) {
  return sample_of(name, frame, recipe, input);
}

namespace {

// One array of bytes that holds every picture, read one at a time.
class PictureArray : public Dataset {
 public:
  PictureArray(std::string path, std::unique_ptr<ArrayFile> file, size_t array, std::vector<int> labels, Recipe recipe,
               TensorInfo input)
      : path_(std::move(path)),
        file_(std::move(file)),
        array_(array),
        labels_(std::move(labels)),
        recipe_(std::move(recipe)),
        input_(std::move(input)) {}
  size_t size() const override { return static_cast<size_t>(file_->arrays()[array_].shape[0]); }
  bool has_labels() const override { return !labels_.empty(); }
  bool has_boxes() const override { return false; }

  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < size());
    std::string name = fmt::format("{}[{}]", path_, index);
    auto picture = file_->read_rows(array_, static_cast<int64_t>(index), 1);
    if (!picture.ok()) return picture.error().within(name);
    const Shape& shape = picture->shape();
    int64_t channels = shape.size() == 4 ? shape[3] : 1;
    ImageView view{picture->data(), static_cast<int>(shape[2]), static_cast<int>(shape[1]), shape[2] * channels,
                   channels == 1 ? Image::Order::kGray : Image::Order::kRgb};
    OREE_TRY_ASSIGN(Sample sample, image_sample(name, view, recipe_, input_));
    if (!labels_.empty()) sample.label = labels_[index];
    return sample;
  }

 private:
  std::string path_;
  std::unique_ptr<ArrayFile> file_;
  size_t array_;
  std::vector<int> labels_;
  Recipe recipe_;
  TensorInfo input_;
};

}  // namespace

bool holds_pictures(const ArrayFile::Array& array) {
  const Shape& shape = array.shape;
  bool axes = shape.size() == 3 || (shape.size() == 4 && (shape[3] == 1 || shape[3] == 3));
  return array.dtype == Dtype::kUint8 && axes && shape[0] > 0 && shape[1] > 0 && shape[2] > 0 &&
         shape[1] <= INT32_MAX && shape[2] <= INT32_MAX;
}

Result<std::unique_ptr<Dataset>> picture_array(const std::string& path, std::unique_ptr<ArrayFile> file, size_t array,
                                               std::vector<int> labels, const Recipe& recipe,
                                               const std::vector<TensorInfo>& inputs) {
  OREE_TRY_ASSIGN(TensorInfo input, image_input(recipe, inputs));
  return std::unique_ptr<Dataset>(
      std::make_unique<PictureArray>(path, std::move(file), array, std::move(labels), recipe, std::move(input)));
}

}  // namespace oree
