// SPDX-License-Identifier: Apache-2.0
// Histogram of a tensor's values over all samples, in one pass and constant memory. Bins of equal width cover
// [-reach, reach), reach a power of two, which doubles when a value falls outside: pairs of bins merge. So counts
// depend neither on the order of values nor on how they were spread over histograms that are merged, and bin edges are
// the same numbers on every machine. add_some() alone counts by a turn, so there the order is part of the result.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "optimize/quantize/affine.h"

namespace oree {

class Histogram {
 public:
  static constexpr int kBins = 4096;  // even: an edge lies at 0

  struct Ends {
    float low = 0, high = 0;  // 0 of no values
    uint64_t zeros = 0;
    bool finite = true;
    Ends joined(const Ends& other) const;
  };
  static Ends ends_of(std::span<const float> values);
  // Asserts that every value is finite (the caller refuses others by name).
  void add(std::span<const float> values) { add(values, ends_of(values)); }
  void add(std::span<const float> values, const Ends& ends);  // ends_of(values), when the caller has them
  // Of many values a quarter, each counted four times: of every four blocks of 256 one, another in each of four turns.
  // `ends` are those of all.
  void add_some(std::span<const float> values, const Ends& ends, uint64_t turn);
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  double min() const { return min_; }  // exact; 0 when empty
  double max() const { return max_; }
  uint64_t zeros() const { return zeros_; }  // exactly 0: what a ReLU cuts, and what quantizing leaves as it is
  double reach() const { return reach_; }
  double width() const { return 2 * reach_ / kBins; }
  double edge(int bin) const { return -reach_ + bin * width(); }  // lower; bin 0..kBins
  const std::vector<uint64_t>& bins() const { return bins_; }
  // For drawing: `count` bars of equal width from min() to max(), each bin counted where its middle lies.
  std::vector<uint64_t> bars(int count) const;

 private:
  void take_ends(const Ends& ends);
  void count_values(std::span<const float> values, uint64_t zeros, uint64_t times);
  void grow(double reach);
  std::vector<uint64_t> bins_;  // kBins of them once there is a value
  uint64_t count_ = 0, zeros_ = 0;
  double min_ = 0, max_ = 0;
  double reach_ = 0;
};

}  // namespace oree
