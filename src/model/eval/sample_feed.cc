// SPDX-License-Identifier: Apache-2.0
#include "model/eval/sample_feed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oree {

bool SampleFeed::next(Sample& sample, size_t& turn) {
  std::lock_guard<std::mutex> lock(mutex_);
  while (at_ < indices_.size()) {
    Result<Sample> read = data_.read(indices_[at_++]);
    if (!read.ok()) {
      if (bad_.messages.size() < kBadSamplesNamedMax) bad_.messages.push_back(read.error().message());
      ++bad_.count;
    } else if (bad_.count == 0 || skip_bad_) {
      sample = std::move(*read);
      turn = given_++;
      return true;
    }
  }
  return false;
}

Status SampleFeed::verdict() const {
  if (bad_.count == 0 && given_ > 0) return {};
  if (bad_.count == 0) return Error(Code::kInvalid, "there is no sample to calibrate with");
  if (skip_bad_ && given_ > 0) return {};
  std::string more;
  if (bad_.count > bad_.messages.size()) more = fmt::format("; and {} more", bad_.count - bad_.messages.size());
  return Error(Code::kInvalid,
               fmt::format("{} of {} samples cannot be used{}: {}{}", bad_.count, indices_.size(),
                           skip_bad_ ? "" : " (--skip-bad leaves them out)", fmt::join(bad_.messages, "; "), more));
}

}  // namespace oree
