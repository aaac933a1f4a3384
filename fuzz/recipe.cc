// SPDX-License-Identifier: Apache-2.0
// Recipes: a text that is taken must be written and read again unchanged, and its decoder must stand any outputs.
#include <cstdlib>

#include "model/recipe/detect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace oree;
  auto json = Json::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json.ok()) return 0;
  auto recipe = recipe_from_json(*json);
  if (!recipe.ok()) return 0;
  Json written = recipe_to_json(*recipe);
  auto again = recipe_from_json(written);
  if (!again.ok() || !(recipe_to_json(*again) == written)) std::abort();

  Tensor boxes(Dtype::kFloat32, {1, 8, 4}), scores(Dtype::kFloat32, {1, 8, 6});
  for (size_t i = 0; i < 32; ++i) boxes.as<float>()[i] = size > 0 ? static_cast<float>(data[i % size]) - 100 : 0;
  for (size_t i = 0; i < 48; ++i)
    scores.as<float>()[i] = size > 0 ? static_cast<float>(data[(i * 7) % size]) / 25 - 5 : 0;
  auto decoder =
      make_decoder(*recipe, {{recipe->decoder.boxes_output, {1, -1, 4}}, {recipe->decoder.scores_output, {1, -1, -1}}});
  if (!decoder.ok()) return 0;
  auto found = (*decoder)->detections({&boxes, &scores}, Placement{1, 1, 0, 0, 64, 64});
  if (found.ok() && found->size() > static_cast<size_t>(recipe->decoder.results_max)) std::abort();
  auto classes = (*decoder)->classifications({&boxes, &scores});
  if (classes.ok() && classes->size() > static_cast<size_t>(recipe->decoder.results_max)) std::abort();
  return 0;
}
