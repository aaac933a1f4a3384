// SPDX-License-Identifier: Apache-2.0
// TuneSamples: the data of one tune, prepared once: inputs as files in a scratch folder, the reference's answers,
// labels; and, by TuneJudging, what a candidate makes of them. For tuner*.cc.
//
// Samples go through a worker by the chunk, several in one file and one command: of a network that takes a tenth of a
// millisecond, everything else would take longer than the inferences.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest/fingerprint.h"
#include "core/io/ports.h"
#include "model/eval/label_judge.h"
#include "model/eval/paired.h"
#include "optimize/tune/tune.h"

namespace oree {

// How a candidate answered. Counts are of the samples in their order: against the labels, or, where the data have none,
// against the reference's own answers; empty for a metric of raw outputs.
struct TuneAnswers {
  Agreement agreement;
  std::vector<F1> counts;
  bool complete = true;  // false: the others of the samples were not run
  bool lost = false;     // and need not be: what it lost so far is more than they could make good
};

// A candidate on its way through the samples, which can be halted and gone on with.
struct TuneJudging {
  AgreementMeter meter;
  std::vector<F1> label_counts;  // of labelled data
  size_t chunks = 0, samples = 0;
  size_t look = 0;  // samples before it is asked again whether all is lost
  bool lost = false;
};

class TuneSamples {
 public:
  static constexpr size_t kFirstLook = 32;  // samples before the first question whether all is lost already
  struct Settings {
    DatasetSource data;  // no path: seeded noise
    std::string metric;  // of the agreement, resolved
    double score_min = 0.5, iou_min = 0.5;
    size_t samples_max = 100;
    uint64_t seed = 1;
    std::optional<Recipe> recipe;
    // What ends a judging early, when it cannot be reached any more.
    std::optional<double> drop_max, agreement_min;
  };
  // Runs `reference`, already open, over the data. `scratch` exists. kInvalid: no usable sample, or labels that the
  // reference's answers fit no better than shuffled ones.
  static Result<std::unique_ptr<TuneSamples>> make(Files& files, Clock& clock, const Settings& settings,
                                                   const std::string& scratch, Worker& reference,
                                                   const Worker::Opened& opened,
                                                   const std::function<void(size_t done, size_t all)>& progress);

  Result<TuneJudging> begin() const;
  // Runs further samples through an open worker, until `samples` of them at least are behind it, or all is lost.
  Status go_on(TuneJudging& judging, Worker& worker, size_t samples) const;
  // Of those so far. kInvalid: there is no evidence.
  Result<TuneAnswers> answers(const TuneJudging& judging) const;
  Result<TuneAnswers> reference_answers() const;  // of a candidate that computes the same

  size_t size() const { return placements_.size(); }
  bool labelled() const { return judge_.has_value(); }
  const std::vector<F1>& reference_counts() const { return reference_counts_; }  // as TuneAnswers::counts
  std::string input_path() const;                        // the first sample, alone: what speed is measured with
  const std::string& digest() const { return digest_; }  // of inputs, labels and settings
  const std::string& text() const { return text_; }      // "60 of 795 images in frames/"
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  struct Chunk {
    size_t first = 0, count = 0;
    std::vector<NamedTensors> outputs;  // the reference's; empty: in their file, since they are many
  };

  TuneSamples(Files& files, Clock& clock, Settings settings, std::string scratch)
      : files_(files), clock_(clock), settings_(std::move(settings)), scratch_(std::move(scratch)), print_(files) {}
  Status take(Dataset& dataset, Worker& reference, const std::function<void(size_t, size_t)>& progress);
  Status take_chunk(std::vector<Sample>& samples, Worker& reference);
  Status run_chunk(std::vector<Sample>& samples, Worker& reference);
  void keep(Sample& sample, std::optional<Answers> answers);
  void plan_chunks(const Sample& sample, const NamedTensors& outputs, int64_t took_ns);
  Status compare_reference();
  Status check_labels() const;
  bool all_is_lost(const TuneJudging& judging) const;
  AgreementSettings agreement_settings() const {
    return {settings_.metric, settings_.score_min, settings_.iou_min, settings_.seed};
  }
  std::string chunk_path(const char* what, size_t chunk) const;
  Result<std::vector<NamedTensors>> read_chunk(const std::string& path, size_t count) const;
  Result<std::vector<NamedTensors>> reference_outputs(size_t chunk) const;

  Files& files_;
  Clock& clock_;
  Settings settings_;
  std::string scratch_, text_, digest_;
  Fingerprint print_;                // what digest_ is made of
  std::vector<OutputInfo> outputs_;  // of the reference
  std::vector<Chunk> chunks_;
  size_t per_chunk_ = 1;
  int64_t kept_bytes_ = 0;             // of the reference's outputs, in memory
  std::vector<Placement> placements_;  // of the samples that are used
  std::vector<Sample> labels_;         // the same ones without their inputs; of labelled data only
  std::vector<Answers> answers_;       // the reference's, of labelled data
  std::vector<F1> reference_counts_;   // as TuneAnswers::counts
  std::vector<F1> own_counts_;         // the reference against itself; of f1 and top1 only
  std::optional<Agreement> own_agreement_;
  std::optional<LabelJudge> judge_;
  std::vector<std::string> refused_;  // "name: reason"
};

}  // namespace oree
