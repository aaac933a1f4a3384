// SPDX-License-Identifier: Apache-2.0
// Integers that stand for reals, at a model's inputs and outputs: real = scale * (integer - zero_point). Models of
// integers alone, as microcontrollers and the Edge TPU run them, take and give these.
#pragma once

#include "core/base/result.h"
#include "core/base/tensor.h"

namespace oree {

struct RealScale {
  float scale = 1;  // > 0
  int64_t zero_point = 0;
  bool operator==(const RealScale&) const = default;
};

// float32 to int8, uint8 or int16: divided, rounded half to even, shifted and clamped, as QUANTIZE of TFLite does it.
// NaN becomes the zero point. kInvalid for other types.
Result<Tensor> to_integers(const Tensor& reals, Dtype dtype, const RealScale& scale);
// int8, uint8 or int16 to float32; others come back as they are.
Tensor to_reals(const Tensor& integers, const RealScale& scale);

}  // namespace oree
