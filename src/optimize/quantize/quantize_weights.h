// SPDX-License-Identifier: Apache-2.0
// Quantization of weights alone: store_weights, held to float in the engine. Called by quantize().
#pragma once

#include "optimize/quantize/quantize.h"

namespace oree {

// Samples are needed to measure alone, and few: without ONNX Runtime and OpenVINO, in one of which float runs, the
// result is not measured. Errors as of quantize().
Result<Quantized> quantize_weights(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options);

}  // namespace oree
