// SPDX-License-Identifier: Apache-2.0
// Curves of 16 bits, for the kernels of their operators. Internal to model/reference.
#pragma once

#include "model/reference/quantized.h"

namespace oree {

// int16 to int16, whose scale is 1/32768.
Status run_sigmoid_16(KernelCall& call);
Status run_tanh_16(KernelCall& call);
Status run_softmax_16(KernelCall& call);

}  // namespace oree
