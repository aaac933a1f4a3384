// SPDX-License-Identifier: Apache-2.0
// Samples that one inference computes together, one behind the other along the first dimension. For models whose inputs
// leave that dimension free; whether it is a batch in truth, and not the length of a sequence, nothing in a model says:
// comparing the answers with those of single samples does (tune).
#pragma once

#include <span>
#include <vector>

#include "model/runtime/backend.h"

namespace oree {

// kUnsupported, naming the input, unless each has a first dimension that is free.
Status check_batch(const std::vector<TensorInfo>& inputs, int batch);

// Tensors of a name are joined; each must have a first dimension of 1, and what follows it alike in all samples:
// kInvalid else. At least one sample.
Result<NamedTensors> stack_samples(std::span<const NamedTensors> samples);

// The samples of a batch again. kUnsupported, naming the tensor, when its first dimension is not `count`.
Result<std::vector<NamedTensors>> unstack_samples(const NamedTensors& stacked, size_t count);

}  // namespace oree
