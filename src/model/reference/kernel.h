// SPDX-License-Identifier: Apache-2.0
// Reference kernels: every operator that the graph knows, as its specification reads, written to be read. No fast
// paths: other implementations are compared with these.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

class BlockRunner;

// One call of a kernel. Shapes of inputs are all known here; optional inputs that are absent are nullptr.
struct KernelCall {
  const Graph& graph;
  const Node& node;
  std::span<const Tensor* const> inputs;
  std::vector<Tensor>& outputs;  // as many as the node has; the kernel fills those that are wanted (and may fill all)
  BlockRunner& blocks;           // for If, Loop and Scan

  const Tensor* in(size_t index) const { return index < inputs.size() ? inputs[index] : nullptr; }
  bool wants(size_t output) const { return node.output(output) != kNoValue; }
  // kInvalid or kUnsupported, led by the operator and the node's name.
  Error invalid(const std::string& text) const;
  Error unsupported(const std::string& text) const;
};

// kInvalid: these inputs do not fit the operator. kUnsupported: a type or a combination that this kernel has not.
// Bounded: no output above kTensorElementsMax, no endless loop on hostile input.
using Kernel = Status (*)(KernelCall&);

// nullptr: none. Values with Quantization go to the quantized kernel of an operator (quantized.h) before this is asked.
Kernel find_kernel(std::string_view domain, std::string_view op);

// Runs a body with values for its inputs; values of the blocks around it are those of now.
class BlockRunner {
 public:
  virtual ~BlockRunner() = default;
  virtual Result<std::vector<Tensor>> run_block(BlockId block, std::vector<Tensor> inputs) = 0;
};

// A group of kernels, one table a file: registered in kernels.cc by name.
struct KernelEntry {
  std::string_view op;
  Kernel kernel;
};

}  // namespace oree
