// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "model/recipe/decoder_parts.h"

namespace oree {
namespace {

Tensor floats(Shape shape, const std::vector<float>& values) {
  Tensor t(Dtype::kFloat32, std::move(shape));
  REQUIRE(t.as<float>().size() == values.size());
  std::copy(values.begin(), values.end(), t.as<float>().begin());
  return t;
}

Recipe detector_recipe() {
  Recipe r;
  r.image.width = r.image.height = 300;
  r.decoder.kind = "ssd";
  r.decoder.activation = "sigmoid";
  r.decoder.background_class = 0;
  r.decoder.score_min = 0.4;
  r.decoder.anchors.feature_maps = {19, 10, 5, 3, 2, 1};
  return r;
}
Placement stretched(int width, int height) { return {300.0 / width, 300.0 / height, 0, 0, width, height}; }

// What the SSD MobileNetV2 of the examples gives for frame 100 of the pedestrian video (LiteRT, one thread), where any
// class passes 0.4; expected boxes by a NumPy version of the box code, kept by OpenCV's dnn.NMSBoxes.
struct Row {
  size_t anchor, label;
  std::array<float, 4> code;
  float logit;
};
const Row kRows[] = {
    {129,
     4,
     {0.556999921798706f, 1.2655391693115234f, -2.5339431762695312f, -7.632875442504883f},
     -0.2726300060749054f},
    {165,
     23,
     {-0.3913382887840271f, -2.0108349323272705f, -0.47121313214302063f, -0.5703554153442383f},
     -0.29006046056747437f},
    {168,
     23,
     {-0.5406399965286255f, 0.242539182305336f, -1.098747968673706f, -2.713197708129883f},
     -0.19825634360313416f},
    {321,
     4,
     {1.931966781616211f, 0.15197566151618958f, 0.21695569157600403f, -5.053141117095947f},
     -0.33975154161453247f},
    {378,
     4,
     {-1.2952238321304321f, 0.25461670756340027f, 0.8236808180809021f, -5.379595756530762f},
     0.214008629322052f},
    {384, 4, {-0.345264732837677f, 1.9244709014892578f, 2.080080986022949f, -4.077938079833984f}, 0.11965328454971313f},
    {423,
     4,
     {1.230636477470398f, 2.0299525260925293f, 1.8933991193771362f, -3.7063355445861816f},
     -0.10961965471506119f},
    {426,
     4,
     {-0.3207106292247772f, 0.47434094548225403f, 1.8517274856567383f, -4.47702169418335f},
     0.06540442258119583f},
    {429,
     4,
     {-1.0327105522155762f, 1.6428277492523193f, 1.350788950920105f, -5.019115447998047f},
     -0.15337955951690674f},
};
const Detection kExpected[] = {
    {{494.12482106, 155.63458091, 520.31240725, 223.5497037}, 4, 0.5532988897056634},
    {{583.89783495, 151.40568647, 617.87256533, 238.72212679}, 4, 0.5298776833021082},
    {{371.95874974, 183.8119631, 403.3271273, 267.23029272}, 4, 0.5163452793247983},
    {{340.87100886, 192.39865185, 377.46695713, 276.51512231}, 4, 0.472622495909014},
    {{422.96530279, 183.68707885, 451.11063579, 259.15293804}, 4, 0.4617301065799341},
    {{727.33363023, 49.55705776, 768.0, 95.79371702}, 23, 0.4505976239385296},
    {{223.69163427, 61.64789312, 240.37862723, 96.34769344}, 4, 0.4322615466596103},
    {{657.66493845, 47.32558159, 726.18547864, 99.74514878}, 23, 0.42798906538496273},
};

}  // namespace

TEST_CASE("the detector's anchors are those of the TensorFlow Object Detection API") {
  SsdAnchors spec;
  spec.feature_maps = {19, 10, 5, 3, 2, 1};
  std::vector<Anchor> a = make_ssd_anchors(spec);
  REQUIRE(a.size() == 1917);
  CHECK(a[0].y == doctest::Approx(0.5 / 19));
  CHECK(a[0].h == doctest::Approx(0.1));
  CHECK(a[1].w == doctest::Approx(0.2 * std::sqrt(2)));
  CHECK(a[1].h == doctest::Approx(0.2 / std::sqrt(2)));
  CHECK(a[2].h == doctest::Approx(0.2 * std::sqrt(2)));
  CHECK(a[3].x == doctest::Approx(1.5 / 19));
  CHECK(a[1083].w == doctest::Approx(0.35));
  CHECK(a[1083 + 3].w == doctest::Approx(0.35 * std::sqrt(3)));
  CHECK(a[1083 + 5].w == doctest::Approx(std::sqrt(0.35 * 0.5)));
  CHECK(a[1916].w == doctest::Approx(0.97467943));  // geometric mean of 0.95 and 1
  spec = {};
  spec.feature_maps = {2};
  spec.reduce_first_layer = false;
  spec.interpolated_ratio = 0;
  CHECK(make_ssd_anchors(spec).size() == 4 * 5);
}

TEST_CASE("SSD decoding equals the NumPy reference on the real detector's output") {
  Tensor boxes(Dtype::kFloat32, {1, 1917, 4}), scores(Dtype::kFloat32, {1, 1917, 24});
  for (float& v : scores.as<float>()) v = -8;
  for (const Row& row : kRows) {
    std::copy(row.code.begin(), row.code.end(),
              boxes.as<float>().begin() + static_cast<std::ptrdiff_t>(row.anchor * 4));
    scores.as<float>()[row.anchor * 24 + row.label] = row.logit;
  }
  scores.as<float>()[500 * 24] = 9;  // background says nothing
  auto check = [](Decoder& decoder, const std::vector<const Tensor*>& outputs) {
    auto found = decoder.detections(outputs, stretched(768, 576));
    REQUIRE_MESSAGE(found.ok(), found.error().message());
    REQUIRE(found->size() == std::size(kExpected));
    for (size_t i = 0; i < found->size(); ++i) {
      CHECK((*found)[i].label == kExpected[i].label);
      CHECK((*found)[i].score == doctest::Approx(kExpected[i].score).epsilon(1e-7));
      CHECK((*found)[i].box.x0 == doctest::Approx(kExpected[i].box.x0).epsilon(1e-6));
      CHECK((*found)[i].box.y0 == doctest::Approx(kExpected[i].box.y0).epsilon(1e-6));
      CHECK((*found)[i].box.x1 == doctest::Approx(kExpected[i].box.x1).epsilon(1e-6));
      CHECK((*found)[i].box.y1 == doctest::Approx(kExpected[i].box.y1).epsilon(1e-6));
    }
  };
  auto by_shape = make_decoder(detector_recipe(), {{"b", {1, 1917, 4}}, {"c", {1, 1917, 24}}});
  REQUIRE(by_shape.ok());
  check(**by_shape, {&boxes, &scores});
  Recipe named = detector_recipe();
  named.decoder.boxes_output = "b";
  named.decoder.scores_output = "c";
  auto by_name = make_decoder(named, {{"c", {-1, -1, -1}}, {"b", {-1, -1, 4}}});
  REQUIRE(by_name.ok());
  check(**by_name, {&scores, &boxes});
  CHECK((*by_name)->classifications({&scores}).error().code() == Code::kUnsupported);
}

TEST_CASE("SSD refuses outputs that do not fit, when made and when run") {
  Recipe r = detector_recipe();
  CHECK_FALSE(make_decoder(r, {}).ok());
  CHECK_FALSE(make_decoder(r, {{"b", {1, 1917, 4}}, {"c", {1, 1917, 4}}}).ok());
  auto wrong = make_decoder(r, {{"b", {1, 100, 4}}, {"c", {1, 100, 24}}});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message().find("1917") != std::string::npos);
  r.labels = {"a", "b"};
  CHECK_FALSE(make_decoder(r, {{"b", {1, 1917, 4}}, {"c", {1, 1917, 24}}}).ok());
  r.labels.clear();
  auto decoder = make_decoder(r, {{"b", {1, -1, 4}}, {"c", {1, -1, -1}}});
  REQUIRE(decoder.ok());
  Tensor few(Dtype::kFloat32, {1, 7, 4}), ints(Dtype::kInt32, {1, 1917, 4}), scores(Dtype::kFloat32, {1, 1917, 24});
  CHECK((*decoder)->detections({&few, &scores}, stretched(8, 8)).error().code() == Code::kInvalid);
  CHECK((*decoder)->detections({&scores}, stretched(8, 8)).error().code() == Code::kInvalid);
  CHECK((*decoder)->detections({&ints, &scores}, stretched(8, 8)).error().code() == Code::kUnsupported);
}

