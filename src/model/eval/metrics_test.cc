// SPDX-License-Identifier: Apache-2.0
#include "model/eval/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "model/eval/agreement.h"
#include "model/eval/noise.h"

namespace oree {
namespace {

Box box(double x, double y, double w, double h) { return {x, y, x + w, y + h}; }

struct Scene {
  std::vector<Detection> detections;
  std::vector<TruthBox> truths;
};

// Seeded scenes with near misses, wrong classes, tied scores and crowds; pycocotools was given the very same ones.
std::vector<Scene> scenes(uint64_t seed, int images, bool crowds) {
  SeededRandom r(seed);
  std::vector<Scene> all;
  for (int image = 0; image < images; ++image) {
    Scene scene;
    for (size_t n = r.below(9); n > 0; --n) {
      double x = r.unit() * 400;
      double y = r.unit() * 300;
      double w = 10 + r.unit() * 150;
      double h = 10 + r.unit() * 150;
      int label = static_cast<int>(r.below(3));
      bool crowd = crowds && r.below(8) == 0;
      scene.truths.push_back({box(x, y, w, h), label, crowd});
      for (size_t k = r.below(3); k > 0; --k) {
        double j = 0.35 * r.unit();
        double dx = x + (r.unit() - 0.5) * j * w;
        double dy = y + (r.unit() - 0.5) * j * h;
        double dw = w * (1 + (r.unit() - 0.5) * j);
        double dh = h * (1 + (r.unit() - 0.5) * j);
        int found = r.below(10) > 0 ? label : static_cast<int>(r.below(3));
        scene.detections.push_back({box(dx, dy, dw, dh), found, static_cast<double>(r.below(100)) / 100});
      }
    }
    for (size_t n = r.below(4); n > 0; --n) {
      int label = static_cast<int>(r.below(3));
      double x = r.unit() * 400;
      double y = r.unit() * 300;
      double w = 10 + r.unit() * 150;
      double h = 10 + r.unit() * 150;
      scene.detections.push_back({box(x, y, w, h), label, static_cast<double>(r.below(100)) / 100});
    }
    all.push_back(std::move(scene));
  }
  return all;
}

}  // namespace

TEST_CASE("average precision equals pycocotools 2.0 on seeded scenes") {
  struct Expected {
    uint64_t seed;
    int images;
    bool crowds;
    double map, map_50, map_75;
  };
  for (const Expected& e : {Expected{1, 1, false, 0.4645214521452145, 0.5841584158415841, 0.5},
                            Expected{2, 12, false, 0.27944929621167247, 0.47681729711432685, 0.27282486490407276},
                            Expected{3, 60, true, 0.2239289293620378, 0.36160058773607506, 0.24100799527777553}}) {
    AveragePrecision precision;
    for (const Scene& scene : scenes(e.seed, e.images, e.crowds)) precision.add(scene.detections, scene.truths);
    AveragePrecision::Scores scores = precision.scores();
    CAPTURE(e.seed);
    CHECK(scores.map == doctest::Approx(e.map).epsilon(1e-12));
    CHECK(scores.map_50 == doctest::Approx(e.map_50).epsilon(1e-12));
    CHECK(scores.map_75 == doctest::Approx(e.map_75).epsilon(1e-12));
  }
}

TEST_CASE("average precision without any truth says -1, as COCO does") {
  AveragePrecision precision;
  std::vector<Detection> detections{{box(0, 0, 10, 10), 0, 0.9}};
  precision.add(detections, {});
  CHECK(precision.scores().map == -1);
}

TEST_CASE("F1 gives each truth to one detection, the best first, and needs class, score and overlap") {
  std::vector<TruthBox> truths{{box(0, 0, 10, 10), 1, false}, {box(100, 0, 10, 10), 2, false}};
  std::vector<Detection> detections{{box(0, 0, 10, 10), 1, 0.9},     // right
                                    {box(0, 0, 10, 9), 1, 0.8},      // the same again
                                    {box(100, 0, 10, 10), 1, 0.7},   // another class
                                    {box(100, 0, 10, 10), 2, 0.4}};  // under the score
  F1 f1 = match_f1(detections, truths, 0.5, 0.5);
  CHECK(f1.true_positives == 1);
  CHECK(f1.false_positives == 2);
  CHECK(f1.false_negatives == 1);
  CHECK(f1.f1() == doctest::Approx(2.0 / 5));
  CHECK(match_f1(detections, truths, 0.4, 0.5).true_positives == 2);
  CHECK(match_f1({}, {}, 0.5, 0.5).f1() == 1);
  CHECK(match_f1({}, truths, 0.5, 0.5).f1() == 0);
}

TEST_CASE("F1 forgives detections inside a crowd and never misses one") {
  std::vector<TruthBox> truths{{box(0, 0, 100, 100), 1, true}};
  std::vector<Detection> detections{{box(10, 10, 10, 10), 1, 0.9}, {box(30, 30, 10, 10), 1, 0.9}};
  F1 f1 = match_f1(detections, truths, 0.5, 0.5);
  CHECK(f1.true_positives + f1.false_positives + f1.false_negatives == 0);
}

TEST_CASE("top-1 and top-k count ranks, and confusion counts what was said instead") {
  ClassAccuracy accuracy;
  std::vector<Classification> answers{{4, 0.6}, {2, 0.3}, {7, 0.1}};
  accuracy.add(answers, 4, 2);
  accuracy.add(answers, 2, 2);
  accuracy.add(answers, 7, 2);
  CHECK(accuracy.top1() == doctest::Approx(1.0 / 3));
  CHECK(accuracy.topk() == doctest::Approx(2.0 / 3));
  CHECK(accuracy.confusion[7][4] == 1);
}

namespace {
Tensor floats(std::vector<float> values) {
  Tensor tensor(Dtype::kFloat32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.as<float>().begin());
  return tensor;
}
}  // namespace

TEST_CASE("tensor errors are those of their definitions") {
  TensorError error;
  REQUIRE(error.add(floats({1, 2, 3.5F}), floats({1, 2, 3})).ok());
  CHECK(error.sqnr_db() == doctest::Approx(10 * std::log10(14 / 0.25)));
  CHECK(error.cosine() == doctest::Approx(15.5 / std::sqrt(14.0 * 17.25)));
  CHECK(error.max_abs_error() == doctest::Approx(0.5));
  CHECK(error.max_relative_error() == doctest::Approx(0.25));
  TensorError same;
  REQUIRE(same.add(floats({0, 0}), floats({0, 0})).ok());
  CHECK(std::isinf(same.sqnr_db()));
  CHECK(same.cosine() == 1);
}

TEST_CASE("tensor errors refuse another size and a broken reference, and show a broken candidate") {
  float nan = std::numeric_limits<float>::quiet_NaN();
  TensorError error;
  CHECK_FALSE(error.add(floats({1}), floats({1, 2})).ok());
  CHECK_FALSE(error.add(floats({1, 1}), floats({1, nan})).ok());
  REQUIRE(error.add(floats({nan, 1}), floats({1, 1})).ok());
  CHECK(error.sqnr_db() == -std::numeric_limits<double>::infinity());
  CHECK(error.cosine() == -1);
  CHECK(std::isinf(error.max_abs_error()));
}

TEST_CASE("agreement of classifiers counts equal answers and brackets them") {
  Recipe recipe;
  recipe.kind = "tensor";
  recipe.decoder.kind = "classifier";
  auto meter = AgreementMeter::make({}, recipe, {{"scores", {1, 3}}});
  REQUIRE(meter.ok());
  auto scores = [](std::vector<float> values) {
    Tensor tensor = floats(std::move(values));
    tensor.reshape({1, 3});
    NamedTensors named;
    named.push_back({"scores", std::move(tensor)});
    return named;
  };
  for (int i = 0; i < 9; ++i) REQUIRE(meter->add(scores({0.1F, 0.7F, 0.2F}), scores({0.1F, 0.8F, 0.1F}), {}).ok());
  REQUIRE(meter->add(scores({0.5F, 0.4F, 0.1F}), scores({0.4F, 0.5F, 0.1F}), {}).ok());
  auto agreement = meter->result();
  REQUIRE(agreement.ok());
  CHECK(agreement->metric == "top1");
  CHECK(agreement->value == doctest::Approx(0.9));
  CHECK(agreement->low < 0.9);
  CHECK(agreement->high > 0.9);
  CHECK(agreement->high <= 1);
}

TEST_CASE("agreement of classifiers sees raw scores below zero") {
  Recipe recipe;
  recipe.kind = "tensor";
  recipe.decoder.kind = "classifier";
  auto meter = AgreementMeter::make({}, recipe, {{"scores", {3}}});
  REQUIRE(meter.ok());
  NamedTensors a, b;
  a.push_back({"scores", floats({-5, -2, -9})});
  b.push_back({"scores", floats({-2, -5, -9})});
  REQUIRE(meter->add(a, a, {}).ok());
  REQUIRE(meter->add(a, b, {}).ok());
  auto agreement = meter->result();
  REQUIRE(agreement.ok());
  CHECK(agreement->value == doctest::Approx(0.5));
}

TEST_CASE("agreement without evidence is no agreement") {
  auto meter = AgreementMeter::make({}, std::nullopt, {{"y", {1}}});
  REQUIRE(meter.ok());
  CHECK_FALSE(meter->result().ok());
  CHECK_FALSE(AgreementMeter::make({"f1", 0.5, 0.5, 1}, std::nullopt, {{"y", {1}}}).ok());
  CHECK_FALSE(AgreementMeter::make({"beauty", 0.5, 0.5, 1}, std::nullopt, {{"y", {1}}}).ok());
}

}  // namespace oree
