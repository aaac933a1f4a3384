// SPDX-License-Identifier: Apache-2.0
// The registry: which kernel runs an operator.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/limits.h"
#include "model/reference/kernel.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

using Registry = std::unordered_map<std::string_view, const KernelEntry*>;

Registry collect(std::initializer_list<std::span<const KernelEntry>> tables) {
  Registry out;
  for (std::span<const KernelEntry> table : tables) {
    for (const KernelEntry& entry : table) {
      bool added = out.emplace(entry.op, &entry).second;
      OREE_ASSERT(added);  // one kernel an operator
    }
  }
  return out;
}

const Registry& plain_kernels() {
  static const Registry registry = collect(
      {kActivationKernels, kArithmeticKernels, kAttentionKernels, kCastKernels,     kColumnKernels,   kControlKernels,
       kConvKernels,       kCreateKernels,     kEinsumKernels,    kGatherKernels,   kLogicKernels,    kMatMulKernels,
       kMovementKernels,   kNormaliseKernels,  kPadKernels,       kPoolKernels,     kQuantizeKernels, kRecurrentKernels,
       kReduceKernels,     kRegionKernels,     kReshapeKernels,   kResizeKernels,   kSampleKernels,   kScatterKernels,
       kSelectKernels,     kSoftmaxKernels,    kSpectralKernels,  kUnaryMathKernels});
  return registry;
}

// Kernels for nodes that compute on quantized values as TFLite's do.
const Registry& quantized_kernels() {
  static const Registry registry =
      collect({kQuantizedCompareKernels, kQuantizedElementwiseKernels, kQuantizedLinearKernels, kQuantizedRegionKernels,
               kQuantizedSoftmaxKernels, kQuantizedSumKernels});
  return registry;
}

const KernelEntry* look_up(const Registry& registry, std::string_view op) {
  auto it = registry.find(op);
  return it == registry.end() ? nullptr : it->second;
}

bool is_quantized(const Graph& graph, const Node& node) {
  auto quantized = [&](ValueId id) { return id != kNoValue && graph.value(id).quantization.has_value(); };
  return std::ranges::any_of(node.inputs, quantized) || std::ranges::any_of(node.outputs, quantized);
}

}  // namespace

const KernelEntry* find_kernel_entry(std::string_view domain, std::string_view op) {
  return domain.empty() || domain == "ai.onnx" ? look_up(plain_kernels(), op) : nullptr;
}

const KernelEntry* find_kernel_entry(const Graph& graph, const Node& node) {
  const KernelEntry* plain = find_kernel_entry(node.domain, node.op);
  if (!is_quantized(graph, node)) return plain;
  if (node.domain.empty()) {
    if (const KernelEntry* entry = look_up(quantized_kernels(), node.op)) return entry;
  }
  if (node.domain == "tflite") {
    auto entry = std::ranges::find(kQuantizedTfliteKernels, node.op, &KernelEntry::op);
    if (entry != kQuantizedTfliteKernels.end()) return &*entry;
  }
  return plain && plain->by_bits ? plain : nullptr;
}

bool has_quantized_kernel(std::string_view op) {
  const KernelEntry* plain = look_up(plain_kernels(), op);
  return look_up(quantized_kernels(), op) || (plain && plain->by_bits);
}

std::vector<const KernelEntry*> all_kernels() {
  std::vector<const KernelEntry*> out;
  for (const auto& [op, entry] : plain_kernels()) out.push_back(entry);
  std::ranges::sort(out, {}, &KernelEntry::op);
  return out;
}

Error KernelCall::invalid(const std::string& text) const {
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node.op, node.name, text));
}

Error KernelCall::unsupported(const std::string& text) const {
  return Error(Code::kUnsupported, fmt::format("{} '{}': {}", node.op, node.name, text));
}

Status KernelCall::fits(Dtype dtype, const Shape& shape) const {
  Result<int64_t> n = shape_elements(shape);
  if (!n) return invalid(n.error().message());
  // Kernels may widen a value to 8 bytes an element, so elements count, too.
  if (dtype_bytes(dtype, *n) <= static_cast<size_t>(std::max<int64_t>(bytes_left(), 0)) && *n <= bytes_left() / 4)
    return {};
  return Error(Code::kExhausted,
               fmt::format("{} '{}': an output of shape {} is too large", node.op, node.name, shape_text(shape)));
}

Status KernelCall::affordable(double steps) const {
  const double most = std::min(left.node_steps, left.run_steps);
  if (!(steps <= most)) {
    return Error(Code::kExhausted,
                 fmt::format("{} '{}': takes {:.3g} steps, at most {:.3g}", node.op, node.name, steps, most));
  }
  left.run_steps -= steps;
  return {};
}

}  // namespace oree
