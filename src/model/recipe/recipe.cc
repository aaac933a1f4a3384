// SPDX-License-Identifier: Apache-2.0
#include "model/recipe/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "core/base/limits.h"
#include "core/base/text.h"

namespace oree {
namespace {

constexpr int kSideMax = 16384;
constexpr int kLabelsMax = 65536;
constexpr size_t kLabelBytesMax = 256;
constexpr int64_t kAnchorsMax = 1 << 20;

template <typename Range>
Json array_json(const Range& values) {
  Json out = Json::array();
  for (const auto& v : values) out.push(Json(v));
  return out;
}

Json image_to_json(const ImageRecipe& r) {
  Json out = Json::object();
  out.set("width", r.width).set("height", r.height).set("resize", r.resize).set("interpolation", r.interpolation);
  out.set("color", r.color).set("scale", r.scale).set("mean", array_json(r.mean)).set("std", array_json(r.std));
  out.set("layout", r.layout).set("dtype", r.dtype).set("quant_scale", r.quant_scale).set("zero_point", r.zero_point);
  return out;
}

Json anchors_to_json(const SsdAnchors& a) {
  Json out = Json::object();
  out.set("feature_maps", array_json(a.feature_maps)).set("scale_min", a.scale_min).set("scale_max", a.scale_max);
  out.set("ratios", array_json(a.ratios)).set("reduce_first_layer", a.reduce_first_layer);
  out.set("interpolated_ratio", a.interpolated_ratio).set("box_factors", array_json(a.box_factors));
  return out;
}

Json decoder_to_json(const DecoderRecipe& d) {
  Json out = Json::object();
  out.set("kind", d.kind).set("boxes_output", d.boxes_output).set("scores_output", d.scores_output);
  out.set("output", d.output).set("activation", d.activation).set("background_class", d.background_class);
  out.set("score_min", d.score_min).set("nms_iou", d.nms_iou).set("nms_per_class", d.nms_per_class);
  out.set("results_max", d.results_max);
  if (d.kind == "ssd") out.set("anchors", anchors_to_json(d.anchors));
  return out;
}

// Reads the members of one object; remembers the first error, so that the callers below stay a list of members.
class Reader {
 public:
  Reader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json_.is_object()) fail(path_.empty() ? "the recipe" : path_, "must be an object");
  }

  void text(const char* key, std::string& out, std::initializer_list<const char*> allowed = {}) {
    const Json* v = take(key);
    if (v == nullptr) return;
    if (!v->is_string()) return fail(name(key), "must be a text");
    if (v->as_string().size() > kLabelBytesMax) return fail(name(key), "is too long");
    out = v->as_string();
    if (allowed.size() == 0) return;
    std::string all;
    for (const char* a : allowed) {
      if (out == a) return;
      all += (all.empty() ? "" : ", ") + std::string(a);
    }
    fail(name(key), fmt::format("must be one of {}; found '{}'", all, out));
  }
  void number(const char* key, double& out, double min, double max) {
    const Json* v = take(key);
    if (v == nullptr) return;
    check_number(name(key), *v, min, max, out);
  }
  void integer(const char* key, int& out, int min, int max) {
    const Json* v = take(key);
    if (v == nullptr) return;
    double number = 0;
    if (!check_number(name(key), *v, min, max, number)) return;
    if (number != std::floor(number)) return fail(name(key), fmt::format("must be a whole number; found {}", number));
    out = static_cast<int>(number);
  }
  void boolean(const char* key, bool& out) {
    const Json* v = take(key);
    if (v == nullptr) return;
    if (!v->is_bool()) return fail(name(key), "must be true or false");
    out = v->as_bool();
  }
  // Exactly `size` numbers when the container is an array, 1..count_max otherwise.
  template <size_t N>
  void numbers(const char* key, std::array<double, N>& out, double min, double max) {
    const Json* v = take(key);
    if (v == nullptr) return;
    if (!v->is_array() || v->items().size() != N)
      return fail(name(key), fmt::format("must be an array of {} numbers", N));
    for (size_t i = 0; i < N; ++i) check_number(fmt::format("{}[{}]", name(key), i), v->items()[i], min, max, out[i]);
  }
  void numbers(const char* key, std::vector<double>& out, size_t count_max, double min, double max) {
    const Json* v = take(key);
    if (v == nullptr) return;
    if (!v->is_array() || v->items().empty() || v->items().size() > count_max) {
      return fail(name(key), fmt::format("must be an array of 1 to {} numbers", count_max));
    }
    out.assign(v->items().size(), 0);
    for (size_t i = 0; i < out.size(); ++i)
      check_number(fmt::format("{}[{}]", name(key), i), v->items()[i], min, max, out[i]);
  }
  const Json* take(const char* key) {
    known_.push_back(key);
    return json_.find(key);
  }
  std::string name(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  void fail(const std::string& what, const std::string& why) {
    if (status_.ok()) status_ = Error(Code::kInvalid, fmt::format("recipe: {} {}", what, why));
  }
  bool ok() const { return status_.ok(); }
  Status finish() {
    for (const auto& [key, value] : json_.members()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) fail(name(key.c_str()), "is not a known key");
    }
    return status_;
  }

