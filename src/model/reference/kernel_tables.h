// SPDX-License-Identifier: Apache-2.0
// The tables of kernels, one a file, which kernels.cc collects.
#pragma once

#include <span>

#include "model/reference/kernel.h"

namespace oree {

extern const std::span<const KernelEntry> kActivationKernels;
extern const std::span<const KernelEntry> kArithmeticKernels;
extern const std::span<const KernelEntry> kAttentionKernels;
extern const std::span<const KernelEntry> kCastKernels;
extern const std::span<const KernelEntry> kCreateKernels;
extern const std::span<const KernelEntry> kEinsumKernels;
extern const std::span<const KernelEntry> kGatherKernels;
extern const std::span<const KernelEntry> kLogicKernels;
extern const std::span<const KernelEntry> kMatMulKernels;
extern const std::span<const KernelEntry> kMovementKernels;
extern const std::span<const KernelEntry> kPadKernels;
extern const std::span<const KernelEntry> kQuantizeKernels;
extern const std::span<const KernelEntry> kReduceKernels;
extern const std::span<const KernelEntry> kReshapeKernels;
extern const std::span<const KernelEntry> kScatterKernels;
extern const std::span<const KernelEntry> kSelectKernels;
extern const std::span<const KernelEntry> kSoftmaxKernels;
extern const std::span<const KernelEntry> kSpectralKernels;
extern const std::span<const KernelEntry> kUnaryMathKernels;

// Images and what slides over them.
extern const std::span<const KernelEntry> kColumnKernels;
extern const std::span<const KernelEntry> kConvKernels;
extern const std::span<const KernelEntry> kPoolKernels;
extern const std::span<const KernelEntry> kNormaliseKernels;
extern const std::span<const KernelEntry> kRecurrentKernels;
extern const std::span<const KernelEntry> kRegionKernels;
extern const std::span<const KernelEntry> kResizeKernels;
extern const std::span<const KernelEntry> kSampleKernels;
// Of values with Quantization (quantized.h).
extern const std::span<const KernelEntry> kQuantizedCompareKernels;
extern const std::span<const KernelEntry> kQuantizedElementwiseKernels;
extern const std::span<const KernelEntry> kQuantizedLinearKernels;
extern const std::span<const KernelEntry> kQuantizedRegionKernels;
extern const std::span<const KernelEntry> kQuantizedSoftmaxKernels;
extern const std::span<const KernelEntry> kQuantizedSumKernels;
extern const std::span<const KernelEntry> kQuantizedTfliteKernels;  // of nodes of domain "tflite"
// With bodies.
extern const std::span<const KernelEntry> kControlKernels;

}  // namespace oree
