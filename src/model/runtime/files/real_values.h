// SPDX-License-Identifier: Apache-2.0
// Integers that stand for reals, at a model's inputs and outputs: real = scale * (integer - zero_point). Models of
// integers alone, as microcontrollers and the Edge TPU run them, take and give these.
#pragma once

#include "model/runtime/backend.h"

namespace oree {

// float32 to int8, uint8 or int16: divided, rounded half to even, shifted and clamped, as QUANTIZE of TFLite does it.
// NaN becomes the zero point. kInvalid for other types.
Result<Tensor> to_integers(const Tensor& reals, Dtype dtype, const RealScale& scale);
// int8, uint8 or int16 to float32; others come back as they are.
Tensor to_reals(const Tensor& integers, const RealScale& scale);

// Where float32 was given for integers that stand for reals: all that was given, with those quantized. Nothing where
// there is none such.
Result<std::optional<NamedTensors>> with_integers(const NamedTensors& given, const std::vector<TensorInfo>& infos);

// Of what a session gave out, integers that stand for reals become float32. By place, as Session::outputs() has them.
void make_real(NamedTensors& outputs, const std::vector<TensorInfo>& infos);

}  // namespace oree