TEST_CASE("NaN and infinite outputs give no detection and no crash") {
  Tensor boxes(Dtype::kFloat32, {1, 1917, 4}), scores(Dtype::kFloat32, {1, 1917, 24});
  auto decoder = make_decoder(detector_recipe(), {{"b", {1, 1917, 4}}, {"c", {1, 1917, 24}}});
  for (float& v : scores.as<float>()) v = std::numeric_limits<float>::quiet_NaN();
  CHECK((*decoder)->detections({&boxes, &scores}, stretched(8, 8))->empty());
  for (float& v : scores.as<float>()) v = 3;
  for (float& v : boxes.as<float>()) v = std::numeric_limits<float>::infinity();
  CHECK((*decoder)->detections({&boxes, &scores}, stretched(8, 8))->empty());
  for (float& v : boxes.as<float>()) v = 1e6f;
  CHECK((*decoder)->detections({&boxes, &scores}, stretched(8, 8)).ok());
}

TEST_CASE("YOLOv8 heads are read in both layouts") {
  Recipe r;
  r.image.width = r.image.height = 100;
  r.image.resize = "letterbox";
  r.decoder.kind = "yolov8";
  r.decoder.score_min = 0.3;
  r.labels = {"a", "b", "c"};
  // Three boxes; the second lies on the first (IoU 0.82) with the same class, the third is another class.
  const std::vector<std::array<float, 7>> boxes = {{50, 60, 20, 40, 0.1f, 0.9f, 0.2f},
                                                   {51, 62, 20, 40, 0.1f, 0.8f, 0.2f},
                                                   {50, 60, 20, 40, 0.7f, 0.1f, 0.6f},
                                                   {10, 10, 4, 4, 0.29f, 0.1f, 0.1f},
                                                   {10, 10, 4, 4, 0, 0, 0},
                                                   {10, 10, 4, 4, 0, 0, 0},
                                                   {10, 10, 4, 4, 0, 0, 0},
                                                   {1, 1, 1, 1, 0, 0, 0}};
  std::vector<float> rows, columns(7 * 8);
  for (size_t i = 0; i < 8; ++i) {
    for (size_t c = 0; c < 7; ++c) {
      rows.push_back(boxes[i][c]);
      columns[c * 8 + i] = boxes[i][c];
    }
  }
  Placement p{0.5, 0.5, 0, 25, 200, 100};  // a picture of 200x100 in the middle of the input
  for (bool channels_first : {true, false}) {
    Tensor t = channels_first ? floats({1, 7, 8}, columns) : floats({1, 8, 7}, rows);
    auto decoder = make_decoder(r, {{"out", t.shape()}});
    REQUIRE(decoder.ok());
    auto found = (*decoder)->detections({&t}, p);
    REQUIRE(found.ok());
    REQUIRE(found->size() == 2);
    CHECK((*found)[0].label == 1);
    CHECK((*found)[0].score == doctest::Approx(0.9));
    CHECK((*found)[0].box.x0 == 80);
    CHECK((*found)[0].box.y0 == 30);
    CHECK((*found)[0].box.x1 == 120);
    CHECK((*found)[0].box.y1 == 100);  // 110, cut to the picture
    CHECK((*found)[1].label == 0);
    r.decoder.nms_per_class = false;
    CHECK((*make_decoder(r, {{"out", t.shape()}}))->detections({&t}, p)->size() == 1);
    r.decoder.nms_per_class = true;
  }
  CHECK_FALSE(make_decoder(r, {{"out", {1, 9, 8400}}}).ok());
  CHECK_FALSE(make_decoder(r, {{"out", {1, 7, 8}}, {"other", {1}}}).ok());
  r.decoder.output = "out";
  CHECK(make_decoder(r, {{"other", {1}}, {"out", {1, 7, 8}}}).ok());
}

