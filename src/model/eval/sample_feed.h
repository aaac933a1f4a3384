// SPDX-License-Identifier: Apache-2.0
// SampleFeed gives the usable samples of a data set one after another, and keeps the names of those that are not
// usable.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "model/eval/dataset.h"

namespace oree {

inline constexpr size_t kBadSamplesNamedMax = 20;

struct BadSamples {
  size_t count = 0;
  std::vector<std::string> messages;  // of the first kBadSamplesNamedMax: which sample, and why
};

struct FedSample {
  Sample sample;
  size_t turn = 0;   // the how manieth of the usable ones, from 0
  size_t index = 0;  // of the data set
};

class SampleFeed {
 public:
  // `data` and `indices` must outlive it.
  SampleFeed(Dataset& data, const std::vector<size_t>& indices, bool skip_bad)
      : data_(data), indices_(indices), skip_bad_(skip_bad) {}

  // The next usable sample, while there is one. Unless bad samples are skipped, the first one ends what is given, and
  // all that come after are only looked at, to name every bad one. From any thread.
  std::optional<FedSample> next();

  // When next() gave none: how many samples were given, and what was wrong with the others.
  size_t given() const { return given_; }
  const BadSamples& bad() const { return bad_; }
  // kInvalid when there were bad samples that may not be skipped, or no usable one.
  Status verdict() const;

 private:
  Dataset& data_;
  const std::vector<size_t>& indices_;
  bool skip_bad_;
  std::mutex mutex_;
  size_t at_ = 0, given_ = 0;
  BadSamples bad_;
};

}  // namespace oree
