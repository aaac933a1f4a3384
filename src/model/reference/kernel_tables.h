// SPDX-License-Identifier: Apache-2.0
// The tables of kernels, one a file, which kernels.cc collects.
#pragma once

#include <span>

#include "model/reference/kernel.h"

namespace oree {

// Elementwise.
extern const std::span<const KernelEntry> kActivationKernels;
extern const std::span<const KernelEntry> kArithmeticKernels;
extern const std::span<const KernelEntry> kLogicKernels;
extern const std::span<const KernelEntry> kUnaryMathKernels;

}  // namespace oree
