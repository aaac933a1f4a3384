// SPDX-License-Identifier: Apache-2.0
// Sample run: a network runs once over a few samples for all that want to see something of it: of the float one what
// outputs are held to, what weights are rounded for, what biases shall come to. Or somebody else runs it, and shows
// what is watched.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "optimize/quantize/probe.h"

namespace oree {

class SampleRun {
 public:
  // The graph and the samples must outlive it.
  SampleRun(const Graph& graph, const std::vector<NamedTensors>& samples) : graph_(graph), samples_(samples) {}

  size_t samples() const { return samples_.size(); }
  // `see` is called with the value (as Probe::open takes them) of so many samples, spread evenly, in their order.
  using See = std::function<Status(const Tensor&)>;
  void watch(ValueId value, size_t samples, See see);
  // Values that somebody watches.
  const std::vector<ValueId>& values() const { return values_; }
  // To those that want it: a value of a sample, both by their places. In the samples' order, one at a time.
  Status show(size_t sample, size_t value, const Tensor& tensor) const;
  // Samples at once, each on one thread: the number of threads changes no bit. Errors: those of Probe, and of `see`.
  Status run(Files& files, int threads, const std::string& scratch, bool fused = false);

 private:
  struct Watch {
    size_t place = 0;         // among values_
    std::vector<bool> wants;  // by sample
    See see;
  };
  const Graph& graph_;
  const std::vector<NamedTensors>& samples_;
  std::vector<ValueId> values_;
  std::vector<Watch> watches_;
};

}  // namespace oree