TEST_CASE("a classifier's scores are sorted, with softmax when asked") {
  Recipe r;
  r.kind = "tensor";
  r.decoder.kind = "classifier";
  r.decoder.score_min = 0.05;
  r.decoder.activation = "softmax";
  r.decoder.background_class = 0;
  Tensor t = floats({1, 4}, {5, 1, 3, 2});
  auto decoder = make_decoder(r, {{"p", {1, 4}}});
  REQUIRE(decoder.ok());
  auto found = (*decoder)->classifications({&t});
  REQUIRE(found.ok());
  REQUIRE(found->size() == 1);
  CHECK((*found)[0].label == 2);
  // exp(3) / (exp(5) + exp(1) + exp(3) + exp(2))
  CHECK((*found)[0].score == doctest::Approx(0.11245721));
  r.decoder.activation = "none";
  r.decoder.results_max = 2;
  found = (*make_decoder(r, {{"p", {1, 4}}}))->classifications({&t});
  REQUIRE(found->size() == 2);
  CHECK((*found)[1].label == 3);
  CHECK((*decoder)->detections({&t}, {}).error().code() == Code::kUnsupported);
  Tensor half(Dtype::kFloat16, {1, 2});
  half.as<uint16_t>()[1] = float_to_half(0.75f);
  CHECK((*make_decoder(r, {{"p", {1, 2}}}))->classifications({&half})->front().score == 0.75);
  r.labels = {"a"};
  CHECK_FALSE(make_decoder(r, {{"p", {1, 4}}}).ok());
}

