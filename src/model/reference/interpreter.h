// SPDX-License-Identifier: Apache-2.0
// Runs a graph node by node with the reference kernels. For constant folding, tests, self-checks and bit-exactness;
// speed is not its purpose (a MobileNet takes seconds). Deterministic: random operators are refused.
//
// Bounded, whatever the graph and the inputs: a run ends with kExhausted before it takes more than ReferenceLimits
// (kernel.h) say. Every node costs a step for each element of its inputs and outputs, and what its kernel asks for
// besides (KernelCall::affordable); every iteration of a body pays for the body's nodes. Of bytes the limits count the
// values that are alive; beside them there are the graph's constants, once copied, and for the node that is running up
// to eight bytes for each element of its operands.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/graph/graph.h"
#include "model/reference/kernel.h"

namespace oree {

class Interpreter {
 public:
  // The graph must be valid (ops/validate.h), outlive it and not change. kUnsupported, naming op and node, when an
  // operator has no kernel.
  static Result<Interpreter> create(const Graph& graph, const ReferenceLimits& limits = {});
  Interpreter(Interpreter&&) noexcept;
  Interpreter& operator=(Interpreter&&) noexcept;
  ~Interpreter();

  // Called with each value as it is made, block by block, the inputs' and states' included, constants not: for
  // layer-by-layer comparison and calibration. It must not call the interpreter.
  using Observer = std::function<void(ValueId, const Tensor&)>;
  void observe(Observer observer);

  // Inputs by name, in any order, one for each input of the main block; outputs in the order of the main block.
  // kInvalid when one is missing, unknown, or of another type or shape than the graph says. States carry over to the
  // next run, unless this one fails. Values are freed after their last use: memory is the live peak and the constants.
  Result<NamedTensors> run(const NamedTensors& inputs);
  void reset_states();

 private:
  struct Impl;
  explicit Interpreter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One node from tensors, for constant folding; what it takes is taken off `left`. kUnsupported for operators with
// bodies.
Result<std::vector<Tensor>> evaluate_node(const Graph& graph, NodeId node, std::span<const Tensor* const> inputs,
                                          ReferenceLimits& left);

}  // namespace oree