 private:
  bool check_number(const std::string& what, const Json& v, double min, double max, double& out) {
    if (!v.is_number()) {
      fail(what, "must be a number");
      return false;
    }
    double number = v.as_double();
    if (!(number >= min && number <= max)) {  // also refuses NaN
      fail(what, fmt::format("must be within {} and {}; found {}", min, max, number));
      return false;
    }
    out = number;
    return true;
  }

  const Json& json_;
  std::string path_;
  std::vector<std::string> known_;
  Status status_;
};

Status read_image(const Json& json, ImageRecipe& r) {
  Reader in(json, "image");
  in.integer("width", r.width, 1, kSideMax);
  in.integer("height", r.height, 1, kSideMax);
  in.text("resize", r.resize, {"stretch", "letterbox", "crop"});
  in.text("interpolation", r.interpolation, {"bilinear", "area", "nearest"});
  in.text("color", r.color, {"rgb", "bgr", "gray"});
  in.number("scale", r.scale, -1e6, 1e6);
  in.numbers("mean", r.mean, -1e6, 1e6);
  in.numbers("std", r.std, -1e6, 1e6);
  in.text("layout", r.layout, {"nchw", "nhwc"});
  in.text("dtype", r.dtype, {"float32", "uint8", "int8"});
  in.number("quant_scale", r.quant_scale, 1e-12, 1e6);
  in.integer("zero_point", r.zero_point, -128, 255);
  if (in.ok() && r.width == 0) in.fail("image.width", "is missing");
  if (in.ok() && r.height == 0) in.fail("image.height", "is missing");
  for (double s : r.std) {
    if (std::abs(s) < 1e-12) in.fail("image.std", "must not hold 0");
  }
  if (r.dtype == "int8" && r.zero_point > 127) in.fail("image.zero_point", "must be within -128 and 127 for int8");
  if (r.dtype == "uint8" && r.zero_point < 0) in.fail("image.zero_point", "must be within 0 and 255 for uint8");
  return in.finish();
}

Status read_anchors(const Json& json, SsdAnchors& a) {
  Reader in(json, "decoder.anchors");
  std::vector<double> sides;
  in.numbers("feature_maps", sides, 16, 1, 1024);
  for (double s : sides) {
    if (s != std::floor(s)) in.fail("decoder.anchors.feature_maps", "must hold whole numbers");
    a.feature_maps.push_back(static_cast<int>(s));
  }
  in.number("scale_min", a.scale_min, 1e-6, 10);
  in.number("scale_max", a.scale_max, 1e-6, 10);
  in.numbers("ratios", a.ratios, 16, 1e-3, 1e3);
  in.boolean("reduce_first_layer", a.reduce_first_layer);
  in.number("interpolated_ratio", a.interpolated_ratio, 0, 1e3);
  in.numbers("box_factors", a.box_factors, 1e-6, 1e6);
  int64_t anchors = 0;
  for (int side : a.feature_maps) anchors += int64_t{side} * side * static_cast<int64_t>(a.ratios.size() + 1);
  if (anchors > kAnchorsMax) in.fail("decoder.anchors", fmt::format("asks for more than {} anchors", kAnchorsMax));
  return in.finish();
}

