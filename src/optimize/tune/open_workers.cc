// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/open_workers.h"

#include <algorithm>

namespace oree {

void OpenWorkers::keep(size_t index, std::unique_ptr<Worker> worker, double value, int64_t bytes) {
  held_[index] = {std::move(worker), value, bytes};
  int64_t sum = 0;
  for (const auto& [i, held] : held_) sum += held.bytes;
  while (sum > bytes_max_ && !held_.empty()) {
    auto worst = std::max_element(held_.begin(), held_.end(),
                                  [](const auto& a, const auto& b) { return a.second.value < b.second.value; });
    sum -= worst->second.bytes;
    held_.erase(worst);
  }
}

Worker* OpenWorkers::find(size_t index) {
  auto found = held_.find(index);
  return found == held_.end() ? nullptr : found->second.worker.get();
}

std::unique_ptr<Worker> OpenWorkers::take(size_t index) {
  auto found = held_.find(index);
  if (found == held_.end()) return nullptr;
  std::unique_ptr<Worker> worker = std::move(found->second.worker);
  held_.erase(found);
  return worker;
}

void OpenWorkers::rename(size_t from, size_t to) {
  auto found = held_.find(from);
  if (found == held_.end() || from == to) return;
  held_[to] = std::move(found->second);
  held_.erase(from);
}

void OpenWorkers::end_worse_than(double value) {
  std::erase_if(held_, [&](const auto& item) { return item.second.value > value; });
}

void OpenWorkers::end_except(const std::vector<size_t>& indices) {
  std::erase_if(
      held_, [&](const auto& item) { return std::find(indices.begin(), indices.end(), item.first) == indices.end(); });
}

}  // namespace oree
