// SPDX-License-Identifier: Apache-2.0
// Curves of 16 bits, for the kernels of their operators. Internal to model/reference.
#pragma once

#include "model/reference/quantized.h"

namespace oree {

// int16 to int16, whose scale is 1/32768.
Status run_sigmoid_16(KernelCall& call);
Status run_tanh_16(KernelCall& call);
Status run_softmax_16(KernelCall& call);

// One element of 16 bits; results have 15 bits after the point. The operand is in units of 1/4096, or of 2^power.
int32_t sigmoid_16(int32_t x);
int32_t tanh_16(int32_t x, int power = -12);
inline constexpr int kTanhPowerMin = -30, kTanhPowerMax = 2;

}  // namespace oree
