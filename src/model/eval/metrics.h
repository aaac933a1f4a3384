// SPDX-License-Identifier: Apache-2.0
// Accuracy figures: pure functions and accumulators over results and truths. Formulas as COCO's evaluator defines them
// where the name is COCO's.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "model/recipe/detect.h"

namespace oree {

struct TruthBox {
  Box box;
  int label = -1;
  bool crowd = false;  // may swallow any number of detections, is never missed
};

struct F1 {
  int64_t true_positives = 0, false_positives = 0, false_negatives = 0;
  double precision() const;  // 1 when nothing was claimed
  double recall() const;     // 1 when there was nothing to find
  double f1() const;         // 1 when there was nothing to find and nothing was claimed
  F1& operator+=(const F1& other);
};
// One image. Detections with score >= score_min, by falling score, each takes the free truth of its label with the
// largest IoU >= iou_min; a detection that only meets a crowd counts neither way.
F1 match_f1(std::span<const Detection> detections, std::span<const TruthBox> truths, double score_min, double iou_min);

// Mean average precision as COCO computes it: per class, 101 recall points, monotone precision, at most 100 detections
// an image and class, all areas; classes without a truth do not count.
class AveragePrecision {
 public:
  void add(std::span<const Detection> detections, std::span<const TruthBox> truths);
  struct Scores {
    double map = 0;  // mean over IoU 0.50, 0.55 … 0.95
    double map_50 = 0;
    double map_75 = 0;
    std::map<int, double> per_class_50;
  };
  Scores scores() const;  // all -1 when there was no truth, as COCO says it

 private:
  struct Hit {
    double score;
    uint16_t matched;  // bit k: a true positive at IoU 0.50 + 0.05 k
    uint16_t ignored;  // bit k: met a crowd
  };
  std::map<int, std::vector<Hit>> hits_;
  std::map<int, int64_t> truths_;
};
inline constexpr int kMapThresholds = 10;
inline constexpr size_t kMapDetectionsMax = 100;

// Class answers by scores: rank 0 is the best. Confusion is label -> answer -> count.
struct ClassAccuracy {
  int64_t samples = 0, top1_hits = 0, topk_hits = 0;
  std::map<int, std::map<int, int64_t>> confusion;
  void add(std::span<const Classification> answers, int label, int k);  // answers by falling score
  double top1() const;
  double topk() const;
};

// Errors of one tensor against a reference, summed over any number of samples.
class TensorError {
 public:
  // kInvalid when the element counts differ or the reference is not finite. A candidate that is not finite where the
  // reference is gives SQNR -infinity and an infinite error.
  Status add(const Tensor& tensor, const Tensor& reference);
  double sqnr_db() const;  // 10 log10(sum r^2 / sum (t-r)^2); +infinity when equal
  double cosine() const;   // 1 when both are zero throughout
  double max_abs_error() const { return max_abs_error_; }
  double max_relative_error() const { return max_relative_error_; }  // |t-r| over (max-min) of r in that sample

 private:
  bool broken_ = false;
  double signal_ = 0, noise_ = 0, product_ = 0, square_ = 0;
  double max_abs_error_ = 0, max_relative_error_ = 0;
};

}  // namespace oree
