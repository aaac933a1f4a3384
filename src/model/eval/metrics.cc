// SPDX-License-Identifier: Apache-2.0
#include "model/eval/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace oree {
namespace {

double area(const Box& box) { return std::max(0.0, box.x1 - box.x0) * std::max(0.0, box.y1 - box.y0); }

// COCO's rule for crowds: how much of the detection lies inside.
double overlap(const Box& detection, const TruthBox& truth) {
  if (!truth.crowd) return iou(detection, truth.box);
  double w = std::min(detection.x1, truth.box.x1) - std::max(detection.x0, truth.box.x0);
  double h = std::min(detection.y1, truth.box.y1) - std::max(detection.y0, truth.box.y0);
  double own = area(detection);
  return w <= 0 || h <= 0 || own <= 0 ? 0 : w * h / own;
}

std::vector<Detection> by_falling_score(std::span<const Detection> detections) {
  std::vector<Detection> sorted(detections.begin(), detections.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return sorted;
}

// COCO's matching of one detection: the best free truth; a crowd only when no ordinary truth will do. Later equals win.
// Returns an index into truths or -1.
int best_truth(const Detection& detection, std::span<const TruthBox> truths, const std::vector<bool>& taken,
               double iou_min) {
  double bar = std::min(iou_min, 1 - 1e-10);
  int best = -1;
  for (bool crowd : {false, true}) {
    double best_overlap = bar;
    for (size_t i = 0; i < truths.size(); ++i) {
      if (truths[i].crowd != crowd || truths[i].label != detection.label || (taken[i] && !crowd)) continue;
      double o = overlap(detection.box, truths[i]);
      if (o < best_overlap) continue;
      best_overlap = o;
      best = static_cast<int>(i);
    }
    if (best >= 0) return best;
  }
  return best;
}

}  // namespace

double F1::precision() const {
  int64_t claimed = true_positives + false_positives;
  return claimed == 0 ? 1 : static_cast<double>(true_positives) / static_cast<double>(claimed);
}
double F1::recall() const {
  int64_t there = true_positives + false_negatives;
  return there == 0 ? 1 : static_cast<double>(true_positives) / static_cast<double>(there);
}
double F1::f1() const {
  int64_t sum = 2 * true_positives + false_positives + false_negatives;
  return sum == 0 ? 1 : 2 * static_cast<double>(true_positives) / static_cast<double>(sum);
}
F1& F1::operator+=(const F1& other) {
  true_positives += other.true_positives;
  false_positives += other.false_positives;
  false_negatives += other.false_negatives;
  return *this;
}

F1 match_f1(std::span<const Detection> detections, std::span<const TruthBox> truths, double score_min, double iou_min) {
  F1 result;
  std::vector<bool> taken(truths.size(), false);
  for (const Detection& detection : by_falling_score(detections)) {
    if (detection.score < score_min) break;
    int match = best_truth(detection, truths, taken, iou_min);
    if (match < 0) {
      ++result.false_positives;
    } else if (!truths[static_cast<size_t>(match)].crowd) {
      taken[static_cast<size_t>(match)] = true;
      ++result.true_positives;
    }
  }
  for (size_t i = 0; i < truths.size(); ++i) {
    if (!truths[i].crowd && !taken[i]) ++result.false_negatives;
  }
  return result;
}

void AveragePrecision::add(std::span<const Detection> detections, std::span<const TruthBox> truths) {
  for (const TruthBox& truth : truths) {
    if (!truth.crowd) ++truths_[truth.label];
  }
  std::vector<Detection> sorted = by_falling_score(detections);
  std::map<int, std::vector<Detection>> by_class;
  for (const Detection& detection : sorted) {
    auto& list = by_class[detection.label];
    if (list.size() < kMapDetectionsMax) list.push_back(detection);
  }
  for (const auto& [label, list] : by_class) {
    std::vector<Hit> hits;
    for (const Detection& detection : list) hits.push_back({detection.score, 0, 0});
    for (int k = 0; k < kMapThresholds; ++k) {
      std::vector<bool> taken(truths.size(), false);
      for (size_t d = 0; d < list.size(); ++d) {
        int match = best_truth(list[d], truths, taken, 0.5 + k * ((0.95 - 0.5) / 9));
        if (match < 0) continue;
        auto bit = static_cast<uint16_t>(1u << k);
        if (truths[static_cast<size_t>(match)].crowd) {
          hits[d].ignored = static_cast<uint16_t>(hits[d].ignored | bit);
        } else {
          hits[d].matched = static_cast<uint16_t>(hits[d].matched | bit);
          taken[static_cast<size_t>(match)] = true;
        }
      }
    }
    auto& all = hits_[label];
    all.insert(all.end(), hits.begin(), hits.end());
  }
}

AveragePrecision::Scores AveragePrecision::scores() const {
  Scores scores;
  if (truths_.empty()) return {-1, -1, -1, {}};
  double sum = 0, sum_50 = 0, sum_75 = 0;
  for (const auto& [label, truth_count] : truths_) {
    std::vector<Hit> hits;
    if (auto found = hits_.find(label); found != hits_.end()) hits = found->second;
    std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
    for (int k = 0; k < kMapThresholds; ++k) {
      std::vector<double> recall, precision;
      double tp = 0, fp = 0;
      for (const Hit& hit : hits) {
        if ((hit.ignored >> k & 1) == 0) ((hit.matched >> k & 1) != 0 ? tp : fp) += 1;
        recall.push_back(tp / static_cast<double>(truth_count));
        precision.push_back(tp / (tp + fp + std::numeric_limits<double>::epsilon()));
      }
      for (size_t i = precision.size(); i > 1; --i) precision[i - 2] = std::max(precision[i - 2], precision[i - 1]);
      double ap = 0;
      for (int point = 0; point <= 100; ++point) {
        auto at = std::lower_bound(recall.begin(), recall.end(), point * 0.01);
        if (at != recall.end()) ap += precision[static_cast<size_t>(at - recall.begin())];
      }
      ap /= 101;
      sum += ap;
      if (k == 0) sum_50 += ap, scores.per_class_50[label] = ap;
      if (k == 5) sum_75 += ap;
    }
  }
  double classes = static_cast<double>(truths_.size());
  scores.map = sum / (classes * kMapThresholds);
  scores.map_50 = sum_50 / classes;
  scores.map_75 = sum_75 / classes;
  return scores;
}

void ClassAccuracy::add(std::span<const Classification> answers, int label, int k) {
  ++samples;
  for (size_t rank = 0; rank < answers.size() && rank < static_cast<size_t>(k); ++rank) {
    if (answers[rank].label != label) continue;
    ++topk_hits;
    if (rank == 0) ++top1_hits;
    break;
  }
  ++confusion[label][answers.empty() ? -1 : answers[0].label];
}
double ClassAccuracy::top1() const {
  return samples == 0 ? 0 : static_cast<double>(top1_hits) / static_cast<double>(samples);
}
double ClassAccuracy::topk() const {
  return samples == 0 ? 0 : static_cast<double>(topk_hits) / static_cast<double>(samples);
}

Status TensorError::add(const Tensor& tensor, const Tensor& reference) {
  if (tensor.elements() != reference.elements()) {
    return Error(Code::kInvalid, fmt::format("expected {} elements as the reference, found {}",
                                             shape_text(reference.shape()), shape_text(tensor.shape())));
  }
  std::vector<double> t = tensor.to_doubles(), r = reference.to_doubles();
  double low = std::numeric_limits<double>::infinity(), high = -low, worst = 0;
  for (size_t i = 0; i < r.size(); ++i) {
    if (!std::isfinite(r[i])) return Error(Code::kInvalid, fmt::format("the reference's element {} is {}", i, r[i]));
    low = std::min(low, r[i]);
    high = std::max(high, r[i]);
    double error = std::abs(t[i] - r[i]);
    if (!std::isfinite(error)) {
      broken_ = true;
      continue;
    }
    worst = std::max(worst, error);
    signal_ += r[i] * r[i];
    square_ += t[i] * t[i];
    product_ += t[i] * r[i];
    noise_ += error * error;
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (broken_) worst = kInfinity;
  max_abs_error_ = std::max(max_abs_error_, worst);
  // A constant reference has no range: its magnitude stands in, and any error over an all-zero one is infinite.
  double range = high > low ? high - low : std::abs(high);
  if (!r.empty() && worst > 0)
    max_relative_error_ = std::max(max_relative_error_, range > 0 ? worst / range : kInfinity);
  return {};
}

double TensorError::sqnr_db() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (broken_) return -kInfinity;
  if (noise_ == 0) return kInfinity;
  return signal_ == 0 ? -kInfinity : 10 * std::log10(signal_ / noise_);
}

double TensorError::cosine() const {
  if (broken_) return -1;
  if (signal_ == 0 || square_ == 0) return signal_ == square_ ? 1 : 0;
  return std::clamp(product_ / std::sqrt(signal_) / std::sqrt(square_), -1.0, 1.0);
}

}  // namespace oree
