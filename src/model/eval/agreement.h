// SPDX-License-Identifier: Apache-2.0
// Agreement of a model's outputs with a reference model's on the same samples: what a faster way to compute must keep.
// Fed sample by sample; memory does not grow with the outputs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/codec/json.h"
#include "model/eval/metrics.h"
#include "model/recipe/detect.h"

namespace oree {

// metric   value                                              default bound
// f1       detector: F1 of its boxes against the reference's  0.98
// top1     classifier: share of samples with the same answer  0.98
// cosine   tensors: smallest cosine of any output tensor      0.999
// sqnr     tensors: smallest signal-to-noise ratio, dB        20
struct Agreement {
  std::string metric;
  double value = 0;
  // 95 % interval by a seeded bootstrap over samples (f1, top1 only; else both equal `value`).
  double low = 0, high = 0;
  int64_t samples = 0;
  int64_t objects = 0;  // f1: boxes that the reference found
  // Always told, for the raw outputs: over all samples, the worst output tensor.
  double sqnr_db = 0;  // infinite when equal
  double cosine = 1;
  double max_abs_error = 0;
  double max_relative_error = 0;  // largest |a-b| over the range (max-min) of the reference tensor in that sample
};
Json agreement_to_json(const Agreement& agreement);  // infinity as null

// For people: "0.9850", "41.0 dB", "equal" for an infinite ratio, "broken" for outputs that are not finite.
std::string agreement_text(const std::string& metric, double value);

struct AgreementSettings {
  std::string metric = "auto";  // auto: f1 for detectors, top1 for classifiers, cosine for tensors
  double score_min = 0.5;
  double iou_min = 0.5;
  uint64_t seed = 1;
};
// kUsage on an unknown metric or one that the recipe cannot give.
Result<std::string> resolve_metric(const std::string& metric, const std::optional<Recipe>& recipe);
double default_agreement_bound(const std::string& metric);

class AgreementMeter {
 public:
  static Result<AgreementMeter> make(const AgreementSettings& settings, const std::optional<Recipe>& recipe,
                                     const std::vector<OutputInfo>& outputs);
  AgreementMeter(AgreementMeter&&) noexcept;
  ~AgreementMeter();
  // Outputs are matched by name, or by position when both sides have as many and the names differ (engines rename).
  // kInvalid when shapes or counts do not fit, or the reference holds NaN or infinity.
  Status add(const NamedTensors& outputs, const NamedTensors& reference, const Placement& placement);
  // Of each sample so far, f1 and top1 only: against the reference's boxes; a same answer is one true positive, another
  // one false positive and one false negative.
  const std::vector<F1>& counts() const;
  // kInvalid when there is no evidence: no sample, or (f1) neither side found anything.
  Result<Agreement> result() const;

 private:
  struct State;
  explicit AgreementMeter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace oree
