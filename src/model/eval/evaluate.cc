// SPDX-License-Identifier: Apache-2.0
#include "model/eval/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/eval/label_judge.h"

namespace oree {
namespace {

class Evaluation {
 public:
  Evaluation(const Ports& ports, const EvalRequest& request)
      : ports_(ports),
        request_(request),
        scratch_(path_join(request.scratch_dir, fmt::format(".scratch-{:x}", ports.random->next_u64()))) {}
  ~Evaluation() { (void)ports_.files->remove_all(scratch_); }
  Result<EvalResult> run(const std::function<void(size_t, size_t)>& progress);

 private:
  Status start();
  Status choose_kind();
  Status add(size_t index);
  Result<NamedTensors> infer(Worker& worker, const char* output);
  Status score(const Sample& sample, const NamedTensors& outputs);
  Status finish();
  std::string label_name(int label) const {
    const std::vector<std::string>& labels = judge_->recipe().labels;
    bool named = label >= 0 && static_cast<size_t>(label) < labels.size();
    return named ? labels[static_cast<size_t>(label)] : fmt::format("class {}", label);
  }

  const Ports& ports_;
  const EvalRequest& request_;
  std::string scratch_;
  EvalResult result_;
  std::unique_ptr<Worker> worker_, reference_;
  std::unique_ptr<Dataset> dataset_;
  std::vector<OutputInfo> outputs_;
  std::optional<AgreementMeter> meter_;
  std::optional<LabelJudge> judge_;
  F1 f1_;
  AveragePrecision precision_;
  ClassAccuracy accuracy_;
  std::string detections_;  // the members of a JSON array
};

Status Evaluation::start() {
  OREE_TRY(ports_.files->make_dirs(scratch_));
  OREE_TRY_ASSIGN(worker_, Worker::start(ports_, request_.worker));
  OREE_TRY_ASSIGN(Worker::Opened opened, worker_->open(request_.model));
  result_.facts = opened.facts;
  for (const TensorInfo& info : opened.outputs) outputs_.push_back({info.name, info.shape});
  OREE_TRY_ASSIGN(dataset_, open_dataset(*ports_.files, request_.data, request_.recipe, opened.inputs));
  if (request_.reference) {
    OREE_TRY_ASSIGN(reference_, Worker::start(ports_, request_.worker));
    auto reference = reference_->open(*request_.reference);
    if (!reference.ok()) return reference.error().within("the reference");
  }
  return choose_kind();
}

Status Evaluation::choose_kind() {
  std::string metric = request_.metric;
  result_.unknown_classes = dataset_->categories().unknown;
  if (!request_.detections_path.empty() && (reference_ || dataset_->categories().ids.empty()))
    return Error(Code::kUsage, "detections are written for COCO data judged by its labels");
  if (reference_) {
    AgreementSettings settings{metric, request_.score_min, request_.iou_min, request_.seed};
    OREE_TRY_ASSIGN(AgreementMeter meter, AgreementMeter::make(settings, request_.recipe, outputs_));
    meter_.emplace(std::move(meter));
    OREE_TRY_ASSIGN(result_.metric, resolve_metric(metric, request_.recipe));
    return {};
  }
  if (!dataset_->has_boxes() && !dataset_->has_labels()) {
    return Error(Code::kUsage, request_.data.path +
                                   ": has no labels; give a reference model (--reference), or labelled data: "
                                   "an npz with 'labels', one folder a class, or COCO json");
  }
  OREE_TRY_ASSIGN(LabelJudge judge, LabelJudge::make(*dataset_, request_.data.path, request_.recipe, outputs_));
  judge_.emplace(std::move(judge));
  if (metric == "auto") metric = judge_->boxes() ? "f1" : "top1";
  bool known = judge_->boxes() ? metric == "f1" || metric == "map" : metric == "top1" || metric == "topk";
  if (!known) {
    return Error(Code::kUsage, fmt::format("metric: expected auto, {} for these labels, found '{}'",
                                           judge_->boxes() ? "f1 or map" : "top1 or topk", metric));
  }
  result_.metric = metric;
  return {};
}

Result<NamedTensors> Evaluation::infer(Worker& worker, const char* output) {
  std::string path = path_join(scratch_, output);
  OREE_TRY(worker.outputs(path_join(scratch_, "in.npz"), path, true));
  OREE_TRY_ASSIGN(Bytes file, ports_.files->read(path, kModelBytesMax));
  return read_npz(file);
}

Status Evaluation::score(const Sample& sample, const NamedTensors& outputs) {
  OREE_TRY_ASSIGN(const Answers answers, judge_->answers(sample, outputs));
  if (!judge_->boxes()) {
    accuracy_.add(answers.classes, *sample.label, request_.top_k);
    return {};
  }
  f1_ += judge_->counts(answers, sample, request_.score_min, request_.iou_min);
  precision_.add(answers.boxes, *sample.truths);
  if (request_.detections_path.empty()) return {};
  std::string found = coco_results(sample.image_id, answers.boxes, dataset_->categories());
  detections_ += (detections_.empty() || found.empty() ? "" : ",\n") + found;
  return {};
}

Status Evaluation::add(size_t index) {
  OREE_TRY_ASSIGN(Sample sample, dataset_->read(index));
  OREE_TRY_ASSIGN(Bytes npz, write_npz(sample.inputs));
  OREE_TRY_ASSIGN(auto file, ports_.files->create(path_join(scratch_, "in.npz")));
  OREE_TRY(file->write(npz));
  file.reset();
  OREE_TRY_ASSIGN(NamedTensors outputs, infer(*worker_, "out.npz"));
  if (!reference_) return score(sample, outputs);
  OREE_TRY_ASSIGN(NamedTensors expected, infer(*reference_, "ref.npz"));
  return meter_->add(outputs, expected, sample.placement);
}

Status Evaluation::finish() {
  auto& figures = result_.figures;
  if (meter_) {
    OREE_TRY_ASSIGN(Agreement a, meter_->result());
    figures = {{a.metric, a.value},
               {"sqnr_db", a.sqnr_db},
               {"cosine", a.cosine},
               {"max_abs_error", a.max_abs_error},
               {"max_relative_error", a.max_relative_error}};
    if (a.metric == "cosine") figures.erase(figures.begin() + 2);
    result_.agreement = a;
  } else if (judge_->boxes()) {
    AveragePrecision::Scores scores = precision_.scores();
    figures = {{"f1", f1_.f1()},    {"precision", f1_.precision()}, {"recall", f1_.recall()},
               {"map", scores.map}, {"map_50", scores.map_50},      {"map_75", scores.map_75}};
    for (const auto& [label, value] : scores.per_class_50) result_.per_class.emplace_back(label_name(label), value);
  } else {
    figures = {{"top1", accuracy_.top1()}, {"topk", accuracy_.topk()}};
    for (const auto& [label, answers] : accuracy_.confusion) {
      int64_t all = 0, right = 0;
      for (const auto& [answer, count] : answers) {
        all += count;
        if (answer == label) right += count;
      }
      result_.per_class.emplace_back(label_name(label), static_cast<double>(right) / static_cast<double>(all));
    }
  }
  auto main = std::find_if(figures.begin(), figures.end(), [&](const auto& f) { return f.first == result_.metric; });
  OREE_ASSERT(main != figures.end());
  std::rotate(figures.begin(), main, main + 1);
  return {};
}

Result<EvalResult> Evaluation::run(const std::function<void(size_t, size_t)>& progress) {
  OREE_TRY(start());
  std::vector<size_t> indices =
      spread_indices(dataset_->size(), static_cast<size_t>(std::max(0, request_.samples_max)));
  for (size_t i = 0; i < indices.size(); ++i) {
    if (progress) progress(i, indices.size());
    Status added = add(indices[i]);
    if (added.ok()) {
      ++result_.samples;
      continue;
    }
    // Bad data is that sample's fault; a dead engine or a full disk ends it all.
    Code code = added.error().code();
    if (code != Code::kInvalid && code != Code::kNotFound) return added.error();
    if (++result_.samples_refused <= static_cast<int64_t>(kRefusedNamedMax))
      result_.refused_samples.push_back(added.error().message());
  }
  if (result_.samples == 0) {
    return Error(Code::kInvalid,
                 fmt::format("{}: no usable sample; the first: {}", request_.data.path, result_.refused_samples[0]));
  }
  OREE_TRY(finish());
  if (!request_.detections_path.empty())
    OREE_TRY(ports_.files->write_atomic(request_.detections_path, as_bytes("[" + detections_ + "]\n")));
  return std::move(result_);
}

}  // namespace

Result<EvalResult> evaluate(const Ports& ports, const EvalRequest& request,
                            const std::function<void(size_t, size_t)>& progress) {
  return Evaluation(ports, request).run(progress);
}

Json eval_to_json(const EvalRequest& request, const EvalResult& result) {
  Json json = Json::object();
  json.set("model", candidate_to_json(request.model));
  if (request.reference) json.set("reference", candidate_to_json(*request.reference));
  json.set("data", request.data.path).set("metric", result.metric).set("samples", result.samples);
  Json figures = Json::object(), classes = Json::object(), facts = Json::object();
  Json bad = Json::array(), unknown = Json::array();
  for (const auto& [name, value] : result.figures) figures.set(name, value);
  for (const auto& [name, value] : result.per_class) classes.set(name, value);
  for (const std::string& text : result.refused_samples) bad.push(text);
  for (const std::string& name : result.unknown_classes) unknown.push(name);
  for (const auto& [name, value] : result.facts) facts.set(name, value);
  json.set("figures", figures);
  if (result.agreement) json.set("agreement", agreement_to_json(*result.agreement));
  if (!result.per_class.empty()) json.set("per_class", classes);
  if (!result.unknown_classes.empty()) json.set("unknown_classes", unknown);
  json.set("samples_refused", result.samples_refused).set("refused_samples", bad).set("facts", facts);
  json.set("score_min", request.score_min).set("iou_min", request.iou_min).set("top_k", request.top_k);
  return json;
}

}  // namespace oree
