// SPDX-License-Identifier: Apache-2.0
// Indices as inputs, for the kernels that pick and place elements.
#pragma once

#include <vector>

#include "model/reference/access.h"
#include "model/reference/shapes.h"

namespace oree {

// As they are; kInvalid unless they are int32 or int64.
Result<std::vector<int64_t>> index_input(const KernelCall& call, size_t input);
// -length <= index < length to 0 <= index < length; else kInvalid.
Result<int64_t> index_within(const KernelCall& call, int64_t index, int64_t length);
Result<std::vector<int64_t>> indices_within(const KernelCall& call, size_t input, int64_t length);

// GatherElements and ScatterElements: indices have the data's rank and, but for the axis, are no larger.
Status indices_fit(const KernelCall& call, const Shape& data, const Shape& indices, size_t axis);

// GatherND and ScatterND: where in `data` each slice begins that the last dimension of the input names, after `batch`
// dimensions that both share. The caller has checked that `data` has as many dimensions.
Result<std::vector<int64_t>> slice_offsets(const KernelCall& call, const Shape& data, size_t input, size_t batch);

}  // namespace oree
