// SPDX-License-Identifier: Apache-2.0
// What a layer's channels give over some samples, in float and in integers, and by how much these differ.
#pragma once

#include <span>
#include <vector>

#include "core/base/result.h"
#include "core/base/tensor.h"

namespace oree {

// Of all places, or of so many, spread evenly, that no more than 4 MB are kept.
class ChannelValues {
 public:
  explicit ChannelValues(size_t samples) : samples_(samples) {}
  // The next sample; kInvalid without channels. These are on axis 1; of a matrix on the last.
  Status add(const Tensor& tensor, bool matrix);

  size_t channels() const { return channels_; }
  std::span<const float> values() const { return values_; }  // place by place, all channels of each

 private:
  size_t samples_;
  size_t added_ = 0, channels_ = 0;
  std::vector<float> values_;
};

// By channel, the mean of `found` minus `wanted`, of the same samples. Each sixteenth of the range that a channel takes
// in `wanted` counts alike where it has enough values to say: a detector's channels are about their lowest nearly
// everywhere, and what is found there says little of the few places that matter.
std::vector<double> error_by_levels(const ChannelValues& wanted, const ChannelValues& found);

}  // namespace oree
