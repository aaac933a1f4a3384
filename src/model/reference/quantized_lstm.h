// SPDX-License-Identifier: Apache-2.0
// UNIDIRECTIONAL_SEQUENCE_LSTM of domain "tflite", for the table of such kernels. Internal to model/reference.
#pragma once

#include "model/reference/quantized.h"

namespace oree {

Status run_quantized_lstm(KernelCall& call);

}  // namespace oree
