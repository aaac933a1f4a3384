// SPDX-License-Identifier: Apache-2.0
#include "model/eval/sample_feed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace oree {

std::optional<FedSample> SampleFeed::next() {
  std::lock_guard<std::mutex> lock(mutex_);
  while (at_ < indices_.size()) {
    const size_t index = indices_[at_++];
    Result<Sample> read = data_.read(index);
    if (!read.ok()) {
      if (bad_.messages.size() < kBadSamplesNamedMax) bad_.messages.push_back(read.error().message());
      ++bad_.count;
    } else if (bad_.count == 0 || skip_bad_) {
      return FedSample{std::move(*read), given_++, index};
    }
  }
  return std::nullopt;
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
