// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/sample_run.h"

#include <algorithm>

#include "model/eval/dataset.h"

namespace oree {

void SampleRun::watch(ValueId value, size_t samples, See see) {
  Watch w;
  w.see = std::move(see);
  w.wants.assign(samples_.size(), false);
  for (size_t i : spread_indices(samples_.size(), samples)) w.wants[i] = true;
  auto known = std::ranges::find(values_, value);
  w.place = static_cast<size_t>(known - values_.begin());
  if (known == values_.end()) values_.push_back(value);
  watches_.push_back(std::move(w));
}

Status SampleRun::run(Files& files, int threads, const std::string& scratch, bool fused) {
  std::vector<bool> wanted(samples_.size(), false);
  for (const Watch& w : watches_) {
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = wanted[i] || w.wants[i];
  }
  std::vector<size_t> indices;
  std::vector<const NamedTensors*> some;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    indices.push_back(i);
    some.push_back(&samples_[i]);
  }
  if (some.empty()) return {};
  OREE_TRY_ASSIGN(std::unique_ptr<Probe> probe, Probe::open(files, graph_, values_, scratch));
  return probe->run_each(some, threads, fused, [&](size_t sample, size_t place, const Tensor& tensor) {
    return show(indices[sample], place, tensor);
  });
}

Status SampleRun::show(size_t sample, size_t value, const Tensor& tensor) const {
  for (const Watch& w : watches_) {
    if (w.place == value && w.wants[sample]) OREE_TRY(w.see(tensor));
  }
  return {};
}

}  // namespace oree
