// SPDX-License-Identifier: Apache-2.0
// The tables of kernels, one a file, which kernels.cc collects.
#pragma once

#include <span>

#include "model/reference/kernel.h"

namespace oree {

// Elementwise.
extern const std::span<const KernelEntry> kLogicKernels;

// Images and what slides over them.
extern const std::span<const KernelEntry> kConvKernels;
extern const std::span<const KernelEntry> kPoolKernels;
extern const std::span<const KernelEntry> kNormaliseKernels;
extern const std::span<const KernelEntry> kRecurrentKernels;
extern const std::span<const KernelEntry> kResizeKernels;
// Of values with Quantization (quantized.h).
extern const std::span<const KernelEntry> kQuantizedElementwiseKernels;
extern const std::span<const KernelEntry> kQuantizedLinearKernels;
extern const std::span<const KernelEntry> kQuantizedRegionKernels;
// With bodies.
extern const std::span<const KernelEntry> kControlKernels;

}  // namespace oree
