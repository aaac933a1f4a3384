// SPDX-License-Identifier: Apache-2.0
// OpenWorkers: workers that have a candidate open and may be wanted again, because loading a model takes longer than
// many of its inferences. Within a bound on the memory of all; the least promising go first. For tuner*.cc.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "model/eval/worker_client.h"

namespace oree {

class OpenWorkers {
 public:
  explicit OpenWorkers(int64_t bytes_max = 0) : bytes_max_(bytes_max) {}

  // Of candidate `index`. `value` is what it is judged by, smaller is better; `bytes` its resident memory.
  void keep(size_t index, std::unique_ptr<Worker> worker, double value, int64_t bytes);
  Worker* find(size_t index);
  std::unique_ptr<Worker> take(size_t index);  // null: there is none
  void rename(size_t from, size_t to);         // the same computation by another name
  void end(size_t index) { held_.erase(index); }
  void end_worse_than(double value);
  void end_except(const std::vector<size_t>& indices);
  void end_all() { held_.clear(); }
  bool empty() const { return held_.empty(); }

 private:
  struct Held {
    std::unique_ptr<Worker> worker;
    double value = 0;
    int64_t bytes = 0;
  };
  std::map<size_t, Held> held_;
  int64_t bytes_max_;
};

}  // namespace oree
