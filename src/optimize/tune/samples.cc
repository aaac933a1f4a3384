// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "core/digest/fingerprint.h"
#include "model/eval/dataset.h"

namespace oree {
namespace {

constexpr size_t kNoiseSamples = 16;
constexpr size_t kBadSamplesNamedMax = 20;
constexpr size_t kFirstLook = 32;         // samples before the first question whether all is lost already
constexpr double kLookConfidence = 0.99;  // of that question, which is asked several times
constexpr size_t kPairingDraws = 199;
constexpr double kPairingChanceMax = 0.01;

Json truth_json(const Sample& sample) {
  Json json = Json::array();
  if (sample.label) json.push(*sample.label);
  if (!sample.truths) return json;
  for (const TruthBox& t : *sample.truths)
    json.push(Json().push(t.label).push(t.box.x0).push(t.box.y0).push(t.box.x1).push(t.box.y1).push(t.crowd));
  return json;
}

}  // namespace

std::string TuneSamples::input_path(size_t i) const { return path_join(scratch_, fmt::format("in{}.npz", i)); }
std::string TuneSamples::reference_path(size_t i) const { return path_join(scratch_, fmt::format("ref{}.npz", i)); }

Result<NamedTensors> TuneSamples::read_outputs(const std::string& path) const {
  OREE_TRY_ASSIGN(Bytes file, files_.read(path, kModelBytesMax));
  return read_npz(file);
}

Result<std::unique_ptr<TuneSamples>> TuneSamples::make(Files& files, const Settings& settings,
                                                       const std::string& scratch, Worker& reference,
                                                       const Worker::Opened& opened,
                                                       const std::function<void(size_t, size_t)>& progress) {
  auto samples = std::unique_ptr<TuneSamples>(new TuneSamples(files, settings, scratch));
  for (const TensorInfo& info : opened.outputs) samples->outputs_.push_back({info.name, info.shape});
  std::unique_ptr<Dataset> dataset;
  if (settings.data.path.empty()) {
    dataset = noise_dataset(opened.inputs, kNoiseSamples, settings.seed);
  } else {
    OREE_TRY_ASSIGN(dataset, open_dataset(files, settings.data, settings.recipe, opened.inputs));
  }
  if (dataset->has_boxes() || dataset->has_labels()) {
    OREE_TRY_ASSIGN(LabelJudge judge,
                    LabelJudge::make(*dataset, settings.data.path, settings.recipe, samples->outputs_));
    samples->judge_.emplace(std::move(judge));
  }
  OREE_TRY(samples->take(*dataset, reference, progress));
  if (samples->judge_) OREE_TRY(samples->check_labels());
  samples->text_ = settings.data.path.empty()
                       ? fmt::format("{} samples of seeded noise, which claim nothing about real data", samples->size())
                       : fmt::format("{} of {} {}samples in {}", samples->size(), dataset->size(),
                                     samples->judge_ ? "labelled " : "", settings.data.path);
  return samples;
}

// The sample's input and the reference's outputs become files; labels and counts are kept.
Status TuneSamples::take_one(Dataset& dataset, size_t index, Worker& reference) {
  const size_t used = placements_.size();
  OREE_TRY_ASSIGN(Sample sample, dataset.read(index));
  OREE_TRY_ASSIGN(Bytes npz, write_npz(sample.inputs));
  OREE_TRY_ASSIGN(auto file, files_.create(input_path(used)));
  OREE_TRY(file->write(npz));
  file.reset();
  // A dead reference is the end; a sample that it will not take is only that sample's.
  Status ran = reference.outputs(input_path(used), reference_path(used), true);
  if (!ran.ok()) {
    const bool own = ran.error().code() == Code::kInvalid;
    return own ? ran : Error(Code::kUnavailable, ran.error().within("the reference").message());
  }
  if (judge_) {
    OREE_TRY_ASSIGN(NamedTensors outputs, read_outputs(reference_path(used)));
    OREE_TRY_ASSIGN(Answers answers, judge_->answers(sample, outputs));
    sample.inputs.clear();
    reference_counts_.push_back(judge_->counts(answers, sample, settings_.score_min, settings_.iou_min));
    answers_.push_back(std::move(answers));
    labels_.push_back(sample);
  }
  placements_.push_back(sample.placement);
  return {};
}

Status TuneSamples::take(Dataset& dataset, Worker& reference, const std::function<void(size_t, size_t)>& progress) {
  const std::vector<size_t> indices = spread_indices(dataset.size(), settings_.samples_max);
  size_t bad = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (progress) progress(i, indices.size());
    Status taken = take_one(dataset, indices[i], reference);
    if (taken.ok()) continue;
    const Code code = taken.error().code();
    if (code != Code::kInvalid && code != Code::kNotFound) return taken;
    if (++bad <= kBadSamplesNamedMax) refused_.push_back(taken.error().message());
  }
  if (bad > kBadSamplesNamedMax) refused_.push_back(fmt::format("and {} more", bad - kBadSamplesNamedMax));
  if (placements_.empty()) {
    return Error(Code::kInvalid, fmt::format("{}: no usable sample; the first: {}", settings_.data.path,
                                             refused_.empty() ? "none" : refused_[0]));
  }
  Fingerprint print(files_);
  for (size_t i = 0; i < size(); ++i) print.add_path("input", input_path(i));
  for (const Sample& sample : labels_) print.add_json("label", truth_json(sample));
  print.add_json("recipe", settings_.recipe ? recipe_to_json(*settings_.recipe) : Json());
  print.add_json("judged", Json().push(settings_.metric).push(settings_.score_min).push(settings_.iou_min));
  OREE_TRY_ASSIGN(digest_, print.finish());
  if (judge_) return {};
  // Without labels the reference is right by definition.
  if (settings_.metric != "f1" && settings_.metric != "top1") return {};
  AgreementSettings same{settings_.metric, settings_.score_min, settings_.iou_min, settings_.seed};
  OREE_TRY_ASSIGN(AgreementMeter meter, AgreementMeter::make(same, settings_.recipe, outputs_));
  for (size_t i = 0; i < size(); ++i) {
    OREE_TRY_ASSIGN(NamedTensors outputs, read_outputs(reference_path(i)));
    OREE_TRY(meter.add(outputs, outputs, placements_[i]));
  }
  reference_counts_ = meter.counts();
  return {};
}