TEST_CASE("overlap and suppression") {
  CHECK(iou({0, 0, 2, 2}, {1, 1, 3, 3}) == doctest::Approx(1.0 / 7));
  CHECK(iou({0, 0, 2, 2}, {2, 0, 3, 3}) == 0);
  CHECK(iou({1, 1, 1, 1}, {1, 1, 1, 1}) == 0);
  std::vector<Detection> all = {
      {{0, 0, 10, 10}, 1, 0.5}, {{0, 0, 10, 10}, 0, 0.5}, {{0, 0, 10, 9}, 1, 0.9}, {{50, 50, 60, 60}, 1, 0.1}};
  auto kept = non_maximum_suppression(all, 0.5, true, 100);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].score == 0.9);
  CHECK(kept[1].label == 0);
  CHECK(kept[2].score == 0.1);
  CHECK(non_maximum_suppression(all, 0.5, false, 100).size() == 2);
  CHECK(non_maximum_suppression(all, 0.5, true, 1).size() == 1);
  CHECK(non_maximum_suppression(all, 1.0, true, 100).size() == 4);
  CHECK(non_maximum_suppression({}, 0.5, true, 100).empty());
}

TEST_CASE("a recipe that does not decode says so") {
  Recipe r;
  r.decoder.kind = "tensor";
  auto decoder = make_decoder(r, {});
  REQUIRE(decoder.ok());
  CHECK((*decoder)->detections({}, {}).error().code() == Code::kUnsupported);
}

}  // namespace oree
