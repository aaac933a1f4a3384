// SPDX-License-Identifier: Apache-2.0
// evaluate: a model over a data set. With labels: accuracy. With a reference model: agreement. Called by `oree eval`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/eval/agreement.h"
#include "model/eval/dataset.h"
#include "model/eval/measure.h"

namespace oree {

struct EvalRequest {
  Candidate model;
  std::optional<Candidate> reference;  // agreement with it; else the data must be labelled
  DatasetSource data;
  std::optional<Recipe> recipe;  // absent: arrays; with labels, the only output holds class scores
  std::string metric = "auto";  // with a reference agreement.h's; else auto, f1, map, top1, topk: a check, all are told
  double score_min = 0.5;       // f1
  double iou_min = 0.5;         // f1
  int top_k = 5;
  int samples_max = 0;  // 0: all
  uint64_t seed = 1;
  std::string detections_path;  // COCO data: where the boxes that were found go, as COCO results; "": nowhere
  std::string scratch_dir;      // exists; a folder is made in it and removed
  WorkerSettings worker;
};

struct EvalResult {
  std::string metric;                                   // the main figure's name
  std::vector<std::pair<std::string, double>> figures;  // by name, the main one first
  std::optional<Agreement> agreement;
  std::vector<std::pair<std::string, double>> per_class;  // AP at IoU 0.5, or recall of a class
  int64_t samples = 0;
  int64_t samples_refused = 0;
  std::vector<std::string> refused_samples;  // the first kRefusedNamedMax, "name: reason"
  std::vector<std::string> unknown_classes;  // of the data, which the model cannot say: not judged
  std::map<std::string, std::string> facts;  // of the model's session
};
inline constexpr size_t kRefusedNamedMax = 20;

// kUsage: the metric, data and recipe do not go together; kInvalid: no usable sample, a model or recipe that does not
// fit; kUnsupported: the engine failed.
Result<EvalResult> evaluate(const Ports& ports, const EvalRequest& request,
                            const std::function<void(size_t done, size_t total)>& progress);
Json eval_to_json(const EvalRequest& request, const EvalResult& result);

}  // namespace oree
