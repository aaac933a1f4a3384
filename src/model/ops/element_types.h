// SPDX-License-Identifier: Apache-2.0
// Element types as ONNX numbers them (TensorProto.DataType): what the attributes `to`, `dtype`, `output_dtype` hold.
#pragma once

#include <optional>

#include "core/base/tensor.h"

namespace oree {

std::optional<Dtype> dtype_from_onnx(
    int64_t number);  // nothing: none, or one that we do not have (string, complex, float8)
int64_t dtype_to_onnx(Dtype dtype);
bool onnx_knows_dtype(int64_t number);  // a number that stands for a type, whether we have it or not

}  // namespace oree
