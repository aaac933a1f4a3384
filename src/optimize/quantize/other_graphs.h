// SPDX-License-Identifier: Apache-2.0
// Other float graphs that compute what the given one does: a look at few samples says whether one comes nearer to float
// in integers. Internal to optimize/quantize.
#pragma once

#include "optimize/quantize/quantizer.h"

namespace oree {

class OtherGraphs {
 public:
  // All must outlive it.
  OtherGraphs(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options, const Dialect& dialect);

  // Whether the graph with its channels levelled (level.h) is the one to go on with.
  Result<bool> try_level();
  // It, or the given one.
  const Graph& base() const { return levelled_ ? *levelled_ : graph_; }

  // What another graph leaves of the noise, on few samples.
  Result<double> glance(const Graph& other);
  // Quantizes it where that is worth its time; `best` becomes what comes nearer.
  Status attempt(const Graph& other, const Result<double>& glanced, const char* name, Quantized& best);

  // What was tried, before the steps that are there.
  void report(Quantized& best) const;

 private:
  Result<FirstLook> look(const Graph& graph, bool weights) const {
    return first_look(files_, graph, data_, few_, dialect_, weights);
  }
  Result<double> level_left(Graph& levelled) const;
  std::vector<NamedTensors> other_samples() const;
  Result<std::vector<Noise>> change(const Graph& levelled, const std::vector<NamedTensors>& samples) const;
  Status attempt(const Graph& other, const Result<double>& glanced, StepReport& step, Quantized& best) const;

  Files& files_;
  Dataset& data_;
  const QuantizeOptions& options_;
  QuantizeOptions few_;
  const Dialect& dialect_;
  const Graph& graph_;
  std::optional<Graph> levelled_;
  std::optional<FirstLook> before_;  // of base()
  std::vector<StepReport> steps_;
};

}  // namespace oree
