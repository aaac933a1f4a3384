// SPDX-License-Identifier: Apache-2.0
#include "model/reference/quantized.h"

#include <fmt/format.h>

#include <cmath>

namespace oree {

Result<Scale> scale_of(const KernelCall& call, ValueId value) {
  const Value& v = call.graph.value(value);
  if (!v.quantization) return call.unsupported(fmt::format("'{}' has no scale, others have", v.name));
  if (v.quantization->scales.size() != 1) return call.unsupported(fmt::format("'{}' has a scale a slice", v.name));
  return Scale{v.quantization->scales[0], static_cast<int32_t>(v.quantization->zero_points.at(0))};
}

Result<Scale> input_scale(const KernelCall& call, size_t input) {
  if (call.node.input(input) == kNoValue) return call.invalid(fmt::format("input {} is absent", input));
  return scale_of(call, call.node.inputs[input]);
}
Result<Scale> output_scale(const KernelCall& call) {
  if (call.node.output(0) == kNoValue) return call.invalid("its output is absent");
  return scale_of(call, call.node.outputs[0]);
}

Dtype output_dtype(const KernelCall& call) {
  ValueId out = call.node.output(0);
  return out == kNoValue ? Dtype::kFloat32 : call.graph.value(out).dtype.value_or(Dtype::kFloat32);
}

Result<IntRange> output_range(const KernelCall& call) {
  switch (output_dtype(call)) {
    case Dtype::kInt8: return IntRange{-128, 127};
    case Dtype::kUint8: return IntRange{0, 255};
    case Dtype::kInt16: return IntRange{INT16_MIN, INT16_MAX};
    case Dtype::kInt32: return IntRange{INT32_MIN, INT32_MAX};
    default: return call.unsupported(fmt::format("a quantized result of {}", dtype_name(output_dtype(call))));
  }
}

int64_t quantized(float real, const Scale& to) {
  float steps = std::round(real / to.scale);
  if (std::isnan(steps)) return to.zero;
  return static_cast<int64_t>(std::fmin(std::fmax(steps, -0x1p40F), 0x1p40F)) + to.zero;
}

Status run_plain(KernelCall& call, std::span<const Tensor* const> inputs) {
  Kernel kernel = find_kernel(call.node.domain, call.node.op);
  if (!kernel) return call.unsupported("the reference has no kernel for it");
  KernelCall plain{call.graph, call.node, inputs, call.outputs, call.blocks, call.left};
  return kernel(plain);
}

}  // namespace oree
