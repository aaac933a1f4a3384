// SPDX-License-Identifier: Apache-2.0
// Proof of a conversion: the source and the result run on the same inputs in the real engines that can open them, each
// in a child process of its own (model/eval/measure.h), and their outputs are compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/ports.h"
#include "model/eval/measure.h"
#include "model/graph/graph.h"

namespace oree {

struct OutputCheck {
  std::string name;
  double max_abs_error = 0;
  double max_relative_error = 0;  // over the range (max - min) of the source's output, or a tenth of its largest size
  bool agrees = false;
};

struct EngineCheck {
  std::string runtime;
  std::string reference;         // what ran the source for this comparison
  std::optional<Error> refused;  // the engine could not open or run the result: no verdict on it
  std::vector<OutputCheck> outputs;
  // Of a quantized model: it agrees with its operators one by one (`outputs`), and is so far off (over the range) when
  // an engine, that of the result or of the source, joins them to kernels of integers, which saturate on an x86 without
  // VNNI.
  struct Fused {
    std::string runtime;
    double error = 0;
  };
  std::optional<Fused> fused = {};
  bool agrees() const;
};

struct SelfCheck {
  // What ran the source: the best engine of its format, or "reference" for our own interpreter. An engine whose result
  // differs from that is compared once more, with what it makes of the source itself; and then with what the reference
  // gives when the inputs' last bits move: some networks move with every rounding, the conversion is not to blame.
  std::string reference;
  std::vector<EngineCheck> engines;
  NamedTensors inputs;  // on which all this was run; for compare_layers
  bool agrees() const;  // at least one engine ran the result, and all that did agree
};

struct SelfCheckPlan {
  std::string source, result;  // paths
  std::string input_npz;       // keyed by the source's input names; empty: seeded noise
  uint64_t seed = 1;
  // Of max_relative_error. What a sigmoid, softmax or tanh gives agrees besides within four units in the last place of
  // 1: engines approximate those.
  double tolerance = 1e-4;
  std::string scratch;  // an existing folder for tensors that pass between processes; left as it was
};

// kUnavailable when nothing here can run the source; kUnsupported when no engine here runs the result.
Result<SelfCheck> self_check(const Ports& ports, const WorkerSettings& settings, const Model& source,
                             const Model& result, const SelfCheckPlan& plan);

// Layer by layer, in our own interpreter: values that have one name and shape in both graphs, in the source's order.
struct LayerCheck {
  std::string name;
  std::string op;  // of the source
  double max_abs_error = 0;
  double max_relative_error = 0;
  double sqnr_db = 0;  // infinite when equal
};
Result<std::vector<LayerCheck>> compare_layers(const Graph& source, const Graph& result, const NamedTensors& inputs);

}  // namespace oree