Status read_decoder(const Json& json, DecoderRecipe& d) {
  Reader in(json, "decoder");
  in.text("kind", d.kind, {"classifier", "ssd", "yolov8", "tensor"});
  in.text("boxes_output", d.boxes_output);
  in.text("scores_output", d.scores_output);
  in.text("output", d.output);
  in.text("activation", d.activation, {"none", "softmax", "sigmoid"});
  in.integer("background_class", d.background_class, -1, kLabelsMax);
  in.number("score_min", d.score_min, 0, 1);
  in.number("nms_iou", d.nms_iou, 0, 1);
  in.boolean("nms_per_class", d.nms_per_class);
  in.integer("results_max", d.results_max, 1, 10000);
  const Json* anchors = in.take("anchors");
  if (in.ok() && d.kind.empty()) in.fail("decoder.kind", "is missing");
  if (in.ok() && d.kind == "ssd" && d.activation == "softmax") {
    in.fail("decoder.activation", "must be none or sigmoid for ssd");
  }
  if (in.ok() && d.kind == "classifier" && d.activation == "sigmoid") {
    in.fail("decoder.activation", "must be none or softmax for a classifier");
  }
  if (anchors != nullptr) OREE_TRY(read_anchors(*anchors, d.anchors));
  if (in.ok() && d.kind == "ssd" && d.anchors.feature_maps.empty()) {
    in.fail("decoder.anchors.feature_maps", "is missing: ssd needs the side lengths of the feature maps");
  }
  return in.finish();
}

Error bad_label(size_t index, const std::string& why) {
  return Error(Code::kInvalid, fmt::format("labels: label {} {}", index, why));
}

Status check_label(size_t index, std::string_view label) {
  if (label.size() > kLabelBytesMax) return bad_label(index, fmt::format("is longer than {} bytes", kLabelBytesMax));
  for (char c : label) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return bad_label(index, "holds a control character");
  }
  return {};
}

}  // namespace

Json recipe_to_json(const Recipe& recipe) {
  Json out = Json::object();
  out.set("kind", recipe.kind);
  if (recipe.kind == "image") out.set("image", image_to_json(recipe.image));
  out.set("decoder", decoder_to_json(recipe.decoder));
  if (!recipe.labels.empty()) out.set("labels", array_json(recipe.labels));
  return out;
}

Result<Recipe> recipe_from_json(const Json& json) {
  Recipe recipe;
  Reader in(json, "");
  in.text("kind", recipe.kind, {"image", "tensor"});
  const Json* image = in.take("image");
  const Json* decoder = in.take("decoder");
  const Json* labels = in.take("labels");
  OREE_TRY(in.finish());
  if (recipe.kind == "image") {
    if (image == nullptr) return Error(Code::kInvalid, "recipe: image is missing");
    OREE_TRY(read_image(*image, recipe.image));
  } else if (image != nullptr) {
    return Error(Code::kInvalid, "recipe: image must be absent when kind is tensor");
  }
  if (decoder == nullptr) return Error(Code::kInvalid, "recipe: decoder is missing");
  OREE_TRY(read_decoder(*decoder, recipe.decoder));
  if (recipe.kind == "tensor" && (recipe.decoder.kind == "ssd" || recipe.decoder.kind == "yolov8")) {
    return Error(Code::kInvalid, fmt::format("recipe: decoder.kind {} finds boxes in a picture: kind must be image",
                                             recipe.decoder.kind));
  }
  if (labels != nullptr) {
    if (!labels->is_array() || labels->items().size() > kLabelsMax) {
      return Error(Code::kInvalid, fmt::format("recipe: labels must be an array of at most {} texts", kLabelsMax));
    }
    for (const Json& label : labels->items()) {
      if (!label.is_string()) return bad_label(recipe.labels.size(), "must be a text");
      OREE_TRY(check_label(recipe.labels.size(), label.as_string()));
      recipe.labels.push_back(label.as_string());
    }
  }
  return recipe;
}

Result<std::vector<std::string>> parse_labels(std::string_view text) {
  if (text.empty()) return Error(Code::kInvalid, "labels: the file is empty");
  if (text.back() == '\n') text.remove_suffix(1);
  std::vector<std::string> labels;
  while (true) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    OREE_TRY(check_label(labels.size(), line));
    labels.emplace_back(line);
    if (labels.size() > kLabelsMax) return Error(Code::kInvalid, fmt::format("labels: more than {} lines", kLabelsMax));
    if (end == std::string_view::npos) return labels;
    text.remove_prefix(end + 1);
  }
}

}  // namespace oree
