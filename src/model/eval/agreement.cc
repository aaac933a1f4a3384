// SPDX-License-Identifier: Apache-2.0
#include "model/eval/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/eval/measure.h"
#include "model/eval/noise.h"

namespace oree {
namespace {

bool is_detector(const std::string& kind) { return kind == "ssd" || kind == "yolov8"; }

constexpr int kBootstrapDraws = 1000;

// 95 % interval of F1 over resampled samples: the data are a draw too, and few of them prove little.
std::pair<double, double> bootstrap_f1(const std::vector<F1>& samples, uint64_t seed) {
  SeededRandom random(seed);
  std::vector<double> values;
  for (int draw = 0; draw < kBootstrapDraws; ++draw) {
    F1 sum;
    for (size_t i = 0; i < samples.size(); ++i) sum += samples[random.below(samples.size())];
    values.push_back(sum.f1());
  }
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.025), percentile(values, 0.975)};
}

}  // namespace

Json agreement_to_json(const Agreement& a) {
  Json json = Json::object();
  json.set("metric", a.metric).set("value", a.value).set("low", a.low).set("high", a.high).set("samples", a.samples);
  if (a.metric == "f1") json.set("objects", a.objects);
  json.set("sqnr_db", a.sqnr_db).set("cosine", a.cosine).set("max_abs_error", a.max_abs_error);
  return json.set("max_relative_error", a.max_relative_error);
}

std::string agreement_text(const std::string& metric, double value) {
  if (std::isinf(value)) return value > 0 ? "equal" : "broken";
  return metric == "sqnr" ? fmt::format("{:.1f} dB", value) : fmt::format("{:.4f}", value);
}

Result<std::string> resolve_metric(const std::string& metric, const std::optional<Recipe>& recipe) {
  std::string kind = recipe ? recipe->decoder.kind : "tensor";
  if (metric == "auto") return std::string(is_detector(kind) ? "f1" : kind == "classifier" ? "top1" : "cosine");
  if (metric == "cosine" || metric == "sqnr") return metric;
  if (metric == "f1" && is_detector(kind)) return metric;
  if (metric == "top1" && kind == "classifier") return metric;
  if (metric != "f1" && metric != "top1") {
    return Error(Code::kUsage, fmt::format("metric: expected auto, f1, top1, cosine or sqnr, found '{}'", metric));
  }
  return Error(Code::kUsage,
               fmt::format("metric {}: needs a recipe whose decoder is a {}, found {}", metric,
                           metric == "f1" ? "detector" : "classifier", recipe ? "'" + kind + "'" : "no recipe"));
}

double default_agreement_bound(const std::string& metric) {
  if (metric == "sqnr") return 20;
  return metric == "cosine" ? 0.999 : 0.98;
}

struct AgreementMeter::State {
  AgreementSettings settings;
  std::unique_ptr<Decoder> decoder;  // of both sides: their outputs have the same shapes
  std::vector<OutputInfo> outputs;
  std::vector<TensorError> errors;  // by position in `outputs`
  std::vector<F1> per_sample;
  int64_t samples = 0, objects = 0;

  Status add_decoded(const std::vector<const Tensor*>& tested, const std::vector<const Tensor*>& reference,
                     const Placement& placement);
};

AgreementMeter::AgreementMeter(std::unique_ptr<State> state) : state_(std::move(state)) {}
AgreementMeter::AgreementMeter(AgreementMeter&&) noexcept = default;
AgreementMeter::~AgreementMeter() = default;

Result<AgreementMeter> AgreementMeter::make(const AgreementSettings& settings, const std::optional<Recipe>& recipe,
                                            const std::vector<OutputInfo>& outputs) {
  auto state = std::make_unique<State>();
  state->settings = settings;
  OREE_TRY_ASSIGN(state->settings.metric, resolve_metric(settings.metric, recipe));
  state->outputs = outputs;
  state->errors.resize(outputs.size());
  const std::string& metric = state->settings.metric;
  if (metric == "f1" || metric == "top1") {
    Recipe lenient = *recipe;
    // The recipe may cut where this comparison must still see; a classifier's raw scores may all lie below zero.
    lenient.decoder.score_min = metric == "f1" ? std::min(lenient.decoder.score_min, settings.score_min)
                                               : -std::numeric_limits<double>::infinity();
    OREE_TRY_ASSIGN(state->decoder, make_decoder(lenient, outputs));
  }
  return AgreementMeter(std::move(state));
}

