// SPDX-License-Identifier: Apache-2.0
// Kernels for values with Quantization: their integers are computed as TensorFlow Lite for Microcontrollers computes
// them, byte for byte. Where an operator has no kernel here and only moves elements, its plain one is taken.
#pragma once

#include "model/reference/access.h"
#include "model/reference/fixed_point.h"

namespace oree {

// How one value stands for reals.
struct Scale {
  float scale = 1;
  int32_t zero = 0;
};
// Of an input or output; kUnsupported when it has none, or one a slice.
Result<Scale> scale_of(const KernelCall& call, ValueId value);
Result<Scale> input_scale(const KernelCall& call, size_t input);
Result<Scale> output_scale(const KernelCall& call);

struct IntRange {
  int32_t low = -128;
  int32_t high = 127;
  int32_t clamp(int64_t v) const { return static_cast<int32_t>(v < low ? low : v > high ? high : v); }
};
// Of the output's type: int8, uint8, int16 or int32. kUnsupported for any other.
Result<IntRange> output_range(const KernelCall& call);
Dtype output_dtype(const KernelCall& call);  // float32 where it is not known

// real / scale + zero, rounded half away from zero as TFLite's Quantize.
int64_t quantized(float real, const Scale& to);

// The plain kernel of the same operator, on these inputs.
Status run_plain(KernelCall& call, std::span<const Tensor* const> inputs);

}  // namespace oree
