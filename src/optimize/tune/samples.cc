// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/eval/dataset.h"

namespace oree {
namespace {

constexpr size_t kNoiseSamples = 16;
constexpr size_t kBadSamplesNamedMax = 20;
constexpr int64_t kChunkBytes = 2 << 20;  // of inputs and the reference's outputs: it adds to the worker's memory
constexpr int64_t kChunkNs = 1'000'000'000;
constexpr size_t kChunkSamplesMax = 64;
constexpr int64_t kKeptBytesMax = 256 << 20;  // of the reference's outputs, in memory
constexpr double kLookConfidence = 0.99;      // of that question, which is asked several times
constexpr size_t kPairingDraws = 199;
constexpr double kPairingChanceMax = 0.01;

int64_t bytes_of(const NamedTensors& tensors) {
  int64_t sum = 0;
  for (const NamedTensor& t : tensors) sum += static_cast<int64_t>(t.tensor.byte_size());
  return sum;
}

Json truth_json(const Sample& sample) {
  Json json = Json::array();
  if (sample.label) json.push(*sample.label);
  if (!sample.truths) return json;
  for (const TruthBox& t : *sample.truths)
    json.push(Json().push(t.label).push(t.box.x0).push(t.box.y0).push(t.box.x1).push(t.box.y1).push(t.crowd));
  return json;
}

}  // namespace

std::string TuneSamples::input_path() const { return path_join(scratch_, "first.npz"); }
std::string TuneSamples::chunk_path(const char* what, size_t chunk) const {
  return path_join(scratch_, fmt::format("{}{}.npz", what, chunk));
}

Result<std::vector<NamedTensors>> TuneSamples::read_chunk(const std::string& path, size_t count) const {
  OREE_TRY_ASSIGN(Bytes file, files_.read(path, kModelBytesMax));
  OREE_TRY_ASSIGN(NamedTensors tensors, read_npz(file));
  return split_samples(std::move(tensors), count);
}

Result<std::vector<NamedTensors>> TuneSamples::reference_outputs(size_t chunk) const {
  const Chunk& c = chunks_[chunk];
  if (!c.outputs.empty()) return c.outputs;
  return read_chunk(chunk_path("ref", chunk), c.count);
}

Result<std::unique_ptr<TuneSamples>> TuneSamples::make(Files& files, Clock& clock, const Settings& settings,
                                                       const std::string& scratch, Worker& reference,
                                                       const Worker::Opened& opened,
                                                       const std::function<void(size_t, size_t)>& progress) {
  auto samples = std::unique_ptr<TuneSamples>(new TuneSamples(files, clock, settings, scratch));
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
  OREE_TRY(samples->compare_reference());
  if (samples->judge_) OREE_TRY(samples->check_labels());
  samples->text_ = settings.data.path.empty()
                       ? fmt::format("{} samples of seeded noise, which claim nothing about real data", samples->size())
                       : fmt::format("{} of {} {}samples in {}", samples->size(), dataset->size(),
                                     samples->judge_ ? "labelled " : "", settings.data.path);
  return samples;
}

void TuneSamples::keep(Sample& sample, std::optional<Answers> answers) {
  if (answers) {
    sample.inputs.clear();
    reference_counts_.push_back(judge_->counts(*answers, sample, settings_.score_min, settings_.iou_min));
    answers_.push_back(std::move(*answers));
    labels_.push_back(sample);
  }
  placements_.push_back(sample.placement);
}

void TuneSamples::plan_chunks(const Sample& sample, const NamedTensors& outputs, int64_t took_ns) {
  const int64_t bytes = std::max<int64_t>(1, bytes_of(sample.inputs) + bytes_of(outputs));
  const int64_t fit = std::min(kChunkBytes / bytes, kChunkNs / std::max<int64_t>(1, took_ns));
  per_chunk_ = std::clamp<size_t>(static_cast<size_t>(fit), 1, kChunkSamplesMax);
}

// The samples' inputs and the reference's outputs become files; labels and counts are kept.
Status TuneSamples::run_chunk(std::vector<Sample>& samples, Worker& reference) {
  const size_t index = chunks_.size();
  NamedTensors inputs;
  for (size_t i = 0; i < samples.size(); ++i) {
    for (const NamedTensor& t : samples[i].inputs) inputs.push_back({sample_name(i, t.name), t.tensor});
  }
  auto put = [&](const std::string& path, const NamedTensors& tensors) -> Status {
    OREE_TRY_ASSIGN(Bytes npz, write_npz(tensors));
    OREE_TRY_ASSIGN(auto file, files_.create(path));
    return file->write(npz);
  };
  OREE_TRY(put(chunk_path("in", index), inputs));
  if (index == 0) OREE_TRY(put(input_path(), samples[0].inputs));
  const int64_t start = clock_.monotonic_ns();
  // A dead reference is the end; a sample that it will not take is only that sample's.
  Status ran = reference.outputs_of(samples.size(), chunk_path("in", index), chunk_path("ref", index), true);
  if (!ran.ok()) {
    const bool own = ran.error().code() == Code::kInvalid;
    const Error error = ran.error().within("the reference");
    return own ? ran : error.code() == Code::kExhausted ? error : Error(Code::kUnavailable, error.message());
  }
  const int64_t took_ns = clock_.monotonic_ns() - start;
  Chunk chunk{placements_.size(), samples.size(), {}};
  OREE_TRY_ASSIGN(chunk.outputs, read_chunk(chunk_path("ref", index), samples.size()));
  std::vector<std::optional<Answers>> answers(samples.size());
  for (size_t i = 0; judge_ && i < samples.size(); ++i) {
    OREE_TRY_ASSIGN(answers[i], judge_->answers(samples[i], chunk.outputs[i]));
  }
  if (index == 0) plan_chunks(samples[0], chunk.outputs[0], took_ns);
  for (const Sample& sample : samples) {
    // By sample: how many go together is a matter of the machine's speed.
    for (const NamedTensor& t : sample.inputs) {
      print_.add("input", fmt::format("{} {} {}", t.name, dtype_name(t.tensor.dtype()), shape_text(t.tensor.shape())));
      print_.add("values", {reinterpret_cast<const char*>(t.tensor.data()), t.tensor.byte_size()});
    }
  }
  for (size_t i = 0; i < samples.size(); ++i) keep(samples[i], std::move(answers[i]));
  for (const NamedTensors& outputs : chunk.outputs) kept_bytes_ += bytes_of(outputs);
  if (kept_bytes_ > kKeptBytesMax) chunk.outputs.clear();
  chunks_.push_back(std::move(chunk));
  return {};
}

Status TuneSamples::take_chunk(std::vector<Sample>& samples, Worker& reference) {
  if (samples.empty()) return {};
  Status ran = run_chunk(samples, reference);
  if (ran.ok() || ran.error().code() != Code::kInvalid) return ran;
  if (samples.size() == 1) {
    refused_.push_back(ran.error().message());
    return {};
  }
  // One of them is not for the reference: which?
  for (Sample& sample : samples) {
    std::vector<Sample> alone{std::move(sample)};
    OREE_TRY(take_chunk(alone, reference));
  }
  return {};
}

Status TuneSamples::take(Dataset& dataset, Worker& reference, const std::function<void(size_t, size_t)>& progress) {
  const std::vector<size_t> indices = spread_indices(dataset.size(), settings_.samples_max);
  std::vector<Sample> waiting;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (progress) progress(i, indices.size());
    auto sample = dataset.read(indices[i]);
    if (sample.ok()) {
      waiting.push_back(std::move(*sample));
    } else if (sample.error().code() == Code::kInvalid || sample.error().code() == Code::kNotFound) {
      refused_.push_back(sample.error().message());
    } else {
      return sample.error();
    }
    if (waiting.size() < per_chunk_) continue;
    OREE_TRY(take_chunk(waiting, reference));
    waiting.clear();
  }
  OREE_TRY(take_chunk(waiting, reference));
  if (placements_.empty()) {
    return Error(Code::kInvalid, fmt::format("{}: no usable sample; the first: {}", settings_.data.path,
                                             refused_.empty() ? "none" : refused_[0]));
  }
  if (refused_.size() > kBadSamplesNamedMax) {
    const size_t more = refused_.size() - kBadSamplesNamedMax;
    refused_.resize(kBadSamplesNamedMax);
    refused_.push_back(fmt::format("and {} more", more));
  }
  for (const Sample& sample : labels_) print_.add_json("label", truth_json(sample));
  print_.add_json("recipe", settings_.recipe ? recipe_to_json(*settings_.recipe) : Json());
  print_.add_json("judged", Json().push(settings_.metric).push(settings_.score_min).push(settings_.iou_min));
  OREE_TRY_ASSIGN(digest_, print_.finish());
  return {};
}

