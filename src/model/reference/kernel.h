// SPDX-License-Identifier: Apache-2.0
// Reference kernels: every operator that the graph knows, as its specification reads, written to be read. No fast
// paths: other implementations are compared with these.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "model/graph/graph.h"

namespace oree {

class BlockRunner;

// What one run may take; the two of the run count down while it goes. A step is about one multiplication or one element
// that is looked at.
struct ReferenceLimits {
  int64_t value_bytes = kReferenceTensorBytesMax;               // of one value
  int64_t live_bytes = kReferenceLiveBytesMax;                  // of all that are alive at a time
  double node_steps = static_cast<double>(kReferenceStepsMax);  // of one call of a kernel
  double run_steps = static_cast<double>(kReferenceRunStepsMax);
};

// One call of a kernel. Shapes of inputs are all known here; optional inputs that are absent are nullptr.
struct KernelCall {
  const Graph& graph;
  const Node& node;
  std::span<const Tensor* const> inputs;
  std::vector<Tensor>& outputs;  // as many as the node has; the kernel fills those that are wanted (and may fill all)
  BlockRunner& blocks;           // for If, Loop and Scan
  ReferenceLimits& left;         // of the run

  const Tensor* in(size_t index) const { return index < inputs.size() ? inputs[index] : nullptr; }
  // An input that the kernel's entry counts as required, or that has been looked for.
  const Tensor& need(size_t index) const {
    OREE_ASSERT(in(index) != nullptr);
    return *inputs[index];
  }
  bool wants(size_t output) const { return node.output(output) != kNoValue; }
  void set(size_t output, Tensor tensor) {  // dropped when the node has no such output
    if (output < outputs.size()) outputs[output] = std::move(tensor);
  }
  // Asked before an output is made: kInvalid when the shape is none, kExhausted when it has more bytes, or four times
  // as many elements, as are left.
  Status fits(Dtype dtype, const Shape& shape) const;
  int64_t bytes_left() const { return std::min(left.value_bytes, left.live_bytes); }
  // Asked before a loop whose length the size of inputs and outputs does not bound: kExhausted when that is more than
  // is left, else it is less from now on.
  Status affordable(double steps) const;
  // kInvalid or kUnsupported, led by the operator and the node's name.
  Error invalid(const std::string& text) const;
  Error unsupported(const std::string& text) const;
};

// kInvalid: these inputs do not fit the operator. kUnsupported: a type or a combination that this kernel has not.
// Bounded, whatever the inputs: no output that does not fit(), no work that is not affordable().
using Kernel = Status (*)(KernelCall&);

// A kernel and what must hold before it is called. Kernels lie in one table a file; kernel_tables.h lists the tables.
struct KernelEntry {
  std::string_view op;
  Kernel kernel;
  int inputs = 1;        // so many inputs, from the first on, are there whenever the kernel is called
  bool by_bits = false;  // no element's value matters (Reshape, Gather's data …): right for quantized values, too
};

// nullptr: none.
const KernelEntry* find_kernel_entry(std::string_view domain, std::string_view op);
std::vector<const KernelEntry*> all_kernels();  // plain ones, sorted by operator
// Is there one that computes on quantized values, a plain one that is by_bits included?
bool has_quantized_kernel(std::string_view op);
inline Kernel find_kernel(std::string_view domain, std::string_view op) {
  const KernelEntry* entry = find_kernel_entry(domain, op);
  return entry ? entry->kernel : nullptr;
}
// The kernel for a node of a graph: where one of its values has Quantization, the quantized one of its operator, or the
// plain one if that is by_bits; otherwise the plain one. nullptr: none.
const KernelEntry* find_kernel_entry(const Graph& graph, const Node& node);

// Runs a body with values for its inputs; values of the blocks around it are those of now.
class BlockRunner {
 public:
  virtual ~BlockRunner() = default;
  virtual Result<std::vector<Tensor>> run_block(BlockId block, std::vector<Tensor> inputs) = 0;
};

}  // namespace oree
