// SPDX-License-Identifier: Apache-2.0
// Comparison: the same samples through two graphs, and how far the values of one are from those of the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "optimize/quantize/sample_run.h"

namespace oree {

// Sums of squares over all elements and samples: of the first graph's value, and of the difference.
struct Noise {
  double signal = 0, noise = 0;
  Status add(const Tensor& wanted, const Tensor& found);  // kInvalid unless both are float32, of the same size
  double ratio() const { return noise == 0 ? 0 : noise / std::max(signal, 1e-30); }
  double sqnr_db() const;  // infinite when equal
};

// Mean over outputs of the noise now by the noise before.
double noise_left(const std::vector<Noise>& now, const std::vector<Noise>& before);

struct CompareOptions {
  int threads = 1;
  std::string scratch;                     // an existing folder
  bool fused = true;                       // of the graph that is compared: Probe::start
  bool beside = false;                     // that graph is opened while the other runs
  std::map<std::string, Port> ports = {};  // of the graph that is compared: Probe::open
};

// One graph runs before the other; the first one's values of all samples are held meanwhile. The values are float32, of
// the main block and no constants, as many of either graph, compared by their places. `engine` runs the second.
Result<std::vector<Noise>> compare_graphs(Files& files, const Graph& first, const std::vector<ValueId>& first_values,
                                          const Graph& second, const std::vector<ValueId>& second_values,
                                          const std::vector<NamedTensors>& samples, const CompareOptions& options,
                                          const std::string& engine = "");

// What tells how near a graph is to another that was made of it: its outputs in float32 and, of others (the index of
// the largest score …), the last values in float32 that they are made of. No constants.
struct Compared {
  ValueId value = kNoValue;
  int place = -1;  // among main().outputs; -1: no output
  ValueId in(const Graph& made) const { return place < 0 ? value : made.main().outputs[static_cast<size_t>(place)]; }
};
std::vector<Compared> compared_values(const Graph& graph);

// These values of some samples, kept, so that many others can be held to them.
class OutputReference {
 public:
  OutputReference() = default;
  // `samples`: all of a run, or those that SampleRun::watch() takes for so many.
  OutputReference(const Graph& graph, const std::vector<NamedTensors>& samples);
  void watch(SampleRun& run);  // which fills it; meanwhile it must stay where it is
  static Result<OutputReference> make(Files& files, const Graph& graph, const std::vector<NamedTensors>& samples,
                                      const CompareOptions& options);
  // `graph` was made of the other: the same outputs in number and order, and what else is compared by its id; thread
  // safe.
  // Of the first `samples_max` samples.
  Result<std::vector<Noise>> compare(Files& files, const Graph& graph, const CompareOptions& options,
                                     size_t samples_max = SIZE_MAX) const;

  const std::vector<Compared>& values() const { return values_; }
  const std::vector<NamedTensors>& samples() const { return *samples_; }  // must outlive it

 private:
  const std::vector<NamedTensors>* samples_ = nullptr;
  std::vector<Compared> values_;
  std::vector<std::vector<Tensor>> outputs_;  // by value, by sample
};

}  // namespace oree
