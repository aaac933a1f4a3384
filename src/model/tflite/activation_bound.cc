// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/activation_bound.h"

#include <algorithm>
#include <cmath>

namespace oree {

double activation_bound(const Quantization& quantization, Dtype dtype, double real) {
  double steps = static_cast<double>(std::round(static_cast<float>(real) / quantization.scales[0]));
  int bits = dtype_bits(dtype);
  double low = dtype_is_signed(dtype) ? -std::exp2(bits - 1) : 0.0;
  return std::clamp(steps + static_cast<double>(quantization.zero_points[0]), low, low + std::exp2(bits) - 1);
}

}  // namespace oree
