// SPDX-License-Identifier: Apache-2.0
// TuneSamples: the data of one tune, prepared once: inputs and the reference's outputs as files in a scratch folder,
// labels in memory; and what a candidate makes of them. For tune.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  bool complete = true;  // false: it lost so much on the first samples that the others were not run
};

class TuneSamples {
 public:
  struct Settings {
    DatasetSource data;  // no path: seeded noise
    std::string metric;  // of the agreement, resolved
    double score_min = 0.5, iou_min = 0.5;
    size_t samples_max = 100;
    uint64_t seed = 1;
    std::optional<Recipe> recipe;
  };
  // Runs `reference`, already open, over the data. `scratch` exists. kInvalid: no usable sample, or labels that the
  // reference's answers fit no better than shuffled ones.
  static Result<std::unique_ptr<TuneSamples>> make(Files& files, const Settings& settings, const std::string& scratch,
                                                   Worker& reference, const Worker::Opened& opened,
                                                   const std::function<void(size_t done, size_t all)>& progress);

  // Runs all samples through an open worker. With `drop_max` it stops early when that much is surely lost.
  Result<TuneAnswers> answers(Worker& worker, std::optional<double> drop_max) const;

  size_t size() const { return placements_.size(); }
  bool labelled() const { return judge_.has_value(); }
  const std::vector<F1>& reference_counts() const { return reference_counts_; }  // as TuneAnswers::counts
  std::string input_path(size_t i) const;
  const std::string& digest() const { return digest_; }  // of inputs, labels and settings
  const std::string& text() const { return text_; }      // "60 of 795 images in frames/"
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  TuneSamples(Files& files, Settings settings, std::string scratch)
      : files_(files), settings_(std::move(settings)), scratch_(std::move(scratch)) {}
  Status take(Dataset& dataset, Worker& reference, const std::function<void(size_t, size_t)>& progress);
  Status take_one(Dataset& dataset, size_t index, Worker& reference);
  Status check_labels() const;
  std::string reference_path(size_t i) const;
  Result<NamedTensors> read_outputs(const std::string& path) const;

  Files& files_;
  Settings settings_;
  std::string scratch_, text_, digest_;
  std::vector<OutputInfo> outputs_;    // of the reference
  std::vector<Placement> placements_;  // of the samples that are used
  std::vector<Sample> labels_;         // the same ones without their inputs; of labelled data only
  std::vector<Answers> answers_;       // the reference's, of labelled data
  std::vector<F1> reference_counts_;
  std::optional<LabelJudge> judge_;
  std::vector<std::string> refused_;  // "name: reason"
};

}  // namespace oree
