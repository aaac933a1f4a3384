// SPDX-License-Identifier: Apache-2.0
// Probe: a float graph that runs in a real engine and shows values of its inside. What calibration and correction see.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "model/graph/graph.h"
#include "model/runtime/backend.h"
#include "optimize/quantize/integer_io.h"

namespace oree {

// A graph written once, of which any number of sessions can be opened, each for a thread of its own.
class Probe {
 public:
  // `seen`: float32 values of the main block that are no constants. The file lies in `scratch`, an existing folder, for
  // as long as the probe lives. `engine` runs it, in its own format; "": ONNX Runtime, or OpenVINO without that.
  // kUnavailable when that is not here. `ports`: inputs and seen values that are integers; reals are given and shown.
  static Result<std::unique_ptr<Probe>> open(Files& files, const Graph& graph, const std::vector<ValueId>& seen,
                                             const std::string& scratch, const std::string& engine = "",
                                             const std::map<std::string, Port>& ports = {});
  ~Probe();

  class Run {
   public:
    // Called with the place of each value in `seen`.
    using See = std::function<Status(size_t place, const Tensor& tensor)>;
    Status run(const NamedTensors& inputs, const See& see);

   private:
    friend class Probe;
    const Probe* probe_ = nullptr;
    std::unique_ptr<Session> session_;
    std::vector<size_t> output_of_;  // by place among those that the engine gives out
    bool bound_ = false;             // all shapes are known: outputs are read where they lie
  };
  // Threads within an operator; 1 gives the same bits whatever else runs.
  // `fused`: SessionOptions::fused, of a graph with integers.
  Result<Run> start(int threads, bool fused = true) const;
  // All samples, several at once, each on one thread. `see` is called for one sample after the other, in their order,
  // so that any number of threads gives the same bits.
  using SeeEach = std::function<Status(size_t sample, size_t place, const Tensor& tensor)>;
  Status run_each(const std::vector<const NamedTensors*>& samples, int threads, bool fused, const SeeEach& see) const;
  const std::string& engine() const { return engine_; }

 private:
  Probe(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  Files& files_;
  std::string path_;
  std::string engine_;
  bool reals_ = false;              // nothing is in integers
  std::vector<std::string> names_;  // of the values, by place
  std::vector<bool> is_input_;      // shown as they came
  std::map<std::string, Port> ports_;
};

}  // namespace oree
