// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/codec/json.h"
#include "model/eval/dataset.h"

namespace oree {
namespace {

using Classes = std::map<int64_t, int>;  // category id -> class index; -1: not among the model's labels

Result<Classes> read_classes(const Json& categories, const std::vector<std::string>& labels, CocoCategories& out) {
  Classes classes;
  for (const Json& category : categories.items()) {
    OREE_TRY_ASSIGN(int64_t id, category.get_int("id", 0, INT32_MAX));
    classes[id] = -1;
    if (labels.empty()) continue;
    OREE_TRY_ASSIGN(std::string name, category.get_string("name"));
    auto at = std::find(labels.begin(), labels.end(), name);
    if (at != labels.end()) {
      classes[id] = static_cast<int>(at - labels.begin());
    } else {
      out.unknown.push_back(name);
    }
  }
  int rank = 0;
  for (auto& [id, label] : classes) {
    if (labels.empty()) label = rank++;
    if (label >= 0) out.ids.emplace(label, id);
  }
  if (out.ids.empty()) return Error(Code::kInvalid, "categories: none is among the recipe's labels");
  return classes;
}

Result<TruthBox> read_box(const Json& annotation, int label) {
  OREE_TRY_ASSIGN(const Json* box, annotation.get_array("bbox"));
  std::array<double, 4> b{};
  bool numbers = box->items().size() == b.size();
  for (size_t i = 0; numbers && i < b.size(); ++i) {
    numbers = box->items()[i].is_number();
    b[i] = box->items()[i].as_double();
  }
  if (!numbers) return Error(Code::kInvalid, "bbox: expected [x, y, width, height]");
  return TruthBox{{b[0], b[1], b[0] + b[2], b[1] + b[3]}, label, annotation["iscrowd"].as_int() != 0};
}

}  // namespace

Result<CocoAnnotations> parse_coco(std::string_view text, const std::vector<std::string>& labels) {
  OREE_TRY_ASSIGN(Json json, Json::parse(text));
  OREE_TRY_ASSIGN(const Json* categories, json.get_array("categories"));
  OREE_TRY_ASSIGN(const Json* images, json.get_array("images"));
  OREE_TRY_ASSIGN(const Json* annotations, json.get_array("annotations"));
  CocoAnnotations result;
  OREE_TRY_ASSIGN(Classes classes, read_classes(*categories, labels, result.categories));
  if (images->items().size() > kDatasetSamplesMax) {
    return Error(Code::kExhausted, fmt::format("{} images, more than {}", images->items().size(), kDatasetSamplesMax));
  }
  std::map<int64_t, CocoImage> by_id;
  for (const Json& image : images->items()) {
    OREE_TRY_ASSIGN(int64_t id, image.get_int("id", INT64_MIN, INT64_MAX));
    CocoImage entry;
    entry.id = id;
    OREE_TRY_ASSIGN(entry.file_name, image.get_string("file_name"));
    if (entry.file_name.starts_with('/') || ("/" + entry.file_name + "/").find("/../") != std::string::npos) {
      return Error(Code::kInvalid, fmt::format("file_name '{}': leads out of the folder", entry.file_name));
    }
    if (!by_id.emplace(id, std::move(entry)).second)
      return Error(Code::kInvalid, fmt::format("image id {} is repeated", id));
  }
  for (const Json& annotation : annotations->items()) {
    OREE_TRY_ASSIGN(int64_t image_id, annotation.get_int("image_id", INT64_MIN, INT64_MAX));
    OREE_TRY_ASSIGN(int64_t category, annotation.get_int("category_id", INT64_MIN, INT64_MAX));
    auto image = by_id.find(image_id);
    if (image == by_id.end())
      return Error(Code::kInvalid, fmt::format("annotation of image {}, which is not listed", image_id));
    auto label = classes.find(category);
    if (label == classes.end())
      return Error(Code::kInvalid, fmt::format("annotation of category {}, which is not listed", category));
    if (label->second < 0) continue;
    OREE_TRY_ASSIGN(TruthBox truth, read_box(annotation, label->second));
    image->second.truths.push_back(truth);
  }
  for (auto& [id, image] : by_id) result.images.push_back(std::move(image));
  return result;
}

std::string coco_results(int64_t image_id, std::span<const Detection> detections, const CocoCategories& categories) {
  std::string text;
  for (const Detection& detection : detections) {
    auto category = categories.ids.find(detection.label);
    if (category == categories.ids.end()) continue;
    const Box& b = detection.box;
    Json box = Json::array();
    for (double v : {b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0}) box.push(v);
    Json result = Json::object();
    result.set("image_id", image_id)
        .set("category_id", category->second)
        .set("bbox", box)
        .set("score", detection.score);
    text += (text.empty() ? "" : ",") + result.dump();
  }
  return text;
}

}  // namespace oree