// Labels in another order, of other data or for other classes would make every candidate as good as the reference.
Status TuneSamples::check_labels() const {
  bool alike = true;
  for (const Sample& sample : labels_) alike = alike && truth_json(sample).dump() == truth_json(labels_[0]).dump();
  if (alike) return {};  // one label for all: there is no other order
  auto score = [&](std::span<const size_t> label_of) {
    F1 sum;
    for (size_t i = 0; i < size(); ++i)
      sum += judge_->counts(answers_[i], labels_[label_of[i]], settings_.score_min, settings_.iou_min);
    return sum.f1();
  };
  const double chance = pairing_p_value(size(), kPairingDraws, settings_.seed, score);
  if (chance <= kPairingChanceMax) return {};
  F1 sum;
  for (const F1& counts : reference_counts_) sum += counts;
  return Error(
      Code::kInvalid,
      fmt::format("{}: the labels do not fit the float model's answers: {} {:.4f} on {} samples, and {:.0f} % of "
                  "random orders of these labels score as well. Are they of these samples, in this order, and "
                  "of the model's classes? (More samples may tell, too.)",
                  settings_.data.path, judge_->boxes() ? "f1" : "top1", sum.f1(), size(), 100 * chance));
}

Result<TuneAnswers> TuneSamples::answers(Worker& worker, std::optional<double> drop_max) const {
  AgreementSettings agreement{settings_.metric, settings_.score_min, settings_.iou_min, settings_.seed};
  OREE_TRY_ASSIGN(AgreementMeter meter, AgreementMeter::make(agreement, settings_.recipe, outputs_));
  const std::string out = path_join(scratch_, "out.npz");
  TuneAnswers answers;
  size_t look = kFirstLook;
  for (size_t i = 0; i < size(); ++i) {
    OREE_TRY(worker.outputs(input_path(i), out, true));
    OREE_TRY_ASSIGN(NamedTensors own, read_outputs(out));
    OREE_TRY_ASSIGN(NamedTensors expected, read_outputs(reference_path(i)));
    OREE_TRY(meter.add(own, expected, placements_[i]));
    if (judge_) {
      auto judged = judge_->answers(labels_[i], own);
      if (!judged.ok()) return judged.error();
      answers.counts.push_back(judge_->counts(*judged, labels_[i], settings_.score_min, settings_.iou_min));
    }
    if (!drop_max || i + 1 != look || i + 1 == size() || reference_counts_.empty()) continue;
    look *= 2;
    PairedTest so_far = paired_test(std::span(reference_counts_).first(i + 1), judge_ ? answers.counts : meter.counts(),
                                    *drop_max, kLookConfidence, settings_.seed);
    if (so_far.verdict != DropVerdict::kOver) continue;
    answers.complete = false;
    break;
  }
  if (!judge_) answers.counts = meter.counts();
  OREE_TRY_ASSIGN(answers.agreement, meter.result());
  return answers;
}

}  // namespace oree
