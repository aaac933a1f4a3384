// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/recipe.h"

#include <doctest/doctest.h>

namespace oree {
namespace {

Recipe ssd_recipe() {
  Recipe r;
  r.image.width = 300;
  r.image.height = 200;
  r.image.mean = {127.5, 127.5, 127.5};
  r.image.std = {127.5, 127.5, 127.5};
  r.image.layout = "nhwc";
  r.decoder.kind = "ssd";
  r.decoder.activation = "sigmoid";
  r.decoder.background_class = 0;
  r.decoder.anchors.feature_maps = {19, 10, 5, 3, 2, 1};
  r.labels = {"???", "Person", "Café"};
  return r;
}

std::string error_of(const std::string& text) {
  auto json = Json::parse(text);
  REQUIRE(json.ok());
  auto recipe = recipe_from_json(*json);
  REQUIRE_FALSE(recipe.ok());
  CHECK(recipe.error().code() == Code::kInvalid);
  return recipe.error().message();
}

}  // namespace

TEST_CASE("a recipe survives the way through JSON text") {
  Json json = recipe_to_json(ssd_recipe());
  auto parsed = Json::parse(json.dump());
  REQUIRE(parsed.ok());
  auto again = recipe_from_json(*parsed);
  REQUIRE_MESSAGE(again.ok(), again.error().message());
  CHECK(recipe_to_json(*again) == json);
  CHECK(again->labels[2] == "Café");
  CHECK(again->decoder.anchors.feature_maps.size() == 6);
}

TEST_CASE("absent members take their defaults") {
  auto json = Json::parse(R"({"image":{"width":8,"height":4},"decoder":{"kind":"classifier"}})");
  auto recipe = recipe_from_json(*json);
  REQUIRE(recipe.ok());
  CHECK(recipe->image.layout == "nchw");
  CHECK(recipe->image.std[2] == 1.0);
  CHECK(recipe->decoder.score_min == 0.25);
  CHECK(recipe->labels.empty());
}

TEST_CASE("what is wrong is named by its key") {
  auto has = [](const std::string& text, const char* part) {
    std::string message = error_of(text);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  const std::string image = R"("image":{"width":8,"height":4})";
  has("[]", "must be an object");
  has("{}", "image is missing");
  has("{" + image + "}", "decoder is missing");
  has("{" + image + R"(,"decoder":{}})", "decoder.kind is missing");
  has("{" + image + R"(,"decoder":{"kind":"yolo"}})", "decoder.kind must be one of");
  has("{" + image + R"(,"decoder":{"kind":"ssd"}})", "feature_maps is missing");
  has("{" + image + R"(,"decoder":{"kind":"tensor"},"extra":1})", "extra is not a known key");
  has("{" + image + R"(,"decoder":{"kind":"tensor","scor_min":1}})", "decoder.scor_min is not a known key");
  has("{" + image + R"(,"decoder":{"kind":"tensor","score_min":1.5}})", "decoder.score_min must be within");
  has("{" + image + R"(,"decoder":{"kind":"tensor","results_max":0}})", "decoder.results_max");
  has("{" + image + R"(,"decoder":{"kind":"tensor","results_max":1.5}})", "whole number");
  has(R"({"image":{"width":8},"decoder":{"kind":"tensor"}})", "image.height is missing");
  has(R"({"image":{"width":1000000000,"height":4},"decoder":{"kind":"tensor"}})", "image.width must be within");
  has(R"({"image":{"width":8,"height":4,"std":[1,0,1]},"decoder":{"kind":"tensor"}})", "image.std must not hold 0");
  has(R"({"image":{"width":8,"height":4,"mean":[1,2]},"decoder":{"kind":"tensor"}})", "array of 3 numbers");
  has(R"({"image":{"width":8,"height":4,"dtype":"uint8","zero_point":-3},"decoder":{"kind":"tensor"}})", "zero_point");
  has("{" + image + R"(,"decoder":{"kind":"ssd","anchors":{"feature_maps":[1024,1024]}}})", "more than");
  has("{" + image + R"(,"decoder":{"kind":"ssd","activation":"softmax","anchors":{"feature_maps":[2]}}})",
      "none or sigmoid");
  has("{" + image + R"(,"decoder":{"kind":"tensor"},"labels":["a",3]})", "label 1 must be a text");
  has("{" + image + R"(,"decoder":{"kind":"tensor"},"labels":["a\nb"]})", "control character");
  has(R"({"kind":"tensor","decoder":{"kind":"yolov8"}})", "kind must be image");
  has(R"({"kind":"tensor","image":{},"decoder":{"kind":"tensor"}})", "must be absent");
}

TEST_CASE("labels are a line each, the last newline and carriage returns aside") {
  CHECK(*parse_labels("a\nb c\n") == std::vector<std::string>{"a", "b c"});
  CHECK(*parse_labels("a\r\nb") == std::vector<std::string>{"a", "b"});
  CHECK(*parse_labels("a\n\n") == std::vector<std::string>{"a", ""});
  CHECK_FALSE(parse_labels("").ok());
  CHECK_FALSE(parse_labels(std::string("a\0b", 3)).ok());
}

}  // namespace oree
