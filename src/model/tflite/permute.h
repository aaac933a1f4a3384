// SPDX-License-Identifier: Apache-2.0
// Constants with their axes in another order: weights on their way between TFLite's layouts and ONNX's.
#pragma once

#include <span>

#include "model/graph/constant.h"

namespace oree {

// Axis i of the result is axis order[i] of the constant, as in ONNX's Transpose. Asserts that `order` is a permutation.
Constant permuted(const Constant& constant, std::span<const int64_t> order);

// Four-bit elements as bytes, int8 or uint8; other constants as they are.
Tensor unpacked(const Constant& constant);

}  // namespace oree