Status AgreementMeter::State::add_decoded(const std::vector<const Tensor*>& tested,
                                          const std::vector<const Tensor*>& reference, const Placement& placement) {
  F1 sample;
  if (settings.metric == "f1") {
    OREE_TRY_ASSIGN(auto expected, decoder->detections(reference, placement));
    OREE_TRY_ASSIGN(auto found, decoder->detections(tested, placement));
    std::vector<TruthBox> truths;
    for (const Detection& detection : expected) {
      if (detection.score >= settings.score_min) truths.push_back({detection.box, detection.label, false});
    }
    objects += static_cast<int64_t>(truths.size());
    sample = match_f1(found, truths, settings.score_min, settings.iou_min);
  } else {
    OREE_TRY_ASSIGN(auto expected, decoder->classifications(reference));
    OREE_TRY_ASSIGN(auto found, decoder->classifications(tested));
    bool same = expected.empty() == found.empty() && (expected.empty() || expected[0].label == found[0].label);
    sample = same ? F1{1, 0, 0} : F1{0, 1, 1};
  }
  per_sample.push_back(sample);
  return {};
}

namespace {

Result<std::vector<const Tensor*>> in_order(const NamedTensors& tensors, const std::vector<OutputInfo>& wanted,
                                            const char* side) {
  if (tensors.size() != wanted.size()) {
    return Error(Code::kInvalid, fmt::format("{}: expected {} outputs, found {}", side, wanted.size(), tensors.size()));
  }
  std::vector<const Tensor*> ordered;
  for (const OutputInfo& info : wanted) {
    auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == info.name; });
    if (found != tensors.end()) ordered.push_back(&found->tensor);
  }
  // Engines rename outputs, but keep their order.
  if (ordered.size() != wanted.size()) {
    ordered.clear();
    for (const NamedTensor& tensor : tensors) ordered.push_back(&tensor.tensor);
  }
  return ordered;
}

}  // namespace

Status AgreementMeter::add(const NamedTensors& outputs, const NamedTensors& reference, const Placement& placement) {
  State& s = *state_;
  OREE_TRY_ASSIGN(auto tested, in_order(outputs, s.outputs, "candidate"));
  OREE_TRY_ASSIGN(auto expected, in_order(reference, s.outputs, "reference"));
  for (size_t i = 0; i < tested.size(); ++i) {
    Status added = s.errors[i].add(*tested[i], *expected[i]);
    if (!added.ok()) return added.error().within("output '" + s.outputs[i].name + "'");
  }
  if (s.decoder) OREE_TRY(s.add_decoded(tested, expected, placement));
  ++s.samples;
  return {};
}

const std::vector<F1>& AgreementMeter::counts() const { return state_->per_sample; }

Result<Agreement> AgreementMeter::result() const {
  const State& s = *state_;
  if (s.samples == 0) return Error(Code::kInvalid, "agreement: no sample could be compared");
  Agreement a;
  a.metric = s.settings.metric;
  a.samples = s.samples;
  a.objects = s.objects;
  a.sqnr_db = std::numeric_limits<double>::infinity();
  for (const TensorError& error : s.errors) {
    a.sqnr_db = std::min(a.sqnr_db, error.sqnr_db());
    a.cosine = std::min(a.cosine, error.cosine());
    a.max_abs_error = std::max(a.max_abs_error, error.max_abs_error());
    a.max_relative_error = std::max(a.max_relative_error, error.max_relative_error());
  }
  if (!s.decoder) {
    a.value = a.low = a.high = a.metric == "sqnr" ? a.sqnr_db : a.cosine;
    return a;
  }
  F1 sum;
  for (const F1& sample : s.per_sample) sum += sample;
  if (sum.true_positives + sum.false_positives + sum.false_negatives == 0) {
    return Error(Code::kInvalid,
                 fmt::format("agreement: neither side finds anything with a score of {} or more in {} samples; "
                             "give data with objects, or a lower score",
                             s.settings.score_min, s.samples));
  }
  a.value = sum.f1();
  std::tie(a.low, a.high) = bootstrap_f1(s.per_sample, s.settings.seed);
  return a;
}

}  // namespace oree