// With itself: how much there was to find, and what a candidate that computes the same would be told.
Status TuneSamples::compare_reference() {
  OREE_TRY_ASSIGN(TuneJudging same, begin());
  for (size_t c = 0; c < chunks_.size(); ++c) {
    OREE_TRY_ASSIGN(const std::vector<NamedTensors> outputs, reference_outputs(c));
    for (size_t i = 0; i < outputs.size(); ++i)
      OREE_TRY(same.meter.add(outputs[i], outputs[i], placements_[chunks_[c].first + i]));
  }
  own_counts_ = same.meter.counts();
  // Without labels the reference is right by definition.
  if (!judge_) reference_counts_ = own_counts_;
  if (auto agreement = same.meter.result(); agreement.ok()) own_agreement_ = *agreement;
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

Result<TuneJudging> TuneSamples::begin() const {
  OREE_TRY_ASSIGN(AgreementMeter meter, AgreementMeter::make(agreement_settings(), settings_.recipe, outputs_));
  return TuneJudging{std::move(meter), {}, 0, 0, kFirstLook, false};
}

// With a bound on the drop: surely over it, by the samples so far. With one on the agreement: under it even if every
// sample that is left were answered as the reference does.
bool TuneSamples::all_is_lost(const TuneJudging& j) const {
  const std::vector<F1>& found = j.meter.counts();
  if (settings_.agreement_min && !found.empty()) {
    F1 at_best;
    for (const F1& counts : found) at_best += counts;
    for (size_t i = found.size(); i < own_counts_.size(); ++i) at_best += own_counts_[i];
    if (at_best.f1() < *settings_.agreement_min) return true;
  }
  if (!settings_.drop_max || j.samples < j.look || reference_counts_.empty()) return false;
  const PairedTest so_far = paired_test(std::span(reference_counts_).first(j.samples), judge_ ? j.label_counts : found,
                                        *settings_.drop_max, kLookConfidence, settings_.seed);
  return so_far.verdict == DropVerdict::kOver;
}

Status TuneSamples::go_on(TuneJudging& j, Worker& worker, size_t samples) const {
  const std::string out = path_join(scratch_, "out.npz");
  while (j.chunks < chunks_.size() && j.samples < samples && !j.lost) {
    const Chunk& chunk = chunks_[j.chunks];
    OREE_TRY(worker.outputs_of(chunk.count, chunk_path("in", j.chunks), out, true));
    OREE_TRY_ASSIGN(const std::vector<NamedTensors> own, read_chunk(out, chunk.count));
    OREE_TRY_ASSIGN(const std::vector<NamedTensors> expected, reference_outputs(j.chunks));
    for (size_t i = 0; i < chunk.count; ++i) {
      OREE_TRY(j.meter.add(own[i], expected[i], placements_[chunk.first + i]));
      if (!judge_) continue;
      const Sample& label = labels_[chunk.first + i];
      OREE_TRY_ASSIGN(Answers judged, judge_->answers(label, own[i]));
      j.label_counts.push_back(judge_->counts(judged, label, settings_.score_min, settings_.iou_min));
    }
    ++j.chunks;
    j.samples += chunk.count;
    j.lost = j.samples < size() && all_is_lost(j);
    while (j.look <= j.samples) j.look *= 2;
  }
  return {};
}

Result<TuneAnswers> TuneSamples::answers(const TuneJudging& j) const {
  TuneAnswers answers;
  answers.counts = judge_ ? j.label_counts : j.meter.counts();
  answers.complete = j.samples == size();
  answers.lost = j.lost;
  OREE_TRY_ASSIGN(answers.agreement, j.meter.result());
  return answers;
}

Result<TuneAnswers> TuneSamples::reference_answers() const {
  if (!own_agreement_) return Error(Code::kInvalid, "the reference found nothing in these samples");
  return TuneAnswers{*own_agreement_, reference_counts_, true, false};
}

}  // namespace oree
