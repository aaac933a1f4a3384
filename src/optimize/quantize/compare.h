// SPDX-License-Identifier: Apache-2.0
// Comparison: the same samples through two graphs, and how far the values of one are from those of the other.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "optimize/quantize/probe.h"

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
  std::map<std::string, Port> ports = {};  // of the graph that is compared: Probe::open
};

// One graph runs after the other; the first one's values of all samples are held meanwhile. The values are float32, of
// the main block and no constants, as many of either graph, compared by their places. `engine` runs the second.
Result<std::vector<Noise>> compare_graphs(Files& files, const Graph& first, const std::vector<ValueId>& first_values,
                                          const Graph& second, const std::vector<ValueId>& second_values,
                                          const std::vector<NamedTensors>& samples, const CompareOptions& options,
                                          const std::string& engine = "");

// Of a graph's outputs, those that can be compared: float32, and no constants. Indices into main().outputs.
std::vector<size_t> compared_outputs(const Graph& graph);

// A graph's outputs in float32 of some samples, kept, so that many others can be held to them.
class OutputReference {
 public:
  static Result<OutputReference> make(Files& files, const Graph& graph, const std::vector<NamedTensors>& samples,
                                      const CompareOptions& options);
  // Of the outputs of `graph`, which has the same in number and order; thread safe.
  Result<std::vector<Noise>> compare(Files& files, const Graph& graph, const CompareOptions& options) const;

  const std::vector<NamedTensors>& samples() const { return *samples_; }  // must outlive it

 private:
  const std::vector<NamedTensors>* samples_ = nullptr;
  std::vector<size_t> places_;
  std::vector<std::vector<Tensor>> outputs_;  // by sample, by place
};

}  // namespace oree
